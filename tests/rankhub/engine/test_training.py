"""The loop: exact gradients, resuming bit for bit, phases."""

import dataclasses
from typing import ClassVar

import pytest
import torch
from helpers.plugins import renamed
from helpers.training import catalog, equal, objective, parts_of, read_journal, recipe, streams, train, weights

from rankhub.engine.checkpoint import Checkpoints
from rankhub.engine.learner import StepInfo, StreamBatch
from rankhub.engine.step import LossNotFiniteError, take_step
from rankhub.interfaces.processes import Processes

JITTER = [{"use": "jitter", "views": 2}]
VIEWS = {"generator": JITTER, "objectives": [objective("pull")]}
LABELED = {"batch_size": 4, "objectives": [objective("fit", weight={"use": "ramp", "start": 2.0})]}
RANKED = {"generator": [{"use": "dimmer"}, *JITTER], "objectives": [objective("follow"), objective("fit", weight=0.5)]}

HARD = {
    "backbone": {"use": "flat", "norm": True, "dropout": 0.3},
    "average": {"decay": {"use": "ramp", "start": 0.5, "end": 0.9}, "use_for": ["teacher", "evaluate"]},
    "clip_grad": 1.0,
    "streams": streams(a=VIEWS, b=LABELED, r=RANKED),
    "phases": [
        {"name": "one", "epochs": 2, "clock": "a", "mix": {"alternate": 2}, "streams": ["a", "b"]},
        {"name": "two", "steps": 7, "optimizer_state": "keep", "reset": ["heads.main.rate"], "streams": ["r"]},
    ],
    "checkpoint": {"every_steps": 4, "keep": 9},
}


def test_training_changes_weights_and_is_deterministic(tmp_path):
    before = parts_of(recipe()).network.state_dict()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (weights(train(parts_of(recipe()), tmp_path / name)) for name in ("one", "two"))
    assert equal(one, two)
    assert not equal(one, before)


@pytest.mark.parametrize("stop", [1, 3, 4, 8, 15, 16, 17, 22])
def test_a_run_that_is_stopped_anywhere_ends_with_the_same_bits(tmp_path, stop):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    ours = recipe(**HARD)
    whole = train(parts_of(ours), tmp_path / "whole")
    assert whole.parts.steps == 16 + 7
    train(parts_of(ours), tmp_path / "cut", stop_after=stop)
    again = train(parts_of(ours), tmp_path / "cut", resume=True)
    assert equal(weights(whole), weights(again))
    assert equal(whole.learner.average.network.state_dict(), again.learner.average.network.state_dict())
    assert [line["step"] for line in read_journal(tmp_path / "cut" / "metrics.jsonl")] == list(range(1, 24))
    losses = [[line["loss"] for line in read_journal(tmp_path / name / "metrics.jsonl")] for name in ("whole", "cut")]
    assert losses[0] == losses[1]
    assert again.views == whole.views


def test_a_crash_after_a_checkpoint_repeats_only_the_steps_since(tmp_path):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    ours = recipe(**HARD)
    whole = train(parts_of(ours), tmp_path / "whole")
    train(parts_of(ours), tmp_path / "cut")
    found = Checkpoints(tmp_path / "cut" / "checkpoints", 9).all()
    for late in found[2:]:  # as if the process had died before they were written; later lines stay in the journal
        for file in late.iterdir():
            file.unlink()
        late.rmdir()
    again = train(parts_of(ours), tmp_path / "cut", resume=True)
    assert equal(weights(whole), weights(again))
    assert [line["step"] for line in read_journal(tmp_path / "cut" / "metrics.jsonl")] == list(range(1, 24))


def gradient(parts, micro):
    """Gradient of one step in ``micro`` micro-batches, in float64, by a step that moves nothing."""
    from rankhub.engine.training import new_learner, new_optimizer

    parts.network.double()
    plan = parts.plans[0]
    feeds = {name: parts.feeds[plan.phase.name, name] for name in plan.streams}
    batches = {}
    for name, feed in feeds.items():
        batch = feed.chain.on_device(feed.fetch(feed.in_epoch(0)), 0)
        batches[name] = dataclasses.replace(batch, images=tuple(stack.double() for stack in batch.images))
    portions = {
        name: StreamBatch(batches[name], parts.objectives[plan.phase.name, name], accumulate=micro)
        for name in plan.streams
    }
    take_step(new_learner(parts), portions, new_optimizer(parts, plan), StepInfo(plan.clock_at(0)))
    return torch.cat([p.grad.flatten() for p in parts.network.parameters() if p.grad is not None])


