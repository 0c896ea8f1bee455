"""A picture of a few queries with their nearest images."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from rankhub_ranking.similarity import similarities
from rankhub_retrieval.sides import Task

_SIDE, _FRAME, _TEXT, _GAP = 72, 3, 13, 6
_PAPER, _INK = (255, 255, 255), (60, 60, 60)
_RIGHT, _WRONG, _QUERY = (34, 160, 70), (214, 50, 48), (90, 90, 90)


class Tile(NamedTuple):
    """One framed image [3, H, W] uint8, and what stands below it."""

    image: Tensor
    text: str
    frame: tuple[int, int, int]


def neighbour_sheet(
    task: Task,
    image_of_query: Callable[[int], Tensor],
    image_of_item: Callable[[int], Tensor],
    name_of: Callable[[int], str] | None = None,
    queries: int = 8,
    neighbours: int = 8,
) -> npt.NDArray[np.uint8]:
    """Queries at the left, the images nearest to each beside it, nearest first; relevant ones framed green, others red.

    Of images that are equally near the one of the lower row in the gallery comes first.

    The queries are drawn with a fixed seed from those of the task, so that all rows of a report show the same. An image
    that occurs more than once (by several views) is shown at its nearest.

    [H, W, 3] uint8. Images [3, H, W] uint8 come by their position in the data set; ``name_of`` turns an id into the
    text below a query, None = the number of its image.
    """
    count = len(task.queries.ids)
    drawn = np.random.default_rng(0).permutation(count)
    chosen = drawn[np.sort(np.unique(task.queries.images[drawn], return_index=True)[1])[:queries]]
    asked, searched = (torch.from_numpy(rows) for rows in (task.queries.features[chosen], task.gallery.features))
    similarity = similarities(asked, searched).numpy()
    rows = []
    for query, scores in zip(chosen.tolist(), similarity, strict=True):
        wanted, image = int(task.queries.ids[query]), int(task.queries.images[query])
        tiles = [Tile(image_of_query(image), name_of(wanted) if name_of else f"image {image}", _QUERY)]
        order = np.argsort(-scores, kind="stable")
        if task.own is not None:
            order = order[order != task.own[query]]
        first = np.sort(np.unique(task.gallery.images[order], return_index=True)[1])[:neighbours]
        for item in order[first].tolist():
            right = task.gallery.ids[item] == wanted
            picture = image_of_item(int(task.gallery.images[item]))
            tiles.append(Tile(picture, f"{scores[item]:.3f}", _RIGHT if right else _WRONG))
        rows.append(tiles)
    return draw(rows)


def draw(rows: list[list[Tile]]) -> npt.NDArray[np.uint8]:
    """[H, W, 3] uint8: one row of tiles below the other, the first tile of each set apart."""
    cell = _SIDE + 2 * _FRAME
    width = _GAP + max(len(tiles) for tiles in rows) * (cell + _GAP) + _GAP
    sheet = Image.new("RGB", (width, _GAP + len(rows) * (cell + _TEXT + _GAP)), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    for number, tiles in enumerate(rows):
        top = _GAP + number * (cell + _TEXT + _GAP)
        for column, tile in enumerate(tiles):
            left = _GAP + column * (cell + _GAP) + _GAP * (column > 0)
            pen.rectangle((left, top, left + cell - 1, top + cell - 1), fill=tile.frame)
            pen.rectangle((left + _FRAME, top + _FRAME, left + cell - _FRAME - 1, top + cell - _FRAME - 1), fill=_PAPER)
            picture = _fitted(tile.image)
            offset = [_FRAME + (_SIDE - side) // 2 for side in picture.size]
            sheet.paste(picture, (left + offset[0], top + offset[1]))
            pen.text((left + cell / 2, top + cell + _TEXT / 2), _short(tile.text), _INK, font, anchor="mm")
    return np.asarray(sheet)


def _fitted(image: Tensor) -> Image.Image:
    """The whole image within the tile; small ones are enlarged without smoothing."""
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy())
    scale = _SIDE / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    return picture.resize((size[0], size[1]), Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)


def _short(text: str, most: int = 14) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
