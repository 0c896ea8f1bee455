"""A tiny world for runs: scored images, photos, a recipe; and what a run in it has come to."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from fault_kinds.child import CommandEnd, rankhub

RECIPE = """
name: tiny
seed: 3
device: cpu
threads: 1
data:
  labeled: {use: scored_csv, root: data, higher_is_better: true, part: train, held_out: 0.34}
  test: {like: labeled, part: held_out}
  photos: {use: image_folder, root: photos, cache: always}
backbone: {use: timm, model: test_resnet, stem: small}
heads:
  score: {use: score, dropout: 0.2}
optimizer: {use: adamw, lr: 2.0e-3}
schedule: {use: cosine}
average: {decay: 0.9}
streams:
  labeled:
    data: labeled
    batch_size: 4
    generator: [{use: random_crops, size: 16}]
    objectives: [{use: mse, head: score}]
  ranked:
    data: photos
    batch_size: 2
    generator: [{use: distortions, set: [{kind: gaussian_blur, levels: [1, 4]}]}, {use: random_crops, size: 16}]
    objectives: [{use: margin_ranking, head: score}]
epochs: 5
clock: labeled
predict: {use: crops, count: 2, size: 16}
evaluate:
- {use: quality, data: test}
evaluate_every_epochs: 1
keep_best: quality.rmse
checkpoint: {every_epochs: null, every_steps: 3, keep: 2}
loader: {cache: cache}
"""
PACKAGES = ("rankhub", "rankhub_tables", "rankhub_data", "rankhub_quality", "rankhub_counting", "rankhub_active")
STEPS = 10
START = ("run", "tiny.yaml", "--out", "run")
RESUME = ("run", "--resume", "run")
PREDICT = ("predict", "run", "photos", "--out", "answers.csv")
_TIMES = {"views_per_s", "data_wait"}


@dataclass(frozen=True)
class FaultType:
    """A kind of fault.

    Attributes:
        name: As in ``--kind``.
        count: How many a whole campaign has.
        attempt: Tries one; returns what was done, and what is wrong with the outcome, None if it is as it must be.
        part: How many the part for CI has.
        runs: Whether it needs the undisturbed runs.
    """

    name: str
    count: int
    attempt: Callable[[World, Path, Random, int], tuple[str, str | None]]
    part: int
    runs: bool = True


@dataclass
class World:
    """What is made once, before any fault.

    Attributes:
        home: The folder of it; ``home / "fresh"`` has the data and the recipe alone, ``home / "half"`` a run that was
            killed in its middle as well, ``home / "whole"`` one that has ended.
        start: The undisturbed run.
        result: What it came to, see :func:`result_of`.
        predicted: The undisturbed `predict`.
        answers: The file that it wrote.
    """

    home: Path
    start: CommandEnd = field(default_factory=lambda: CommandEnd(0, "", "", 0.0))
    result: dict[str, Any] = field(default_factory=dict)
    predicted: CommandEnd = field(default_factory=lambda: CommandEnd(0, "", "", 0.0))
    answers: bytes = b""

    def at(self, state: str, to: Path) -> Path:
        """A copy of one of its states, times of files included."""
        return shutil.copytree(self.home / state, to, symlinks=True)


def noise(seed: int, height: int = 20, width: int = 24) -> np.ndarray:
    """[H, W, 3] uint8: smooth, such that blur can be seen."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def make(home: Path, runs: bool) -> World:
    """Make the world; ``runs``: with its undisturbed runs."""
    from fault_kinds.child import Trap, warm

    shutil.rmtree(home, ignore_errors=True)
    world, fresh = World(home), home / "fresh"
    for name, count, first in (("data", 12, 0), ("photos", 8, 50)):
        (fresh / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(noise(first + number)).save(fresh / name / f"{number:02}.png")
    rows = [("path", "score"), *((f"{number:02}.png", f"{number * 7 % 12 / 2 + 1}") for number in range(12))]
    with (fresh / "data/labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (fresh / "tiny.yaml").write_text(RECIPE)
    warm(PACKAGES, world.at("fresh", home / "warm"), *((START, PREDICT) if runs else ()))
    if not runs:
        return world
    whole = world.at("fresh", home / "whole")
    world.start = _well(rankhub(START, whole))
    world.result = result_of(whole)
    world.predicted = _well(rankhub(PREDICT, whole))
    world.answers = (whole / "answers.csv").read_bytes()
    (whole / "answers.csv").unlink()
    half, events = world.at("fresh", home / "half"), world.start.events
    done = next(n for n, event in enumerate(events, 1) if event.endswith("checkpoints/step_000000006") and n > 1)
    killed = rankhub(START, half, Trap("event", done + 4, "SIGKILL"))
    if killed.code != -9 or not (half / "run/checkpoints/step_000000006").is_dir():
        raise RuntimeError(f"the run that was to be killed after its second checkpoint ended otherwise: {killed}")
    return world


def _well(ended: CommandEnd) -> CommandEnd:
    if (wrong := ended.wrong(0)) is not None:
        raise RuntimeError(f"without any fault: {wrong}")
    return ended


def result_of(root: Path, run: str = "run") -> dict[str, Any]:
    """What a run has come to: checkpoints and the digests of their weights, the metrics, the closing table."""
    folder = root / run
    weights = {
        f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("checkpoints/*/*.safetensors"))
        if path.parent.suffix != ".damaged"  # set aside, and said
    }
    metrics = [line_of(line) for line in (folder / "metrics.jsonl").read_text(errors="replace").splitlines()]
    return {"weights": weights, "metrics": metrics, "table": (folder / "results.csv").read_bytes()}


def line_of(line: str) -> dict[str, Any]:
    """A line of the metrics without its times; how often a step is logged in full depends on where a run began."""
    try:
        found = json.loads(line)
        return {key: value for key, value in found.items() if key not in _TIMES}
    except (ValueError, AttributeError):
        return {"torn": line[:80]}


def differs(world: World, root: Path, run: str = "run") -> str | None:
    """How a run's result differs from the undisturbed one's; None if it does not."""
    try:
        found = result_of(root, run)
    except OSError as error:
        return f"the run said it was done, but {error}"
    if found["weights"] != world.result["weights"]:
        names = set(found["weights"].items()) ^ set(world.result["weights"].items())
        return f"OTHER WEIGHTS: {', '.join(sorted({name for name, _ in names}))}"
    for ours, theirs in zip(found["metrics"], world.result["metrics"], strict=False):
        if any(ours[key] != theirs[key] for key in ours.keys() & theirs.keys()) or not ours.keys() & theirs.keys():
            return f"OTHER METRICS: {ours} in place of {theirs}"
    if len(found["metrics"]) != len(world.result["metrics"]):
        return f"OTHER METRICS: {len(found['metrics'])} lines in place of {len(world.result['metrics'])}"
    return "ANOTHER TABLE" if found["table"] != world.result["table"] else None


def unsaid(world: World, root: Path, file: Path, said: str) -> str | None:
    """As :func:`differs`, of a run that went on with a damaged file: of the metrics, which are a record, lines may.

    That a line is missing, or foreign, is to be said.
    """
    found = differs(world, root)
    if found is None or not (found.startswith("OTHER METRICS") and file.name == "metrics.jsonl"):
        return found and f"unsaid: {found}"
    steps = [line.get("step") for line in result_of(root)["metrics"]]
    return None if file.name in said or steps == list(range(1, STEPS + 1)) else f"unsaid: {found}"


def finish(world: World, root: Path) -> str | None:
    """Resume until done, as a user would; what is wrong with it, None if it comes to the undisturbed result."""
    resumed = rankhub(RESUME, root)
    begun = (root / "run/recipe.resolved.yaml").exists()
    if begun or resumed.code != 2:
        return resumed.wrong(0) or differs(world, root)
    # It was stopped before there was a run: that is said, and nothing is lost by beginning again.
    if (wrong := resumed.wrong(2)) is not None:
        return wrong
    shutil.rmtree(root / "run", ignore_errors=True)
    return rankhub(START, root).wrong(0) or differs(world, root)