def test_accumulation_of_sums_over_samples_and_groups_is_exact():
    labels = {"train": {"use": "patches", "count": 24}, "test": {"use": "patches", "count": 10}}
    both = streams(a={**VIEWS, "objectives": [objective("pull", weight=0.3), objective("fit")]}, b=LABELED)
    ours = recipe(data=labels, streams=both, phases=[{"name": "one", "steps": 1, "streams": ["a", "b"]}])
    whole, parts = (gradient(parts_of(ours), micro) for micro in (1, 3))
    assert whole.norm() > 0
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-14)


class Closing(Processes):
    """Notes how much of the gradient is there before and after each last backward pass."""

    seen: ClassVar[list[float]] = []

    def last_backward(self, parameters):
        def note():
            self.seen.append(sum(float(p.grad.norm()) for p in parameters if p.grad is not None))

        def back(tensors, gradients=None):
            note()
            torch.autograd.backward(tensors, gradients)
            note()

        return back


@pytest.mark.parametrize("loss", ["pull", "follow"])
def test_only_the_last_of_all_backward_passes_is_left_to_the_processes(loss):
    both = streams(a={**VIEWS, "objectives": [objective(loss)]}, b=LABELED)
    labels = {"train": {"use": "patches", "count": 24}, "test": {"use": "patches", "count": 10}}
    ours = recipe(data=labels, streams=both, phases=[{"name": "one", "steps": 1, "streams": ["b", "a"]}])
    Closing.seen.clear()
    found = gradient(dataclasses.replace(parts_of(ours), processes=Closing()), 3)
    before, after = Closing.seen
    assert 0 < before != after
    torch.testing.assert_close(found, gradient(parts_of(ours), 3), rtol=0, atol=0)


def test_a_loss_that_is_not_finite_stops_before_the_weights_move(tmp_path):
    phase = {"name": "one", "steps": 10, "streams": ["a"]}
    parts = parts_of(recipe(streams=streams(a={"objectives": [objective("fit", blow_up_at=0.65)]}), phases=[phase]))
    with pytest.raises(LossNotFiniteError, match=r"objective a/fit is nan at step 8.*step_000000005"):
        train(parts, tmp_path)
    assert all(bool(torch.isfinite(p).all()) for p in parts.network.parameters())


def test_frozen_parts_stay_and_reset_parts_start_afresh(tmp_path):
    phases = [
        {"name": "one", "steps": 4, "freeze": ["backbone"], "streams": ["a"]},
        {"name": "two", "steps": 4, "reset": ["heads.main.*"], "freeze": ["heads"], "streams": ["a"]},
    ]
    normed = {"use": "flat", "norm": True}
    parts = parts_of(recipe(streams=streams(a=VIEWS), phases=phases, backbone=normed, checkpoint={"keep": 9}))
    start = weights_of(parts)
    train(parts, tmp_path)
    from rankhub.engine.checkpoint import load

    middle, end = (dict(load(path).weights) for path in Checkpoints(tmp_path / "checkpoints", 9).all())
    assert torch.equal(start["backbone.conv.weight"], middle["backbone.conv.weight"])
    assert torch.equal(start["backbone.norm.running_mean"], middle["backbone.norm.running_mean"])
    assert not torch.equal(start["heads.main.embed.weight"], middle["heads.main.embed.weight"])
    assert not torch.equal(middle["backbone.conv.weight"], end["backbone.conv.weight"])
    assert not torch.equal(middle["heads.main.embed.weight"], end["heads.main.embed.weight"])


def weights_of(parts):
    return {name: value.clone() for name, value in parts.network.state_dict().items()}


def test_phases_streams_and_heads_may_be_called_as_methods_are(tmp_path):
    stream = {"data": "train", "batch_size": 6, "generator": JITTER, "objectives": [objective("follow", head="type")]}
    phase = {"name": "train", "steps": 2, "streams": ["eval"]}
    parts = parts_of(recipe(streams={"eval": stream}, phases=[phase], heads={"type": {"use": "arrow"}}))
    train(parts, tmp_path)
    assert "losses.eval.follow.bias" in parts.network.state_dict()
    assert "heads.type.embed.weight" in parts.network.state_dict()


