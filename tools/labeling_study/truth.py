"""The pool and its true labels, written once from the recipe's own labeled data."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from labeling_study.plan import Plan
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.data import Dataset, OpenContext
from rankhub.labeling.stand_ins import find_stand_ins
from rankhub.recipe.load import load_recipe

IMAGES, LABELS = "pool", "truth.csv"


def write_truth(plan: Plan, out: Path) -> int:
    """Write ``pool/*.png`` and ``truth.csv``, as ``rankhub label ingest`` reads it; returns the number of images.

    Raises:
        UserError: The recipe or its data cannot be used.
        ValueError: The recipe learns from no labels, or there are fewer than the budget; one sentence.
    """
    catalog = Catalog.discover()
    recipe = load_recipe(plan.recipe, plan.overrides, catalog).recipe
    found = find_stand_ins(recipe, catalog, labeled=None, unlabeled=None, test=None, tests=0)
    if found.labeled is None:
        raise ValueError(f"{plan.recipe} learns from no labels")
    dataset: Dataset = catalog.build("dataset", recipe.data[found.labeled])
    dataset.open(OpenContext(out / "cache", 10**9, lambda done, total, what: None))
    if len(dataset) < plan.budget:
        raise ValueError(f"--budget {plan.budget}: data.{found.labeled} has only {len(dataset)} images")
    if (out / LABELS).is_file():
        return len(dataset)
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    lines: list[tuple[object, ...]] = [("path", "x", "y") if dataset.label.kind == "points" else ("path", "score")]
    points, scores = dataset.points(), dataset.labels()
    for index in range(len(dataset)):
        name, image = f"{index:05d}.png", dataset[index].image
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(out / IMAGES / name)
        if points is not None:
            # A point on the far edge, or beyond it, belongs to the last pixel.
            height, width = image.shape[-2:]
            inside = np.clip(points[index][:, :2], 0, (width, height))
            lines += [(name, x, y) for x, y in inside.tolist()] or [(name, "", "")]
        else:
            assert scores is not None
            lines.append((name, float(dataset.label.turned(np.float64(scores[index])))))
    beside = out / f"{LABELS}.partial"
    with beside.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    beside.replace(out / LABELS)
    return len(dataset)
