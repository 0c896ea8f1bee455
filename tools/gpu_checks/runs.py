"""Whole runs on the device: training in bf16, resuming, waiting, the estimate of memory, all recipes."""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch

from gpu_checks.findings import Bench, must
from gpu_checks.meta import META, standing_in

DIGITS = ["evaluate=[]", "evaluate_every_epochs=null", "data.photos.placements=1", "epochs=null"]
"""The quickstart, as a run that only trains."""


def digits(bench: Bench, steps: int, *changes: str) -> Any:
    """The quickstart's recipe on the device."""
    import rankhub

    return rankhub.load_recipe("quickstart", [*DIGITS, f"steps={steps}", f"device={bench.device}", *changes])


def losses_of(folder: Path) -> list[float]:
    """By step, as the journal has them; it must have each step once, in order."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines]
    must(steps == list(range(1, len(steps) + 1)), f"the journal has the steps {steps[:5]} ... {steps[-3:]}")
    return [line["loss"] for line in lines]


def trains_in_bf16(bench: Bench) -> dict[str, Any]:
    """In bfloat16, channels-last, with clipping and a moving average, the loss goes down as in float32, or nearly."""
    import rankhub

    steps = 30 if bench.short else 150
    tenth, ends = max(3, steps // 10), dict[str, tuple[float, float]]()
    for precision in ("fp32", "bf16"):
        changes = [f"precision={precision}", "channels_last=true", "clip_grad=1.0", "average={decay: 0.9}"]
        rankhub.train(digits(bench, steps, *changes), bench.folder / precision, progress=False)
        losses = losses_of(bench.folder / precision)
        must(all(map(math.isfinite, losses)), f"a loss in {precision} is not finite")
        ends[precision] = statistics.mean(losses[:tenth]), statistics.mean(losses[-tenth:])
    (begun, ended), (first, last) = ends["fp32"], ends["bf16"]
    must(ended < begun, f"the loss went from {begun:.4f} to {ended:.4f} in {steps} steps of float32")
    must(
        first - last > 0.5 * (begun - ended),
        f"the loss went from {first:.4f} to {last:.4f} in {steps} steps, in float32 from {begun:.4f} to {ended:.4f}",
    )
    return {"steps": steps, "first": round(first, 4), "last": round(last, 4), "last in float32": round(ended, 4)}


def resumes(bench: Bench) -> dict[str, Any]:
    """A run that is stopped and goes on has the steps and the losses of one that is not; bit for bit on the CPU."""
    import rankhub
    from rankhub.interfaces.callback import Callback

    class Stop(Callback):
        def step_logged(self, step: int, values: Any) -> Literal["stop"] | None:
            return "stop" if step == 7 else None

    steps, recipe = 16 if bench.short else 40, ["checkpoint.every_epochs=null", "optimizer.lr=0.0005"]
    runs = [
        rankhub.train(digits(bench, steps, *recipe), bench.folder / name, progress=False, callbacks=callbacks)
        for name, callbacks in (("whole", []), ("cut", [Stop()]))
    ]
    must(runs[1].stopped, "the run did not stop")
    before = len(losses_of(bench.folder / "cut"))
    rankhub.resume(bench.folder / "cut", device=str(bench.device), progress=False)
    whole, cut = (losses_of(bench.folder / name) for name in ("whole", "cut"))
    must(len(whole) == len(cut) == steps, f"it has {len(cut)} steps, not {steps}")
    difference = max(abs(one - other) / abs(one) for one, other in zip(whole, cut, strict=True))
    must(difference <= (0.02 if bench.cuda else 0.0), f"losses differ by {difference:.1e} of those of a whole run")
    return {"stopped after": before, "steps": steps, "largest difference of a loss": difference}


def waits_for_nothing(bench: Bench) -> dict[str, Any]:
    """Ordinary steps synchronize with the device nowhere: on CUDA torch raises where one does, on the CPU ``meta``."""
    from rankhub.engine.device import Compute
    from rankhub.engine.learner import StepInfo
    from rankhub.engine.parts import Resources, build
    from rankhub.engine.step import take_step
    from rankhub.engine.training import new_learner, new_optimizer, stream_batch

    device = bench.device if bench.cuda else META
    loaded = digits(bench, 40, "streams.views.batch_size=16", "clip_grad=1.0", "average={decay: 0.9}")
    parts = build(loaded.recipe, Resources(loaded.catalog, lambda done, total, what: None))
    plan, feed, learner = parts.plans[0], parts.feeds[parts.plans[0].phase.name, "views"], new_learner(parts)
    for network in learner.networks:
        network.to(device)
    learner.compute = Compute(device, torch.bfloat16 if bench.cuda else None, learner.compute.channels_last)
    optimizer, steps = new_optimizer(parts, plan), 12

    def step(number: int) -> None:
        batch = feed.chain.on_device(feed.fetch(feed.in_epoch(number)).to(device), 0)
        info = StepInfo(plan.clock_at(number), number + 1, at_once=False)
        take_step(learner, {"views": stream_batch(parts, plan, "views", batch)}, optimizer, info)

    if bench.cuda:  # libraries choose and allocate
        step(0)
        step(1)
    with _no_waiting(bench):
        for number in range(2, steps):
            step(number)
    return {"steps": steps - 2, "watched on": device.type}


@contextlib.contextmanager
def _no_waiting(bench: Bench) -> Iterator[None]:
    """Whatever waits for the GPU raises, inside."""
    if not bench.cuda:
        with standing_in():
            yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def estimates_memory(bench: Bench) -> dict[str, Any]:
    """What a run says before it starts that training will hold, and what it then holds at its peak (CUDA)."""
    import rankhub

    recipe = digits(bench, 12)
    expected = max(cost.memory for cost in rankhub.estimate(recipe, progress=False).costs)
    larger = digits(bench, 12, "streams.views.batch_size=128")
    twice = max(cost.memory for cost in rankhub.estimate(larger, progress=False).costs)
    must(1.2 < twice / expected < 2.2, f"for twice the images it expects {twice / expected:.2f} times the memory")
    figures: dict[str, Any] = {
        "expected MB": round(expected / 2**20, 1),
        "of twice the images": round(twice / 2**20, 1),
    }
    if bench.cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(bench.device)
        before = torch.cuda.memory_allocated(bench.device)
        rankhub.train(recipe, bench.folder / "memory", progress=False)
        peak = torch.cuda.max_memory_allocated(bench.device) - before
        figures["peak MB"] = round(peak / 2**20, 1)
        must(0.5 < peak / expected < 2.0, f"it holds {peak / 2**20:.0f} MB, expected {expected / 2**20:.0f} MB")
    return figures


SHORT = ("quickstart", "dino_stl10", "quality_multitask", "counting_multitask")


def all_recipes(bench: Bench) -> dict[str, Any]:
    """Every recipe that comes along trains two steps on made data; the short form takes one of each family."""
    tests = Path(__file__).resolve().parents[2] / "tests"
    if str(tests) not in sys.path:
        sys.path.append(str(tests))
    from helpers import tiny_recipes  # type: ignore[import-not-found]

    import rankhub

    home, cached = bench.folder / "data", os.environ.get("HOME")
    tiny_recipes.make_data(home)
    os.environ["HOME"] = str(home)  # where caches go
    try:
        with tiny_recipes.small_photos():
            names = [one.name for one in rankhub.list_recipes() if not bench.short or one.name in SHORT]
            for name in names:
                changes = [*tiny_recipes.shrink(name, home), f"device={bench.device}", "log.read_every_steps=2"]
                out = bench.folder / "recipes" / name
                try:
                    rankhub.train(rankhub.load_recipe(name, changes), out, progress=False)
                except Exception as error:
                    error.add_note(f"recipe {name}")
                    raise
                must(len(losses_of(out)) >= 2, f"{name} did not train two steps")
    finally:
        os.environ.update({} if cached is None else {"HOME": cached})
    return {"recipes": len(names)}
