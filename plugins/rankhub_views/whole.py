"""The whole image as its answer at test time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from rankhub.interfaces.options import Ge
from rankhub.interfaces.predict import Forward, Predict


class Whole(Predict):
    """Pass the whole image through the network once, in its own size.

    No image is padded, since a network sees the padding and answers differently; so only images of equal size pass
    together. The network must take images of any size. Maps are left out of the answer: they have no common size.

    Args:
        max_side: Images whose longer side is above it are reduced to it (antialiased), keeping their proportions. None:
            every image as it is; a large one may need much memory.
        batch: Images of equal size that pass the network together, at most. With 1 an image gets bitwise the same
            answer whatever its neighbours; more are faster on a GPU, and may change the last bits of an answer.
    """

    def __init__(self, *, max_side: Annotated[int, Ge(1)] | None = None, batch: Annotated[int, Ge(1)] = 1) -> None:
        self.max_side, self.batch = max_side, batch

    @torch.no_grad()
    def __call__(self, images: Sequence[Tensor], forward: Forward) -> dict[str, Tensor]:
        """One row an image."""
        alike: dict[tuple[int, int], list[int]] = {}
        for row, image in enumerate(images):
            alike.setdefault((image.shape[-2], image.shape[-1]), []).append(row)
        answers: list[dict[str, Tensor]] = [{} for _ in images]
        for size, rows in alike.items():
            height, width = self._reduced(*size)
            for first in range(0, len(rows), self.batch):
                part = rows[first : first + self.batch]
                seen = resized(torch.stack([images[row] for row in part]).float() / 255, height, width)
                for name, values in without_maps(forward(seen)).items():
                    for row, value in zip(part, values, strict=True):
                        answers[row][name] = value
        return {name: torch.stack([answer[name] for answer in answers]) for name in (answers[0] if answers else ())}

    def _reduced(self, height: int, width: int) -> tuple[int, int]:
        longer = max(height, width)
        if self.max_side is None or longer <= self.max_side:
            return height, width
        scale = self.max_side / longer
        return max(1, round(height * scale)), max(1, round(width * scale))


def without_maps(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The outputs that are a number or a vector an image: [n] or [n, D]."""
    return {name: values for name, values in outputs.items() if values.ndim < 3}


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """Images in another size, bilinear and antialiased.

    Args:
        images: [..., 3, H, W] float in [0, 1].
        height: New height in pixels.
        width: New width in pixels.
    """
    if images.shape[-2:] == (height, width):
        return images
    stack = images if images.ndim == 4 else images[None]
    with torch.autocast(images.device.type, enabled=False):
        out = F.interpolate(stack, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
    return out.clamp(0, 1).view(*images.shape[:-2], height, width)
