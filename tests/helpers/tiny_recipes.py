"""Tiny data in the layouts that the shipped recipes read, and changes that make each recipe small."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from helpers import counting_layouts, scored_layouts
from PIL import Image

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.load import load_recipe

SCORED = ("live", "tid2013", "kadid10k", "koniq10k", "scored_csv")
FEW = ("shanghaitech", "ucf_qnrf")
"""Data sets whose tiny layout has two or three images to train on."""
COUNTED = ("ucf_cc_50", "ucf_qnrf", "points")
SMALL = {
    "random_crops": {"size": 32},
    "scaled_crops": {"size": 32, "smallest": 16, "largest": 40},
    "nested_crops": {"size": 32, "smallest": 8},
    "digits": {"placements": 1},
    "distorted_photos": {"labels": 8, "per_photo": 4},
    "drawn_scenes": {"labels": 8, "images": 16},
}
"""Options of generators that suit tiny images, and of data sets that make few."""
QUICK = ["streams.views.batch_size=8", "data.photos.placements=1"]
"""Changes of ``quickstart`` by which a step is soon done."""


def make_data(root: Path) -> None:
    """Make it, below ``root``."""
    generator = np.random.default_rng(0)
    stl10 = root / "stl10_binary"
    stl10.mkdir(parents=True)
    for split, count in (("train", 20), ("test", 20), ("unlabeled", 40)):
        generator.integers(0, 256, (count, 3, 96, 96), np.uint8).tofile(stl10 / f"{split}_X.bin")
        if split != "unlabeled":
            (np.arange(count, dtype=np.uint8) % 10 + 1).tofile(stl10 / f"{split}_y.bin")
    (stl10 / "class_names.txt").write_text("\n".join(f"class{n}" for n in range(10)) + "\n")
    (stl10 / "fold_indices.txt").write_text("\n".join(" ".join(map(str, range(10))) for _ in range(10)) + "\n")
    for folder, classes in (("photos", 3), ("photos/val", 3), ("coco/train2017", 0), ("coco/val2017", 0)):
        for number in range(60):
            target = root / folder / (f"class{number % classes}" if classes else "")
            target.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (70 + number % 9, 90, 3), np.uint8)
            Image.fromarray(pixels).save(target / f"{number:012d}.jpg")
    for name in SCORED:
        getattr(scored_layouts, name)(root / name)
    for name in COUNTED:
        getattr(counting_layouts, name)(root / name)
    for subset in "AB":
        counting_layouts.shanghaitech(root / "shanghaitech", f"part_{subset}_final")


@contextlib.contextmanager
def small_photos() -> Iterator[None]:
    """Let data sets whose images have a known number and size take these."""
    with contextlib.ExitStack() as stack:
        for path, value in scored_layouts.SIZES.items():
            stack.enter_context(mock.patch(path, value))
        yield


def shrink(recipe, data):
    """Overrides that make a recipe small: two steps, few images, the smallest network."""
    given = load_recipe(recipe, [], Catalog.discover()).recipe
    changes = ["backbone.model=test_resnet", "evaluate_every_epochs=null", "loader.workers=0"]
    folders = {"stl10": data, "image_folder": data / "photos", "coco": data / "coco"}
    folders |= {name: data / name for name in (*SCORED, *COUNTED, "shanghaitech")}
    if given.backbone.options.get("pretrained"):
        changes.append("backbone.pretrained=false")
    if bare(given.predict.use) == "crops":
        changes += ["predict.size=32", "predict.count=2"]
    roots = {name: folders.get(bare(spec.use)) for name, spec in given.data.items()}
    changes += [f"data.{name}.root={root}" for name, root in roots.items() if root is not None]
    for name, spec in given.data.items():
        changes += [f"data.{name}.{option}={value}" for option, value in SMALL.get(bare(spec.use), {}).items()]
    changes += [f"evaluate.{number}.grid=[1.0]" for number, spec in enumerate(given.evaluate) if "grid" in spec.options]
    changes += [f"phases.{phase.name}.steps=2" for phase in given.phases]
    for phase in given.phases:
        changes += [f"phases.{phase.name}.streams.{name}.batch_size=null" for name in phase.streams]
    for name, stream in given.streams.items():
        most = 2 if bare(given.data[stream.data].use) in FEW else 8
        changes.append(f"streams.{name}.batch_size={min(most, stream.batch_size)}")
        for step in map(bare, (step.use for step in stream.generator)):
            at = f"streams.{name}.generator.{step}"
            changes += [f"{at}.{option}={value}" for option, value in SMALL.get(step, {}).items()]
    return changes


def bare(use):
    """A component's name without its plugin's."""
    return use.rpartition("/")[2]
