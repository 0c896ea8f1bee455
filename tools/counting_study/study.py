"""What is measured: the images, the numbers of labels, the seeds, and the variations of the sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from counting_study.settings import Overrides, Settings


@dataclass(frozen=True)
class Images:
    """A folder of images with images of dots; options of the data set ``dot_images``.

    Attributes:
        root: The folder.
        images: Pattern of the images.
        dots: Pattern of the images of dots.
        dot: What marks one object, as ``dot_images`` has it.
        held_out: Test images, the same in all runs; all others are to train on.
        unit: What is counted.
    """

    root: Path
    images: str = "*cell.png"
    dots: str = "*dots.png"
    dot: str = "auto"
    held_out: int = 100
    unit: str = "cells"

    def data(self, **options: Any) -> Overrides:
        """As a data set of a recipe."""
        return {"use": "dot_images", "root": str(self.root), **self._names(), "held_out": self.held_out, **options}

    def linked(self, place: Path) -> Overrides:
        """All images of a folder of links to some of them."""
        return {"use": "dot_images", "root": str(place), **self._names(), "part": "all"}

    def _names(self) -> Overrides:
        return {"images": self.images, "dots": self.dots, "dot": self.dot, "unit": self.unit}


@dataclass(frozen=True)
class Variation:
    """A line of the sweep's table.

    Attributes:
        name: Of the run, and what is changed, in words.
        changes: Fields of the settings.
        method: The method.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    method: str = "multitask"


ONE_SCALE: Overrides = {"count": 2, "smallest": 96, "largest": 96, "flip": 0.5}
WIDE: Overrides = {"count": 2, "smallest": 64, "largest": 224, "flip": 0.5}

SWEEP = (
    Variation("supervised only", method="supervised"),
    Variation("supervised only, labeled crops of one scale", {"labeled_crops": ONE_SCALE}, "supervised"),
    Variation("supervised only, labeled crops of many scales", {"labeled_crops": WIDE}, "supervised"),
    Variation("multi-task as set"),
    Variation("weight 1", {"weight": 1.0}),
    Variation("weight 10", {"weight": 10.0}),
    Variation("ranked by count", {"output": "count"}),
    Variation("margin 0.1", {"margin": 0.1}),
    Variation("labeled crops of one scale", {"labeled_crops": ONE_SCALE}),
    Variation("labeled crops of many scales", {"labeled_crops": WIDE}),
    Variation("nested crops close in size", {"nested_crops": {"crops": 4, "scale": 0.8, "flip": 0.5}}),
    Variation("nested crops far apart", {"nested_crops": {"crops": 4, "scale": 0.4, "flip": 0.5}}),
    Variation("ranked: the labeled images alone", {"unlabeled": "labeled"}),
    Variation("ranked: 4 images a step", {"ranked_images": 4}),
    Variation("batch statistics of both streams", {"ranked_statistics": True}),
)
"""One thing changed at a time, against "multi-task as set"; crops of the labeled stream against supervised training."""

SWEEP_LABELS = 8
SWEEP_SEED = 0


@dataclass(frozen=True)
class Study:
    """A measurement.

    Attributes:
        images: The images.
        out: Where all is written.
        settings: Of every run.
        labels: Numbers of labeled images.
        seeds: Seeds, each with its own labeled images, the same for all methods; those of a smaller number are among
            those of a larger one.
        threads: CPU threads of a run.
    """

    images: Images
    out: Path
    settings: Settings = field(default_factory=Settings)
    labels: tuple[int, ...] = (4, 8, 16, 32)
    seeds: tuple[int, ...] = (0, 1, 2)
    threads: int = 1
