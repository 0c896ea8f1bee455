"""Runs the recipe's evaluators on one row of the report, and keeps what they found."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel
from torch import nn

from rankhub.catalog.blame import during
from rankhub.engine import folder as folders
from rankhub.engine.checkpoint import Results
from rankhub.engine.device import Compute
from rankhub.engine.network import Network, batch_statistics
from rankhub.engine.source import NetworkSource
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.evaluate import EvaluationResult, Evaluator
from rankhub.interfaces.files import as_csv, read_json, write_text
from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub.interfaces.predict import Predict

CALIBRATION_IMAGES = 1024
CALIBRATION_BLOCK = 64


def evaluate_row(source: NetworkSource, evaluators: Mapping[str, Evaluator], folder: Path | None) -> Results:
    """Run all evaluators on one row and write what they found under ``folder``."""
    results: Results = {}
    for name, evaluator in evaluators.items():
        with during(f"evaluator {name!r}, row {source.row!r}"):
            found = source.evaluate(evaluator)
        unsaid = [metric for metric, value in found.metrics.items() if isnan(value)] if not found.notes else []
        notes = [*found.notes, *(f"{name} gave {metric} as NaN and does not say why" for metric in unsaid)]
        results[name] = replace(found, metrics=MappingProxyType(dict(found.metrics)), notes=notes)
    if folder is not None:
        for name, result in results.items():
            for table, rows in result.tables.items():
                write_text(folder / f"{name}_{table}.csv", as_csv(rows), make=True)
            for title, picture in result.pictures.items():
                folders.write_picture(folder / f"{name}_{title}.png", picture)
        plain = {n: {"metrics": dict(r.metrics), "notes": list(r.notes)} for n, r in results.items()}
        write_text(folder / "metrics.json", json.dumps(plain, indent=1) + "\n", make=True)
    return results


def stored_row(folder: Path) -> Results | None:
    """The metrics of a row that an earlier start of the same run has written, or None."""
    path = folder / "metrics.json"
    if not path.exists():
        return None
    stored = read_json(path, dict[str, _Stored], "remove it, and a resumed run measures that again")
    return {name: EvaluationResult(part.metrics, notes=part.notes) for name, part in stored.items()}


class _Stored(BaseModel):
    metrics: dict[str, float | int]
    notes: list[str]


def calibrated(network: Network, dataset: Dataset, predict: Predict, compute: Compute, seed: int) -> Network:
    """A copy whose untouched batch statistics are measured on images of the training data.

    A network that was never trained has the statistics 0 and 1 in its BatchNorm layers, with which it would be
    scored far below what its random weights can do. Layers that have seen data keep what they have, and so do those
    that their network keeps in evaluation.
    """
    twin = copy.deepcopy(network).train()
    fresh = [module for module in batch_statistics(twin) if _untouched(module)]
    twin.eval()
    if not fresh:
        return twin
    for module in fresh:
        module.train()
        module.momentum = None  # a plain mean over the batches
    order = Draws(seed, "calibrate", 0).shuffled(len(dataset))
    picked = order[_that_fit(predict, dataset)[order]][:CALIBRATION_IMAGES].tolist()

    # One view of each image, many images in a batch: what `predict` passes together may be views of one image only.
    alike: dict[torch.Size, list[torch.Tensor]] = {}

    @torch.no_grad()
    def pass_on(views: list[torch.Tensor]) -> None:
        if len(views) > 1:
            twin([compute.images(torch.stack(views))], list(twin.heads))
        views.clear()

    for index in picked:
        view = _first_view(predict, dataset[index].image.to(compute.device), twin.backbone.spec)
        views = alike.setdefault(view.shape, [])
        views.append(view)
        if len(views) == CALIBRATION_BLOCK:
            pass_on(views)
    for views in alike.values():
        pass_on(views)
    return twin.eval()


def _that_fit(predict: Predict, dataset: Dataset) -> npt.NDArray[np.bool_]:
    """[len] which images ``predict`` can take; training images need not be as large as those it is for."""
    sizes = dataset.sizes()
    objection = predict.check_images(sizes) if sizes is not None and len(sizes) else None
    return np.ones(len(dataset), bool) if objection is None else ~objection[1]


def _first_view(predict: Predict, image: torch.Tensor, features: FeatureSpec) -> torch.Tensor:
    """[3, H, W] the first view of an image that ``predict`` would pass through a network."""
    keep = ViewRecorder(features)
    predict([image], keep)
    return keep.seen[0][0].clone()


class ViewRecorder:
    """Takes the place of a network and records the views passed to it: ``seen``, stacks [v, 3, H, W] in order."""

    outputs: Mapping[str, OutputSpec] = MappingProxyType({})

    def __init__(self, features: FeatureSpec) -> None:
        self.features = features
        self.seen: list[torch.Tensor] = []

    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Record the views; there are no outputs."""
        self.seen.append(images)
        return {"backbone": images.new_zeros(len(images), 1)}


def _untouched(module: nn.Module) -> bool:
    """Whether a layer has seen no data. Its counter alone does not tell: weights of other makers come without it."""
    held = dict(module.named_buffers(recurse=False))
    if not {"running_mean", "running_var", "num_batches_tracked"} <= held.keys():
        return False
    return not held["num_batches_tracked"] and not held["running_mean"].any() and bool((held["running_var"] == 1).all())


Row = tuple[str, Results]


def table_rows(rows: Sequence[Row], evaluators: Mapping[str, Evaluator]) -> list[dict[str, Any]]:
    """The closing table: one line a row of the report, one column a headline metric."""
    table = []
    for name, results in rows:
        line: dict[str, Any] = {"": name}
        for label, evaluator in evaluators.items():
            for metric in evaluator.headline():
                if label in results and metric in results[label].metrics:
                    line[f"{label} {metric}"] = results[label].metrics[metric]
        if len(line) > 1:  # a row in which nothing was measured, such as scores of raw pixels, is left out
            table.append(line)
    return table
