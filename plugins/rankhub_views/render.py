"""From images and parameters to views, in parts small enough for the processor's cache or the device's memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rankhub.interfaces.tensors import sent
from rankhub_views.blur import blur_
from rankhub_views.colour import grey_, invert_, jitter_
from rankhub_views.parameters import Boxes, Parameters
from rankhub_views.resample import Interpolation, resample, windows
from rankhub_views.scratch import Scratch, scratch_for
from rankhub_views.turned import askew, resample_turned

WORKING_SET = {"cpu": 16 * 2**20, "cuda": 512 * 2**20}
"""Bytes that one part of a batch may take on its way, by type of device. On the CPU, what its caches hold."""


def views_at_once(images: Tensor, views: int, size: int) -> int:
    """How many views of side ``size``, at least 1, to resample at once from [..., H, W], ``views`` of an image."""
    height, width = images.shape[-2:]
    return _fitting(size * (height + 5 * width + 6 * size) + 3 * height * width // views, images.device)


def _fitting(floats: int, device: torch.device) -> int:
    return max(1, WORKING_SET.get(device.type, WORKING_SET["cuda"]) // (4 * floats))


@dataclass(frozen=True, slots=True)
class Renderer:
    """Makes views of one size.

    Attributes:
        size: Side of the views in pixels.
        interpolation: Filter of the resize.
        kernel: Taps of the blur.
    """

    size: int
    interpolation: Interpolation
    kernel: int

    @torch.no_grad()
    def render(self, images: Tensor, parameters: Parameters, out: Tensor) -> None:
        """Make B * V views of B images, those of an image together.

        Crop, turn, flip and resize; then the negative; then brightness, contrast, saturation and hue; then grey; then
        blur: but for the negative the order of SimCLR's authors and of torchvision's and lightly's pipelines. The
        negative comes before the jitter, so that what was black gets any brightness too.

        ``images`` [B, 3, H, W] uint8, or float in [0, 1], in which all boxes lie; ``out`` [B * V, 3, S, S] float32, on
        their device, is where the views are written.
        """
        with torch.autocast(images.device.type, enabled=False):
            scratch = scratch_for(images.device)
            self._resample(images, parameters.boxes, out, scratch)
            # Colours take less memory a view, and are done for a fifth of the views at a time: larger parts.
            step = 2 * _fitting(9 * self.size**2, images.device)
            for first in range(0, len(out), step):
                rows = slice(first, first + step)
                self._colour(out[rows], parameters.rows(rows), scratch)

    def _resample(self, images: Tensor, boxes: Boxes, out: Tensor, scratch: Scratch) -> None:
        if not len(out):
            return
        each = len(out) // len(images)
        if boxes.turn is None:
            for sources, rows in _parts(len(images), each, views_at_once(images, each, self.size)):
                seen = windows(boxes.rows(rows), self.size)
                resample(images[sources], *seen, self.interpolation, out[rows], scratch)
            return
        across, down = askew(boxes, boxes.turn, self.size, self.interpolation).taps
        height, width = images.shape[-2:]
        floats = 9 * self.size**2 * across * down + 3 * height * width // each
        for sources, rows in _parts(len(images), each, _fitting(floats, images.device)):
            turned = askew(boxes.rows(rows), boxes.turn.rows(rows), self.size, self.interpolation)
            resample_turned(images[sources], turned, self.interpolation, out[rows])

    def _colour(self, views: Tensor, parameters: Parameters, scratch: Scratch) -> None:
        flat = views.view(len(views), 3, -1)
        chosen = (parameters.invert, parameters.jitter, parameters.grey, parameters.blur)
        inverted, jittered, greyed, blurred = (np.flatnonzero(one) for one in chosen)
        if len(inverted):
            invert_(flat, inverted)
        if len(jittered):
            jitter_(flat, jittered, parameters.factors, parameters.order, scratch)
        if len(greyed):
            grey_(flat, greyed, scratch)
        if len(blurred):
            sigma = sent(torch.from_numpy(parameters.sigma[blurred].astype(np.float32)), views.device)
            blur_(views, blurred, sigma, self.kernel, scratch)


def _parts(images: int, each: int, fitting: int) -> Iterator[tuple[slice, slice]]:
    """Consecutive images and their views: several images with all of theirs, or some views of one image.

    Args:
        images: How many there are.
        each: Views of each, at least 1.
        fitting: Views that may be made at once, at least 1.
    """
    if fitting >= each:
        step = fitting // each
        for first in range(0, images, step):
            yield slice(first, first + step), slice(first * each, (first + step) * each)
        return
    for image in range(images):
        for first in range(image * each, (image + 1) * each, fitting):
            yield slice(image, image + 1), slice(first, min(first + fitting, (image + 1) * each))
