"""What a run keeps, damaged by a bit, and the data and the recipe that it stands on, changed before it is resumed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from PIL import Image

from fault_kinds.child import rankhub
from fault_kinds.world import PREDICT, RESUME, FaultType, World, differs, noise, unsaid

_KEPT = (
    "run/checkpoints/step_000000006/model.safetensors",
    "run/checkpoints/step_000000006/optimizer.pt",
    "run/checkpoints/step_000000006/average.safetensors",
    "run/checkpoints/step_000000006/state.json",
    "run/checkpoints/step_000000003/*",
    "run/checkpoints/best_step_*/*",
    "run/metrics.jsonl",
    "run/lock.json",
    "run/labels.json",
    "run/recipe.resolved.yaml",
    "cache/image_folder/*/*",
)


def flip(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """A flipped bit in a file of a run that goes on, or of one that answers: said, mended, or without effect."""
    predicts = number % 4 == 3
    work = world.at("whole" if predicts else "half", root / "work")
    pattern = "run/labels.json" if predicts and number % 8 == 3 else _KEPT[number % len(_KEPT)]
    if predicts and "labels" not in pattern:
        pattern = "run/checkpoints/step_000000010/*"
    files = sorted(path for path in work.glob(pattern) if path.is_file())
    file = draw.choice(files)
    content = bytearray(file.read_bytes())
    at, bit = draw.randrange(len(content)), draw.randrange(8)
    content[at] ^= 1 << bit
    file.write_bytes(content)
    done = f"{'predict' if predicts else 'resume'}, bit {bit} of byte {at} of {file.relative_to(work)}"
    ended = rankhub(PREDICT if predicts else RESUME, work)
    if (wrong := ended.wrong(0, 2)) is not None or ended.code == 2:
        return done, wrong
    if predicts:
        same = (work / "answers.csv").read_bytes() == world.answers
        return done, None if same or "the one before is taken" in ended.said else "OTHER ANSWERS, unsaid"
    return done, unsaid(world, work, file, ended.said)


def _labels(change: Callable[[list[str], Random], list[str]]) -> Callable[[Path, Random], None]:
    def act(work: Path, draw: Random) -> None:
        file = work / "data/labels.csv"
        header, *rows = file.read_text().splitlines()
        file.write_text("\n".join([header, *change(rows, draw)]) + "\n")

    return act


def _other_value(rows: list[str], draw: Random) -> list[str]:
    at = draw.randrange(len(rows))
    name, value = rows[at].split(",")
    return [*rows[:at], f"{name},{float(value) * 100}", *rows[at + 1 :]]


def _swapped(rows: list[str], draw: Random) -> list[str]:
    one, other = draw.sample(range(len(rows)), 2)
    pairs = [row.split(",") for row in rows]
    if pairs[one][1] == pairs[other][1]:
        return _other_value(rows, draw)
    pairs[one][1], pairs[other][1] = pairs[other][1], pairs[one][1]
    return [",".join(pair) for pair in pairs]


def _without_one(rows: list[str], draw: Random) -> list[str]:
    at = draw.randrange(len(rows))
    return rows[:at] + rows[at + 1 :]


def _all_scaled(rows: list[str], draw: Random) -> list[str]:
    return [f"{name},{float(value) * 20}" for name, value in (row.split(",") for row in rows)]


def _new_image(work: Path, draw: Random) -> None:
    Image.fromarray(noise(draw.randrange(1000, 9999))).save(work / "photos/new.png")


def _new_row(work: Path, draw: Random) -> None:
    Image.fromarray(noise(draw.randrange(1000, 9999))).save(work / "data/new.png")
    with (work / "data/labels.csv").open("a") as file:
        file.write("new.png,3.5\n")


def _on_image(folder: str, act: Callable[[Path, Random], object]) -> Callable[[Path, Random], object]:
    return lambda work, draw: act(draw.choice(sorted((work / folder).glob("*.png"))), draw)


def _other_pixels(image: Path, draw: Random) -> None:
    Image.fromarray(noise(draw.randrange(1000, 9999), 24, 28)).save(image)


def _recipe(pattern: str, by: str) -> Callable[[Path, Random], None]:
    def act(work: Path, draw: Random) -> None:
        file = work / "run/recipe.resolved.yaml"
        text, count = re.subn(pattern, by, file.read_text(), count=1)
        if not count:
            raise RuntimeError(f"the resolved recipe has no {pattern}")
        file.write_text(text)

    return act


_CHANGES: dict[str, Callable[[Path, Random], object]] = {
    "a score times 100": _labels(_other_value),
    "two scores swapped": _labels(_swapped),
    "a row of scores taken out": _labels(_without_one),
    "all scores on another scale": _labels(_all_scaled),
    "a scored image added": _new_row,
    "a scored image replaced": _on_image("data", _other_pixels),
    "a scored image deleted": _on_image("data", lambda image, draw: image.unlink()),
    "an image added": _new_image,
    "an image replaced": _on_image("photos", _other_pixels),
    "an image deleted": _on_image("photos", lambda image, draw: image.unlink()),
    "an image renamed": _on_image("photos", lambda image, draw: shutil.move(image, image.with_name("zz.png"))),
    "recipe: lr": _recipe(r"lr: 0\.002", "lr: 0.02"),
    "recipe: batch size": _recipe("batch_size: 4", "batch_size: 2"),
    "recipe: seed": _recipe("seed: 3", "seed: 4"),
    "recipe: epochs": _recipe("epochs: 5", "epochs: 6"),
    "recipe: dropout": _recipe(r"dropout: 0\.2", "dropout: 0.3"),
    "recipe: another folder": _recipe("root: photos", "root: data"),
}


def change(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """Data or recipe changed between start and resume: refused in a sentence, and nothing is written."""
    work = world.at("half", root / "work")
    if number % 10 == 9:  # what has not changed is not refused
        shutil.copy(work / "data/labels.csv", work / "again.csv")
        (work / "again.csv").replace(work / "data/labels.csv")
        return "nothing changed", rankhub(RESUME, work).wrong(0) or differs(world, work)
    name = sorted(_CHANGES)[number % len(_CHANGES)]
    _CHANGES[name](work, draw)
    before = _state(work)
    ended = rankhub(RESUME, work)
    if (wrong := ended.wrong(2)) is not None:
        return name, f"not refused: {wrong}"
    return name, None if _state(work) == before else "refused, yet the run's record was changed"


def _state(work: Path) -> list[tuple[str, int]]:
    """The weights and the metrics that are there."""
    files = [*work.glob("run/checkpoints/*/*"), work / "run/metrics.jsonl"]
    return sorted((str(path), path.stat().st_size) for path in files)


KINDS = [FaultType("bits", 40, flip, 4), FaultType("changes", 40, change, 4)]
