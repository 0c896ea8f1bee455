"""No ordinary step waits for the device: numbers are read every few steps, and nothing is lost by it."""

from __future__ import annotations

import dataclasses
import io
import math

import pytest
import torch
from helpers import fakes
from helpers.device import BlockingCopies, Reads
from helpers.recipes import load_text
from helpers.training import catalog, equal, objective, parts_of, read_journal, recipe, streams, train, weights

from rankhub import Talk
from rankhub.catalog.catalog import Catalog
from rankhub.engine import run as engine
from rankhub.engine import training
from rankhub.engine.checkpoint import Checkpoints
from rankhub.engine.device import Compute
from rankhub.engine.learner import StepInfo, StreamBatch
from rankhub.engine.parts import Resources, build
from rankhub.engine.step import LossNotFiniteError, take_step
from rankhub.engine.training import new_learner, new_optimizer
from rankhub.interfaces.callback import Callback
from rankhub.interfaces.errors import ComponentError
from rankhub.interfaces.order import RankTarget
from rankhub.recipe.load import load_recipe
from tools.gpu_checks.meta import META

VIEWS = {"generator": [{"use": "jitter", "views": 2}], "objectives": [objective("pull")]}
LABELED = {"batch_size": 4, "objectives": [objective("fit"), objective("follow", weight=0.5)]}
PHASES = [
    {"name": "one", "steps": 23, "streams": ["a"]},
    {"name": "two", "steps": 9, "streams": ["a", "b"]},
]


def rare(every: int | None, **changes):
    """A recipe of two phases that reads its numbers every so many steps."""
    return recipe(
        **{
            "streams": streams(a=VIEWS, b=LABELED),
            "phases": PHASES,
            "clip_grad": 1.0,
            "checkpoint": {"every_epochs": None, "every_steps": 14, "keep": 9},
            "log": {"every_steps": 3, "read_every_steps": every},
            **changes,
        }
    )


def plain(folder):
    """The journal without what depends on the clock."""
    times = ("views_per_s", "data_wait")
    return [{k: v for k, v in line.items() if k not in times} for line in read_journal(folder / "metrics.jsonl")]


def trained(folder, every, **options):
    folder.mkdir(exist_ok=True)
    return train(parts_of(rare(every)), folder, **options)


def test_the_journal_and_the_weights_are_the_same_however_rarely_numbers_are_read(tmp_path):
    often, rarely = trained(tmp_path / "often", None), trained(tmp_path / "rarely", 10)
    assert [line["step"] for line in plain(tmp_path / "rarely")] == list(range(1, 33))
    assert plain(tmp_path / "often") == plain(tmp_path / "rarely")
    assert equal(weights(often), weights(rarely))
    assert all("gradient_norm" in line for line in plain(tmp_path / "rarely"))


@pytest.mark.parametrize("stop", [1, 7, 14, 20, 23, 28])
def test_a_run_that_reads_rarely_stops_anywhere_and_goes_on_with_the_same_bits(tmp_path, stop, monkeypatch):
    whole = trained(tmp_path / "whole", 10)
    step = training.take_step

    def asked(learner, portions, optimizer, info):
        if info.number == stop:
            interrupts[-1].asked = "SIGINT"  # as a signal comes, in the middle of a step
        return step(learner, portions, optimizer, info)

    interrupts = []
    made = training.Training

    def kept(*args, **named):
        found = made(*args, **named)
        interrupts.append(found.interrupt)
        return found

    monkeypatch.setattr(training, "take_step", asked)
    monkeypatch.setattr("helpers.training.Training", kept)
    trained(tmp_path / "cut", 10)
    assert [line["step"] for line in plain(tmp_path / "cut")] == list(range(1, stop + 1))
    monkeypatch.setattr(training, "take_step", step)
    again = trained(tmp_path / "cut", 10, resume=True)
    assert equal(weights(whole), weights(again))
    losses = [[(line["step"], line["loss"]) for line in plain(tmp_path / name)] for name in ("cut", "whole")]
    assert losses[0] == losses[1]


