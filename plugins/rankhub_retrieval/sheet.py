"""A picture of a few queries with their nearest images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from PIL import ImageOps
from torch import Tensor

from rankhub_data.sheet import Tile, draw_sheet, fitted
from rankhub_ranking.similarity import similarities
from rankhub_retrieval.sides import Task

_SIDE, _FRAME = 72, 3
_RIGHT, _WRONG, _QUERY = (34, 160, 70), (214, 50, 48), (90, 90, 90)


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
        tiles = [_framed(image_of_query(image), _QUERY, name_of(wanted) if name_of else f"image {image}")]
        order = np.argsort(-scores, kind="stable")
        if task.own is not None:
            order = order[order != task.own[query]]
        first = np.sort(np.unique(task.gallery.images[order], return_index=True)[1])[:neighbours]
        for item in order[first].tolist():
            right = task.gallery.ids[item] == wanted
            picture = image_of_item(int(task.gallery.images[item]))
            tiles.append(_framed(picture, _RIGHT if right else _WRONG, f"{scores[item]:.3f}"))
        rows.append(tiles)
    return np.asarray(draw_sheet(rows, side=_SIDE + 2 * _FRAME))


def _framed(image: Tensor, colour: tuple[int, int, int], text: str) -> Tile:
    """The whole image within a square frame."""
    square = ImageOps.pad(fitted(image, _SIDE), (_SIDE, _SIDE), color="white")
    return Tile(ImageOps.expand(square, _FRAME, colour), (text,))
