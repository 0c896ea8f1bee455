"""The middle of an image as its answer at test time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.predict import Answers, Forward, Predict
from rankhub_views.resample import Interpolation, Window, resample
from rankhub_views.scratch import scratch_for
from rankhub_views.whole import counts_refused


class Center(Predict):
    """Resize the shorter side, crop the middle, and pass it through the network once.

    An image that is smaller is enlarged. Resize and crop are one antialiased resample.

    Args:
        size: Side of the square that the network sees, in pixels.
        resize: Length to which the image's shorter side is brought, at least ``size``; by default ``size``: the
            largest square in the middle.
        batch: Images that pass the network together.
        interpolation: Filter of the antialiased resize.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, Ge(1)],
        resize: Annotated[int, Ge(1)] | None = None,
        batch: Annotated[int, Ge(1)] = 256,
        interpolation: Interpolation = "bilinear",
    ) -> None:
        if resize is not None and resize < size:
            raise Objection(f"resize ({resize}) must be at least size ({size}), or the crop would leave the image")
        self.size, self.resize, self.batch, self.interpolation = size, resize or size, batch, interpolation

    def __call__(self, images: Sequence[Tensor], forward: Forward) -> Answers:
        """One row an image."""
        parts: list[Mapping[str, Tensor]] = []
        for first in range(0, len(images), self.batch):
            parts.append(forward(self.views(images[first : first + self.batch])))
        return {name: torch.cat([part[name] for part in parts]) for name in (parts[0] if parts else ())}

    def check(self, outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> Iterable[str]:
        """Counts: that of the middle is not that of its image."""
        return counts_refused("center", outputs)

    @torch.no_grad()
    def views(self, images: Sequence[Tensor]) -> Tensor:
        """[n, 3, size, size] float in [0, 1]: the middle of each of n images [3, H, W] uint8."""
        out = torch.empty((len(images), 3, self.size, self.size), device=images[0].device)
        with torch.autocast(out.device.type, enabled=False):
            for row, image in enumerate(images):
                self._view(image, out[row])
        return out

    def _view(self, image: Tensor, out: Tensor) -> None:
        """One image at a time, whose sparse weights torch applies several times as fast as a product does."""
        height, width = image.shape[-2:]
        shorter = min(height, width)
        if shorter < self.resize:  # a strip of few pixels would become huge where all of it is enlarged
            down, across = self._window(height, shorter), self._window(width, shorter)
            return resample(image[None], down, across, self.interpolation, out[None], scratch_for(out.device))
        sides = [self.resize * side // shorter for side in (height, width)]
        top, left = (round((side - self.size) / 2) for side in sides)
        source = scratch_for(out.device).take("source", 1, 3, height, width).copy_(image[None])
        small = F.interpolate(source, sides, mode=self.interpolation, antialias=True)[0]
        unit = 1.0 if image.is_floating_point() else 1 / 255
        seen = small[:, top : top + self.size, left : left + self.size]
        torch.mul(seen, unit, out=out).clamp_(0, 1)
        return None

    def _window(self, side: int, shorter: int) -> Window:
        """Along a side, by torchvision's rules: the side is rounded down after the resize, the crop's start rounded."""
        resized = self.resize * side // shorter
        step = side / resized
        start = round((resized - self.size) / 2) * step
        return Window(np.array([start]), np.array([step]), np.array([0]), np.array([side]))