def waits(tmp_path, monkeypatch, every):
    """Step -> the calls in it that read from tensors."""
    found, step = {}, training.take_step

    def counted(learner, portions, optimizer, info):
        with Reads() as reads:
            stepped = step(learner, portions, optimizer, info)
        found[info.number] = dict(reads.found)
        return stepped

    monkeypatch.setattr(training, "take_step", counted)
    trained(tmp_path / "run", every)
    return found


def test_no_ordinary_step_reads_a_number(tmp_path, monkeypatch):
    """Only the first step of a phase, in which guards look at everything, does."""
    found = waits(tmp_path, monkeypatch, 10)
    assert len(found) == 32
    assert {number: calls for number, calls in found.items() if calls and number not in (1, 24)} == {}


def test_reading_at_every_step_is_seen_by_that_count(tmp_path, monkeypatch):
    found = waits(tmp_path, monkeypatch, 1)
    assert all(calls.get("tolist") for calls in found.values())


def test_numbers_are_read_at_the_interval_and_before_what_needs_them(tmp_path, monkeypatch):
    """At step 1 and every tenth, at the checkpoints after 14 and 28, at the ends of epochs and phases."""
    read, seen = training.read, []
    monkeypatch.setattr(training, "read", lambda steps: (seen.append([one.info.number for one in steps]), read(steps)))
    trained(tmp_path / "run", 10)
    ends = [numbers[-1] for numbers in seen if numbers]
    assert sum(map(len, seen)) == 32
    assert ends == [1, 4, 8, 10, 12, 14, 16, 20, 23, 24, 27, 28, 30, 31, 32]  # an epoch is 4 steps


BROKEN = {
    "streams": streams(a={"objectives": [objective("fit", blow_up_at=0.65)]}),
    "phases": [{"name": "one", "steps": 40, "streams": ["a"]}],
    "data": {"train": {"use": "patches", "count": 2400}, "test": {"use": "patches", "count": 10}},
}


def test_a_number_that_is_not_finite_is_found_late_and_never_kept(tmp_path):
    ours = rare(10, **BROKEN, checkpoint={"every_epochs": None, "every_steps": 7, "keep": 9})
    with pytest.raises(LossNotFiniteError) as raised:
        train(parts_of(ours), tmp_path)
    said = str(raised.value)
    assert "a/fit is nan at step 27, which was seen after step 28; no checkpoint has what came of it" in said
    assert "Last good checkpoint: " in said
    assert "step_000000021" in said
    kept = Checkpoints(tmp_path / "checkpoints", 9).all()
    assert [path.name for path in kept] == ["step_000000007", "step_000000014", "step_000000021"]
    assert [line["step"] for line in plain(tmp_path)] == list(range(1, 27))
    assert all(line["loss"] is not None for line in plain(tmp_path))


def test_the_last_step_of_a_run_is_seen_too(tmp_path):
    phases = [{"name": "one", "steps": 3, "streams": ["a"]}]
    with pytest.raises(LossNotFiniteError, match=r"step 3, which was seen after step 3"):
        train(parts_of(rare(10, **{**BROKEN, "phases": phases})), tmp_path)
    assert not Checkpoints(tmp_path / "checkpoints", 9).all()


def test_an_error_that_a_number_of_before_has_caused_is_said_as_that(tmp_path, monkeypatch):
    step = training.take_step

    def fails(learner, portions, optimizer, info):
        if info.number == 29:
            raise ZeroDivisionError
        return step(learner, portions, optimizer, info)

    monkeypatch.setattr(training, "take_step", fails)
    with pytest.raises(LossNotFiniteError, match=r"at step 27, which was seen after step 28"):
        train(parts_of(rare(10, **BROKEN, checkpoint={"every_epochs": None})), tmp_path)


def test_a_strict_run_looks_at_every_step(tmp_path):
    with pytest.raises(ComponentError, match="loss Fit gave total with 1 of 1 not finite") as raised:
        train(parts_of(rare(10, **BROKEN, strict=True)), tmp_path)
    assert "step 27" in str(raised.value.__notes__)
    assert [line["step"] for line in plain(tmp_path)] == list(range(1, 27))


class Asks(Callback):
    """Asks to save after what it is told of step 12."""

    def __init__(self):
        self.told, self.saved = [], []

    def step_logged(self, step, values):
        self.told.append((step, values["loss"]))
        return "save" if step == 12 else None

    def checkpoint_written(self, step, folder):
        self.saved.append((step, [number for number, _ in self.told]))


