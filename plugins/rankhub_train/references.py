"""The rows of a run's report that its training must beat: raw pixels, and the network as it was before."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rankhub import NetworkForward, Parts
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.evaluate import Reference
from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub.interfaces.predict import Predict, ViewRecorder
from rankhub_train.norms import batch_statistics

SIDE = 32
"""To which views are resized for the row of raw pixels."""

IMAGES, BLOCK = 1024, 64
"""Views by which batch statistics are measured, and views that pass the network together."""


class RawPixels:
    """What every representation must beat: the pixels themselves, at 32 px, as features."""

    features = FeatureSpec(3 * SIDE**2)
    outputs: Mapping[str, OutputSpec] = MappingProxyType({})

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        """``backbone`` [n, 3072]."""
        if images.shape[-2:] != (SIDE, SIDE):
            images = F.interpolate(images, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        return {"backbone": images.flatten(1)}


def untrained(parts: Parts) -> NetworkForward:
    """The network of a run as it is before the first step, with batch statistics of its training data.

    A network that was never trained has the statistics 0 and 1 in its BatchNorm layers, with which it would be
    scored far below what its random weights can do. They are measured on a copy. Layers that have seen data keep what
    they have, and so do those that their network keeps in evaluation.
    """
    twin, compute, predict = copy.deepcopy(parts.network).train(), parts.compute, parts.predict
    fresh = [layer for layer in batch_statistics(twin) if _untouched(layer)]
    twin.eval()
    if not fresh:
        return NetworkForward(twin, compute)
    for module in fresh:
        module.train()
        module.momentum = None  # a plain mean over the batches
    dataset = parts.datasets[next(iter(parts.plans[0].streams.values())).data]
    order = Draws(parts.recipe.seed, "calibrate", 0).shuffled(len(dataset))
    picked = order[_that_fit(predict, dataset)[order]][:IMAGES].tolist()

    # One view of each image, many images in a batch: what `predict` passes together may be views of one image only.
    alike: dict[torch.Size, list[Tensor]] = {}

    @torch.no_grad()
    def pass_on(views: list[Tensor]) -> None:
        if len(views) > 1:
            twin([compute.images(torch.stack(views))], list(twin.heads))
        views.clear()

    for index in picked:
        keep = ViewRecorder(twin.backbone.spec)
        predict([dataset[index].image.to(compute.device)], keep)
        view = keep.seen[0][0].clone()
        views = alike.setdefault(view.shape, [])
        views.append(view)
        if len(views) == BLOCK:
            pass_on(views)
    for views in alike.values():
        pass_on(views)
    return NetworkForward(twin, compute)


def _that_fit(predict: Predict, dataset: Dataset) -> npt.NDArray[np.bool_]:
    """[len] which images ``predict`` can take; training images need not be as large as those it is for."""
    sizes = dataset.sizes()
    objection = predict.check_images(sizes) if sizes is not None and len(sizes) else None
    return np.ones(len(dataset), bool) if objection is None else ~objection[1]


def _untouched(module: nn.Module) -> bool:
    """Whether a layer has seen no data. Its counter alone does not tell: weights of other makers come without it."""
    held = dict(module.named_buffers(recurse=False))
    if not {"running_mean", "running_var", "num_batches_tracked"} <= held.keys():
        return False
    return not held["num_batches_tracked"] and not held["running_mean"].any() and bool((held["running_var"] == 1).all())


ROWS = [Reference("raw pixels", lambda parts: RawPixels()), Reference("before training", untrained)]
