"""What is measured: methods, what each changes in its recipe, and the settings that are tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Overrides = dict[str, Any]
"""Dotted path of a recipe -> value."""

CROP = 96
"""Side of all crops in pixels."""
LABELED = "streams.labeled"
RANKED = "streams.ranked"
RANKING = f"{RANKED}.objectives.margin_ranking"

NORMS = ("backbone.*bn*", "backbone.*conv1.1.*", "backbone.*conv1.4.*", "backbone.*downsample.2.*")
"""The BatchNorm layers of ``test_resnet``."""


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        title: In table and figure.
        recipe: The shipped recipe it starts from.
        uses_labels: Whether it has a labeled stream, so that folds and shares of the labels matter.
        uses_ranks: Whether it has a ranked stream.
        after_ranking: Whether it starts from the weights of the ranking run of its seed and does the remaining steps.
        tried: Dotted path -> choices; trial n takes the n-th of each, and all methods have equally many.
    """

    title: str
    recipe: str
    uses_labels: bool = True
    uses_ranks: bool = False
    after_ranking: bool = False
    tried: Mapping[str, tuple[Any, ...]] | None = None

    def setting(self, trial: int) -> Overrides:
        """The overrides of a trial."""
        return {path: choices[trial] for path, choices in (self.tried or {}).items()}

    @property
    def trials(self) -> int:
        """How many settings are tried; 0 where nothing is chosen."""
        return len(next(iter(self.tried.values()))) if self.tried else 0


_WEIGHT = f"{RANKING}.weight"

METHODS: Mapping[str, Method] = {
    "supervised": Method(
        "supervised only",
        "quality_supervised",
        tried={"optimizer.lr": (3e-3, 1e-3)},
    ),
    "ranking": Method("ranking only (no label)", "quality_ranking", uses_labels=False, uses_ranks=True),
    "finetune": Method(
        "ranking, then fine-tuning",
        "quality_supervised",
        after_ranking=True,
        tried={"optimizer.lr": (3e-3, 1e-3)},
    ),
    "alternating": Method(
        "ranking, then alternating",
        "quality_alternating",
        uses_ranks=True,
        after_ranking=True,
        tried={_WEIGHT: (1.0, 0.3)},
    ),
    "multitask": Method(
        "ranking, then multi-task",
        "quality_multitask",
        uses_ranks=True,
        after_ranking=True,
        tried={_WEIGHT: (1.0, 0.3)},
    ),
}


@dataclass(frozen=True)
class Study:
    """The data and the size of a measurement.

    Attributes:
        live: Folder of scored images with ``labels.csv``.
        photos: Folder of unlabeled photos, those that are references left out.
        out: Where all is written.
        steps: Optimiser steps of every method with labels, those of the ranking phase that it starts from included.
        ranking_steps: Steps of that phase, after which ranking only stops.
        threads: CPU threads of a run.
        crops: Crops of an image at test time.
        references: How many references there are, which is the number of folds.
    """

    live: Path
    photos: Path
    out: Path
    steps: int = 1600
    ranking_steps: int = 1300
    threads: int = 1
    crops: int = 20
    references: int = 4

    def overrides(self, method: Method, steps: int, seed: int) -> Overrides:
        """What all runs of a method share."""
        values: Overrides = {
            "backbone": {"use": "timm", "model": "test_resnet"},
            "data.scored": self.scored(),
            "data.pristine": {"use": "image_folder", "root": str(self.photos), "part": "train"},
            "optimizer": {"use": "adamw", "lr": 3e-3, "weight_decay": 1e-4},
            "predict": {"use": "crops", "count": self.crops, "size": CROP},
            "evaluate": [{"use": "quality", "data": "test"}],
            "schedule": {"use": "cosine", "warmup_steps": max(1, steps // 20)},
            "steps": steps,
            "loader.cache": str(self.out / "cache"),
            "checkpoint": {"every_epochs": None, "keep": 1},
            "threads": self.threads,
            "seed": seed,
        }
        if method.after_ranking:
            # Learned from two streams in turn, batch statistics would fit neither; and few labels teach few weights.
            values["freeze"] = list(NORMS)
            values["lr_scale"] = {"backbone": 0.1}
        if method.uses_labels:
            values[f"{LABELED}.batch_size"] = 12
            values[f"{LABELED}.generator"] = [{"use": "random_crops", "size": CROP}]
        if method.uses_ranks:
            cache = str(self.out / "cache" / "variants")
            steps_of_chain = [{"use": "distortions", "set": "live", "cache": cache}]
            # With a label as its anchor half a standard deviation a degree is enough; without, only the order counts.
            margin = 0.5 if method.uses_labels else 1.0
            values |= {f"{RANKING}.margin": margin, f"{RANKING}.pairs": "same_kind"}
            values[f"{RANKED}.batch_size"] = 1 if method.uses_labels else 2
            values[f"{RANKED}.generator"] = [*steps_of_chain, {"use": "random_crops", "size": CROP}]
        if method is METHODS["alternating"]:
            values["mix"] = {"alternate": 10}
        return values

    def scored(self, **options: Any) -> Overrides:
        """The scored images as a data set, whole unless options say otherwise."""
        return {
            "use": "scored_csv",
            "root": str(self.live),
            "path": "image",
            "score": "dmos",
            "reference": "reference",
            "kind": "distortion",
            "higher_is_better": False,
            "unit": "DMOS",
            **options,
        }

    def fold(self, number: int, share: float = 1.0) -> Overrides:
        """Leave one reference out: train on the labels of the others, or on a share of them."""
        split = self.scored(part="train", folds=self.references, fold=number, share=share)
        return {"data.scored": split}

    def inner_fold(self, left_out: str, number: int) -> Overrides:
        """For trials: one reference is not there at all, and of the others one is left out."""
        split = self.scored(part="train", folds=self.references - 1, fold=number, leave_out=[left_out])
        return {"data.scored": split}


def units() -> list[tuple[float, int]]:
    """(share of the labels, seed) in the order in which they are measured: what matters most comes first."""
    return [(1.0, 0), (1.0, 1), (1.0, 2), (0.25, 0), (0.5, 0)]