def test_learning_rate_scales_and_schedules_reach_the_groups(tmp_path):
    from rankhub.engine.training import new_optimizer

    phase = {"name": "one", "steps": 10, "lr_scale": {"heads.*": 0.1}, "streams": ["a"]}
    optimizer = {"use": "descent", "lr": 0.5, "momentum": {"use": "ramp", "start": 0.0, "end": 1.0}}
    parts = parts_of(recipe(streams=streams(a=VIEWS), phases=[phase], optimizer=optimizer))
    scheduled = new_optimizer(parts, parts.plans[0])
    rate = scheduled.set(parts.plans[0].clock_at(5))
    assert rate == pytest.approx(0.5 * 0.75)
    by_scale = {group["lr_scale"]: group["lr"] for group in scheduled.optimizer.param_groups}
    assert by_scale == {1.0: pytest.approx(0.375), 0.1: pytest.approx(0.0375)}
    assert {group["momentum"] for group in scheduled.optimizer.param_groups} == {0.5}
    names = {id(p): name for name, p in parts.network.named_parameters()}
    for group in scheduled.optimizer.param_groups:
        for parameter in group["params"]:
            assert group["vector"] == (parameter.ndim <= 1)
            assert (group["lr_scale"] == 0.1) == names[id(parameter)].startswith("heads")


def test_the_teacher_is_the_moving_average(tmp_path):
    phase = {"name": "one", "steps": 6, "streams": ["a"]}
    follow = streams(a={"objectives": [objective("follow")]})
    parts = parts_of(recipe(streams=follow, phases=[phase], average={"decay": 0.0, "use_for": ["teacher"]}))
    training = train(parts, tmp_path)
    ours, theirs = parts.network.state_dict(), training.learner.average.network.state_dict()
    torch.testing.assert_close(theirs["backbone.conv.weight"], ours["backbone.conv.weight"])
    assert int(ours["losses.a.follow.steps"]) == 6


def test_every_component_under_another_name(tmp_path):
    known = catalog()
    new = {
        (c.kind, c.name): f"x{number}"
        for number, c in enumerate(c for plugin in known.plugins for c in plugin.components)
    }

    for name in ("plain", "renamed"):
        (tmp_path / name).mkdir()
    plain = train(parts_of(recipe(**HARD)), tmp_path / "plain")
    body = rename_use(recipe(**HARD).model_dump(), new)
    other = train(parts_of(type(recipe()).model_validate(body), renamed(known, new)), tmp_path / "renamed")
    assert equal({loss_key(key, new): value for key, value in weights(plain).items()}, weights(other))


def loss_key(key, new):
    """A weight's key; that of a loss has the label of its objective, which is the component's name."""
    losses, *stream, label, own = key.split(".")
    return ".".join([losses, *stream, new["loss", label], own]) if losses == "losses" else key


def rename_use(value, new):
    """Every ``use`` under its new name; names of components are unique in the fakes."""
    by_name = {name: to for (_, name), to in new.items()}
    if isinstance(value, dict):
        return {k: by_name[v] if k == "use" else rename_use(v, new) for k, v in value.items()}
    return [rename_use(part, new) for part in value] if isinstance(value, list) else value


def test_batch_statistics_learn_only_from_the_streams_that_are_to_set_them(tmp_path):
    """Of two streams, the running statistics are those that one of them leaves alone."""
    normed = {"use": "flat", "norm": True}

    def statistics(name, **changed):
        phase = {"name": "one", "steps": 4, "streams": list(changed)}
        folder = tmp_path / name
        folder.mkdir()
        still = {"use": "descent", "lr": 1e-12}  # the network stays
        ours = recipe(streams=streams(**changed), phases=[phase], backbone=normed, optimizer=still)
        network = train(parts_of(ours), folder).learner.network
        found = {key: value for key, value in network.state_dict().items() if "running" in key or "tracked" in key}
        assert found
        return found

    alone = statistics("alone", a=LABELED)
    both = statistics("both", a=LABELED, b={**VIEWS, "objectives": [objective("pull")], "statistics": False})
    mixed = statistics("mixed", a=LABELED, b={**VIEWS, "objectives": [objective("pull")]})
    for key, value in alone.items():
        torch.testing.assert_close(both[key], value, rtol=1e-6, atol=1e-8)
    assert not all(torch.allclose(mixed[key].float(), value.float()) for key, value in alone.items())
