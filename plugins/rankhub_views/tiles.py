"""A large image as its answer at test time, a tile at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.predict import Answers, Forward, Predict
from rankhub_views.whole import aligned, reduced, resized, together

GUESSED = 128
"""Pixels around a tile where it is not known how far the network sees."""

Span = tuple[int, int]


class Tiles(Predict):
    """Cut an image into tiles, pass each through the network with its surroundings, and lay the maps side by side.

    For heads that give a map: ``count`` is the sum of the whole map, ``pooled`` its mean. Tiles start at multiples of
    the network's stride, and each is seen with ``halo`` pixels of the image around it, whose cells are thrown away.
    Where the halo is as wide as the network sees, the map is that of ``predict: whole``, at a bounded memory; that is
    known of plain convolutional networks (VGG, ResNet). Others, such as those with attention or with statistics taken
    over the image, answer for a tile what they would not answer for the whole: the run says "approximate".

    Args:
        size: Side of a tile in pixels, without its halo; rounded to a multiple of the stride.
        halo: Pixels of the image that are shown around a tile; None = as far as the network sees, where that is known,
            else 128.
        max_side: Images whose longer side is above it are reduced to it first (antialiased), keeping their proportions.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, Ge(32)] = 1024,
        halo: Annotated[int, Ge(0)] | None = None,
        max_side: Annotated[int, Ge(1)] | None = None,
    ) -> None:
        self.size, self.halo, self.max_side = size, halo, max_side

    def check(self, outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> Iterable[str]:
        """Outputs that no map stands behind."""
        mapped = {name.partition(".")[0] for name, spec in outputs.items() if spec.kind == "map"}
        for name, spec in outputs.items():
            if spec.kind not in ("map", "count", "pooled") or name.partition(".")[0] not in mapped:
                yield (
                    f"tiles lays maps side by side, and {name} is of kind {spec.kind}, which has no map; use "
                    "predict: whole or crops"
                )

    def remarks(self, outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> Iterable[str]:
        """Whether the answers are those of the whole image."""
        halo, needed = self.halo_for(outputs, features), needed_halo(outputs, features)
        if needed is None:
            yield (
                "predict: tiles is approximate for images larger than a tile: how far this backbone sees is not known; "
                f"{halo} pixels are shown around each"
            )
        elif halo < needed:
            yield (
                f"predict: tiles is approximate for images larger than a tile: this network sees {needed} pixels "
                f"around it, and a halo of {halo} shows less; leave `halo` out"
            )

    def halo_for(self, outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> int:
        """Pixels around a tile, a multiple of the stride."""
        wanted = self.halo if self.halo is not None else needed_halo(outputs, features)
        stride = max(1, features.map_stride)
        return math.ceil((GUESSED if wanted is None else wanted) / stride) * stride

    @torch.no_grad()
    def __call__(self, images: Sequence[Tensor], forward: Forward) -> Answers:
        """One row an image.

        Raises:
            UserError: The network's maps do not have a whole number of cells to a tile.
        """
        return together([self._answer(image, forward) for image in images])

    def _answer(self, image: Tensor, forward: Forward) -> dict[str, Tensor]:
        stride = max(1, forward.features.map_stride)
        height, width = aligned(*reduced(image.shape[-2], image.shape[-1], self.max_side), forward)
        if (height, width) != tuple(image.shape[-2:]):
            image = resized(image.float() / 255, height, width)  # not rounded to whole numbers, as `whole` sees it
        size, halo = max(stride, self.size // stride * stride), self.halo_for(forward.outputs, forward.features)
        names = [name for name, spec in forward.outputs.items() if spec.kind == "map"]
        rows: dict[str, list[Tensor]] = {name: [] for name in names}
        pooled: list[Tensor] = []
        for down in _spans(height, size, halo):
            line: dict[str, list[Tensor]] = {name: [] for name in names}
            for across in _spans(width, size, halo):
                seen = image[:, down.seen[0] : down.seen[1], across.seen[0] : across.seen[1]]
                out = forward(seen[None] if seen.is_floating_point() else seen[None].float() / 255)
                pooled.append(out["backbone"][0].float() * (down.share * across.share))
                for name in names:
                    line[name].append(_cut(out[name][0], down, across))
            for name in names:
                rows[name].append(torch.cat(line[name], dim=2))
        answer = {"backbone": torch.stack(pooled).sum(dim=0)}
        maps = {name: torch.cat(parts, dim=1) for name, parts in rows.items()}
        for name, spec in forward.outputs.items():
            density = next((maps[one] for one in names if one.partition(".")[0] == name.partition(".")[0]), None)
            if density is not None and spec.kind in ("count", "pooled"):
                answer[name] = density.sum() if spec.kind == "count" else density.mean()
        return {**answer, **maps}


def needed_halo(outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> int | None:
    """How far beyond its own border a tile must be seen for its cells to be exact; None where that is not known.

    Half of what a cell sees, a stride more for the place of the cell in it, and what the heads look at around a cell.
    """
    if not features.receptive_field:
        return None
    reach = max((spec.reach for spec in outputs.values() if spec.kind == "map"), default=0)
    return math.ceil(features.receptive_field / 2) + (1 + reach) * features.map_stride


@dataclass(frozen=True, slots=True)
class _Part:
    """Of one side of an image: the pixels of a tile, and those that are shown, halo included."""

    own: Span
    seen: Span
    share: float


def _spans(side: int, size: int, halo: int) -> Iterator[_Part]:
    for start in range(0, side, size):
        end = min(side, start + size)
        yield _Part((start, end), (max(0, start - halo), min(side, end + halo)), (end - start) / side)


def _cut(density: Tensor, down: _Part, across: _Part) -> Tensor:
    """[1, h, w] the cells of the tile itself, of the map of what was shown."""
    slices = []
    for part, cells in ((down, density.shape[-2]), (across, density.shape[-1])):
        pixels = part.seen[1] - part.seen[0]
        ends = [(edge - part.seen[0]) * cells for edge in part.own]
        if any(end % pixels for end in ends):
            raise UserError(
                f"predict: tiles cannot be used: the network makes {cells} cells of {pixels} pixels, so that tiles do "
                "not fit together; use predict: whole"
            )
        slices.append(slice(ends[0] // pixels, ends[1] // pixels))
    return density[:, slices[0], slices[1]]
