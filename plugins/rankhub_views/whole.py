"""The whole image as its answer at test time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.predict import Answers, Forward, Predict


class Whole(Predict):
    """Pass the whole image through the network once, in its own size.

    No image is padded, since a network sees the padding and answers differently; so only images of equal size pass
    together. The network must take images of any size. Where a head gives a map, an image is brought to the nearest
    multiple of the network's stride, at most half a cell a side: then the cells cover the image exactly, and nothing at
    the right and the bottom is left out.

    Args:
        max_side: Images whose longer side is above it are reduced to it (antialiased), keeping their proportions. None:
            every image as it is; a large one may need much memory, or ``predict: tiles``.
        batch: Images of equal size that pass the network together, at most. With 1 an image gets bitwise the same
            answer whatever its neighbours; more are faster on a GPU, and may change the last bits of an answer.
    """

    def __init__(self, *, max_side: Annotated[int, Ge(1)] | None = None, batch: Annotated[int, Ge(1)] = 1) -> None:
        self.max_side, self.batch = max_side, batch

    @torch.no_grad()
    def __call__(self, images: Sequence[Tensor], forward: Forward) -> Answers:
        """One row an image."""
        alike: dict[tuple[int, int], list[int]] = {}
        for row, image in enumerate(images):
            alike.setdefault((image.shape[-2], image.shape[-1]), []).append(row)
        answers: list[dict[str, Tensor]] = [{} for _ in images]
        for size, rows in alike.items():
            height, width = aligned(*reduced(*size, self.max_side), forward)
            for first in range(0, len(rows), self.batch):
                part = rows[first : first + self.batch]
                seen = resized(torch.stack([images[row] for row in part]).float() / 255, height, width)
                for name, values in forward(seen).items():
                    for row, value in zip(part, values, strict=True):
                        answers[row][name] = value
        return together(answers)


def reduced(height: int, width: int, max_side: int | None) -> tuple[int, int]:
    """Height and width of an image whose longer side is brought down to ``max_side``."""
    longer = max(height, width)
    if max_side is None or longer <= max_side:
        return height, width
    scale = max_side / longer
    return max(1, round(height * scale)), max(1, round(width * scale))


def aligned(height: int, width: int, forward: Forward) -> tuple[int, int]:
    """The nearest multiples of the stride, where a head gives a map; else the size as it is."""
    stride = forward.features.map_stride
    if not stride or all(spec.kind != "map" for spec in forward.outputs.values()):
        return height, width
    return max(1, round(height / stride)) * stride, max(1, round(width / stride)) * stride


def together(answers: Sequence[Mapping[str, Tensor]]) -> Answers:
    """The answers of images as rows; maps [1, h, w] stay apart, since images may differ in size."""
    names = answers[0] if answers else ()
    rows = {name: [answer[name] for answer in answers] for name in names}
    return {name: values if values[0].ndim > 1 else torch.stack(values) for name, values in rows.items()}


def counts_refused(owner: str, outputs: Mapping[str, OutputSpec]) -> Iterator[str]:
    """Sentences against counts, by a way to predict that sees a part of the image."""
    for name, spec in outputs.items():
        if spec.kind == "count":
            yield f"{owner} sees a part of an image, and {name} counts all of it; use predict: whole or tiles"


def without_maps(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The outputs that are a number or a vector an image: [n] or [n, D]."""
    return {name: values for name, values in outputs.items() if values.ndim < 3}


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """Images [..., 3, H, W], float in [0, 1], in another size, bilinear and antialiased."""
    if images.shape[-2:] == (height, width):
        return images
    stack = images if images.ndim == 4 else images[None]
    with torch.autocast(images.device.type, enabled=False):
        out = F.interpolate(stack, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
    return out.clamp(0, 1).view(*images.shape[:-2], height, width)