def test_callbacks_are_told_of_every_step_in_order(tmp_path):
    asks = Asks()
    changes = ["log.read_every_steps=10", "checkpoint.every_steps=null", "checkpoint.every_epochs=null", "evaluate=[]"]
    changes += ["data.train.count=2400", "phases.first.epochs=null", "phases.first.steps=25"]
    engine.start(
        load_text(fakes.RECIPE, changes, catalog()),
        engine.Host(catalog(), Talk(io.StringIO()), {}, [asks]),
        tmp_path / "run",
    )
    assert [step for step, _ in asks.told] == list(range(1, 26))
    assert all(math.isfinite(loss) for _, loss in asks.told)
    assert asks.saved[0] == (20, list(range(1, 21)))  # it was told of step 12 after step 20
    assert asks.saved[-1] == (25, list(range(1, 26)))


OFFICIAL = {
    "s2r2": ["streams.views.batch_size=6"],
    "teacher and crops": [
        "streams.views.batch_size=6",
        "streams.views.generator.random_views.rotation=20",
        "streams.views.generator.random_views.invert=0.3",
        "streams.views.generator.random_views.crops=[{views: 2, size: 16, scale: [0.1, 0.3]}]",
        "average={decay: 0.9, use_for: [teacher]}",
        "clip_grad=1.0",
        "streams.views.accumulate=2",
    ],
}


@pytest.mark.parametrize("which", OFFICIAL)
def test_official_steps_ask_nothing_of_a_device_that_cannot_answer(which):
    """On ``meta`` every reading raises; so do tensors of the CPU where those of the device belong."""
    known = Catalog.discover()
    loaded = load_recipe("quickstart", ["data.photos.placements=1", *OFFICIAL[which]], known)
    parts = build(loaded.recipe, Resources(known, lambda done, total, what: None))
    plan, feed = parts.plans[0], next(iter(parts.feeds.values()))
    learner = new_learner(parts)
    for network in learner.networks:
        network.to(META)
    learner.compute = Compute(META)
    optimizer = new_optimizer(parts, plan)
    with BlockingCopies() as copies:
        for number in range(3):
            batch = feed.chain.on_device(feed.fetch(feed.in_epoch(number)).to(META), 0)
            portion = StreamBatch(
                batch, parts.objectives[plan.phase.name, "views"], loaded.recipe.streams["views"].accumulate
            )
            info = StepInfo(plan.clock_at(number), number + 1, at_once=False)
            stepped = take_step(learner, {"views": portion}, optimizer, info)
    assert copies.found == []
    assert stepped.losses["loss"].device == stepped.losses["gradient"].device == META
    with pytest.raises((RuntimeError, NotImplementedError)):
        training.read([stepped])


def test_a_target_on_a_device_keeps_the_one_it_came_from():
    index = torch.tensor([3, 3, 5, 5])
    target = RankTarget(index, torch.tensor([0, 1, 0, 1]), index, torch.ones(4))
    there = target.to(META)
    assert there.group.device == META
    assert there.on_cpu is target
    assert target.on_cpu is target
    assert there.to(torch.device("cpu")) is target
    changed = dataclasses.replace(there, level=torch.zeros(4, device=META))
    with pytest.raises((RuntimeError, NotImplementedError)):  # what was changed on the device is read from there
        changed.on_cpu  # noqa: B018


def test_a_callback_that_must_be_told_at_once_is(tmp_path):
    """It stops the run at the step that it names, though numbers are read every tenth."""
    changes = ["log.read_every_steps=10", "checkpoint.every_steps=null", "checkpoint.every_epochs=null", "evaluate=[]"]
    changes += ["data.train.count=2400", "phases.first.epochs=null", "phases.first.steps=25"]
    changes += ["callbacks=[{use: stopper, after: 13}]"]
    loaded = load_text(fakes.RECIPE, changes, catalog())
    assert engine.start(loaded, engine.Host(catalog(), Talk()), tmp_path / "run").status == "stopped"
    assert [line["step"] for line in plain(tmp_path / "run")] == list(range(1, 14))
