"""What guards say in the middle of training, and that what is shared stays as it is."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import torch
from helpers import fakes
from helpers.fakes import Arrow, Dimmer, Jitter, Patches, Pull
from helpers.wrong import SMALL, loaded, said_of, wrong

import rankhub
from rankhub import UserError
from rankhub.catalog.catalog import Catalog
from rankhub.engine.checkpoint import Checkpoints
from rankhub.interfaces.loss import LossResult

LONG = {"phases": [{"name": "only", "steps": 12, "streams": ["views"]}], "evaluate": []}


def after(calls, good, bad):
    """Good for so many calls of one object, bad from then on; copies have counts of their own."""

    def method(self, *args):
        self.called = getattr(self, "called", 0) + 1
        return (good if self.called <= calls else bad)(self, *args)

    return method


def infinite_views(self, batch, draws):
    made = Jitter.apply(self, batch, draws)
    return replace(made, images=(made.images[0] / 0,))


def wrong_gradient(self, outputs, target, context):
    """Finite, with an infinite slope: the root of 0."""
    return LossResult((outputs[self.name].sum() * 0).sqrt())


def infinite_outputs(self, features):
    return {name: value / 0 for name, value in Arrow.forward(self, features).items()}


def infinite_total(self, outputs, target, context):
    return LossResult(outputs[self.name].sum() / 0)


def uncounted(self, target):
    return torch.tensor(float("nan"))


WHERE = {
    "views": (
        "generator",
        "apply",
        after(5, Jitter.apply, infinite_views),
        r"views of image \d+ in stream 'views' are not",
    ),
    "output": (
        "head",
        "forward",
        after(5, Arrow.forward, infinite_outputs),
        "head 'mine' of plugin strange 0.1 gave arrow",
    ),
    "loss": ("loss", "forward", after(5, Pull.forward, infinite_total), "loss 'mine' of plugin strange 0.1 gave total"),
    "gradient": (
        "loss",
        "forward",
        after(5, Pull.forward, wrong_gradient),
        r"the gradient of heads\.main\.embed\.\w+ is not",
    ),
    "count": ("loss", "count", after(9, Pull.count, uncounted), "loss 'mine' of plugin strange 0.1 gave the count nan"),
}


@pytest.mark.parametrize("path", WHERE)
def test_the_place_where_a_number_became_infinite_is_named(path, tmp_path, caplog):
    kind, method, bad, where = WHERE[path]
    said = said_of(wrong(kind, "late", "", recipe=LONG, **{method: bad}), tmp_path / "run", caplog)
    assert "at step" in said
    assert "the weights were not changed by it" in said
    assert re.search(where, said), said


def test_weights_that_an_earlier_step_broke_are_named():
    from helpers.training import parts_of, recipe

    from rankhub.engine.learner import StepInfo
    from rankhub.engine.step import LossNotFiniteError, take_step
    from rankhub.engine.training import new_learner, new_optimizer, stream_batch
    from rankhub.interfaces.schedule import Clock

    parts = parts_of(recipe())
    learner, plan = new_learner(parts), parts.plans[0]
    optimizer = new_optimizer(parts, plan)
    feed = parts.feeds["first", "views"]
    batch = feed.chain.on_device(feed.fetch(feed.in_epoch(0)), 0)
    with torch.no_grad():
        parts.network.backbone.conv.weight[0] = float("nan")
    with pytest.raises(LossNotFiniteError, match=r"backbone\.conv\.weight of the network is not"):
        take_step(learner, {"views": stream_batch(parts, plan, "views", batch)}, optimizer, StepInfo(Clock(0, 1, 1)))


def held(monkeypatch):
    """A data set that holds its images in memory."""
    store = [Patches.__getitem__(Patches(count=12), i) for i in range(12)]
    monkeypatch.setattr(Patches, "__getitem__", lambda self, i: store[i])
    return store


def test_a_generator_that_writes_in_place_now_and_then_changes_no_photo(monkeypatch, tmp_path):
    def darkens(self, views, draws):
        for view in views if draws.epoch else ():  # not in the first epoch, which is tried
            view.image.numpy()[:] = 0
        return Dimmer.apply(self, views, draws)

    store = held(monkeypatch)
    before = [sample.image.clone() for sample in store]
    rankhub.train(loaded(wrong("generator", "later", "", base=Dimmer, apply=darkens, recipe=LONG)), tmp_path / "run")
    assert all(torch.equal(sample.image, kept) for sample, kept in zip(store, before, strict=True))


def test_an_evaluator_that_writes_into_a_photo_held_in_memory_is_named(monkeypatch, tmp_path, caplog):
    def spoils(self, source):
        source.dataset("test")[0].image.zero_()
        return fakes.Spread.__call__(self, source)

    held(monkeypatch)
    said = said_of(wrong("evaluator", "spoils", "", __call__=spoils), tmp_path / "run", caplog)
    assert said.startswith("evaluator 'mine' of plugin strange 0.1 changed what it was handed, which other evaluators")
    assert "evaluator 'mine', row 'raw pixels'" in said


def test_a_loss_that_changes_outputs_after_the_trial_step_is_named_without_strict(tmp_path, caplog):
    def spoils(self, outputs, target, context):
        target.level.add_(1)
        return Pull.forward(self, outputs, target, context)

    case = wrong("loss", "later", "", forward=after(5, Pull.forward, spoils), recipe=LONG)
    assert "loss 'mine' of plugin strange 0.1 changed what it was handed" in said_of(case, tmp_path / "run", caplog)


@pytest.mark.parametrize("strict", [False, True])
def test_strict_looks_at_every_view(strict, tmp_path, caplog):
    def unlike(self, views, draws):
        made = Dimmer.apply(self, views, draws)
        return made[:-1] if draws.epoch else made

    case = wrong("generator", "later", "", base=Dimmer, apply=unlike, recipe={**LONG, "strict": strict})
    said = said_of(case, tmp_path / "run", caplog)
    assert ("gave 2 views of image" in said) is strict
    assert ("generator 'mine' of plugin strange 0.1" in said and "step 3" in said) is strict


def test_what_fails_in_a_worker_process_is_named_with_its_image(tmp_path, caplog):
    def fails(self, views, draws):
        return Dimmer.apply(self, views, draws) if not draws.epoch else views[0].picture

    case = wrong("generator", "worker", "", base=Dimmer, apply=fails, recipe={**LONG, "loader": {"workers": 1}})
    said = said_of(case, tmp_path / "run", caplog)
    assert said.startswith("generator 'mine' of plugin strange 0.1 failed in apply: AttributeError")
    assert "(image " in said
    assert "step 3" in said
    assert "\n" not in said


def test_a_run_whose_plugin_is_gone_names_the_distribution_and_version(tmp_path, monkeypatch):
    rankhub.train(loaded(wrong("schedule", "good", "", recipe={"evaluate": []})), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "lock.json").read_text())["distributions"]["strange"] == "strange-dist"
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: Catalog.of({"fakes": fakes})))
    with pytest.raises(UserError, match=r"needs the plugin strange, of strange-dist 0\.1 by its lock\.json"):
        rankhub.resume(tmp_path / "run")
    rankhub.load_run(tmp_path / "run").close()  # answers do without a schedule


def test_a_run_may_be_made_strict_before_it_goes_on(tmp_path, monkeypatch):
    recipe = loaded(
        wrong("schedule", "good", "", recipe={"evaluate": [], "callbacks": [{"use": "stopper", "after": 1}]})
    )
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: recipe.catalog))
    rankhub.train(recipe, tmp_path / "run")
    assert Checkpoints(tmp_path / "run" / "checkpoints", 1).last() is not None
    assert SMALL["phases"][0]["steps"] == 3
    resolved = tmp_path / "run" / "recipe.resolved.yaml"
    resolved.write_text(resolved.read_text().replace("strict: false", "strict: true"))
    with rankhub.resume(tmp_path / "run") as run:
        assert run.recipe.recipe.strict


def test_guards_change_no_result_and_a_run_does_without_them(tmp_path):
    from helpers.training import equal, parts_of, recipe, train, weights

    unguarded = Catalog.of({"fakes": fakes})
    assert unguarded.guards == []
    kept = []
    for number, (catalog, strict) in enumerate([(None, False), (None, True), (unguarded, False)]):
        (folder := tmp_path / str(number)).mkdir()
        kept.append(weights(train(parts_of(recipe(strict=strict), catalog), folder)))
    assert equal(kept[0], kept[1])
    assert equal(kept[0], kept[2])
