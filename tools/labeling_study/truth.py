"""The pool and its true labels, written once from the recipe's own labeled data."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

import rankhub
from labeling_study.plan import Plan
from rankhub.interfaces.data import Dataset, OpenContext
from rankhub.interfaces.draws import Draws
from rankhub_active.labeling.settings import Wishes
from rankhub_active.labeling.stand_ins import find_stand_ins

IMAGES, LABELS = "pool", "truth.csv"


def write_truth(plan: Plan, out: Path) -> int:
    """Write ``pool/*.png`` and ``truth.csv``, as ``rankhub label ingest`` reads it; returns the number of images.

    Raises:
        UserError: The recipe or its data cannot be used.
        ValueError: The recipe learns from no labels, or there are fewer than the budget; one sentence.
    """
    recipe = rankhub.load_recipe(plan.recipe, plan.overrides)
    found = find_stand_ins(recipe, Wishes(out / IMAGES))
    if found.labeled is None:
        raise ValueError(f"{plan.recipe} learns from no labels")
    dataset: Dataset = rankhub.build("dataset", recipe.resolved()["data"][found.labeled])
    dataset.open(OpenContext(out / "cache", 10**9, lambda done, total, what: None))
    if plan.patches is not None and dataset.label.kind != "points":
        raise ValueError(f"--patches: what data.{found.labeled} says of whole images is not known of parts of them")
    count = len(dataset) * (1 if plan.patches is None else plan.patches[1])
    if count < plan.budget:
        raise ValueError(f"--budget {plan.budget}: data.{found.labeled} gives a pool of only {count} {plan.pieces}")
    if (out / LABELS).is_file():
        return count
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    beside = out / f"{LABELS}.partial"
    with beside.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "x", "y") if dataset.label.kind == "points" else ("path", "score"))
        points, scores = dataset.points(), dataset.labels()
        for index in range(len(dataset)):
            image = dataset[index].image
            if points is None:
                assert scores is not None
                name = _save(out / IMAGES, f"{index:05d}", image)
                writer.writerow((name, float(dataset.label.turned(np.float64(scores[index])))))
                continue
            for number, (part, inside) in enumerate(_parts(image, points[index][:, :2], index, plan.patches)):
                name = _save(out / IMAGES, f"{index:05d}" if plan.patches is None else f"{index:05d}_{number}", part)
                writer.writerows([(name, x, y) for x, y in inside.tolist()] or [(name, "", "")])
    beside.replace(out / LABELS)
    return count


def _save(place: Path, name: str, image: Tensor) -> str:
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(place / f"{name}.png")
    return f"{name}.png"


def _parts(
    image: Tensor, points: npt.NDArray[np.float64], index: int, patches: tuple[int, int] | None
) -> Iterator[tuple[Tensor, npt.NDArray[np.float64]]]:
    """The image, or squares of it that do not overlap, drawn at random; each with the points inside it.

    Raises:
        ValueError: The image has fewer such squares than are wanted; one sentence.
    """
    height, width = image.shape[-2:]
    # A point on the far edge, or beyond it, belongs to the last pixel.
    points = np.clip(points, 0, np.nextafter((width, height), 0))
    if patches is None:
        yield image, points
        return
    side, wanted = patches
    corners = [(y, x) for y in range(0, height - side + 1, side) for x in range(0, width - side + 1, side)]
    if len(corners) < wanted:
        raise ValueError(
            f"--patches {side} {wanted}: an image of {width} x {height} pixels has only {len(corners)} such squares"
        )
    for number in Draws(0, "patches", index).shuffled(len(corners))[:wanted].tolist():
        y, x = corners[number]
        inside = points[((points >= (x, y)) & (points < (x + side, y + side))).all(axis=1)]
        yield image[:, y : y + side, x : x + side], inside - (x, y)
