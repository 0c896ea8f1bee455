"""Every query's ranking of a whole gallery, by blocks of queries, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub_ranking.similarity import similarities
from rankhub_ranking.sums import exact_mean
from rankhub_retrieval.features import Unit
from rankhub_retrieval.sides import Task
from rankhub_retrieval.ties import LAST, Rankings, chance_average_precision, ranking_keys

BLOCK_ITEMS = {"cpu": 2**23, "cuda": 2**25}
"""Similarities made at a time: on a CPU enough rows for the product with a large gallery to run at full speed."""


def full_rankings(
    queries: Unit,
    query_ids: npt.NDArray[np.int64],
    gallery: Unit,
    gallery_ids: npt.NDArray[np.int64],
    device: torch.device,
    own: npt.NDArray[np.int64] | None = None,
) -> Iterator[tuple[slice, Rankings]]:
    """Slices of the queries with their rankings of the gallery; an item is relevant if its id is the query's.

    Features [n, d] and [g, d] have unit length, and each query's id occurs in the gallery (beside the query itself).
    ``own`` [n]: the row that is the query itself and not ranked; None = the gallery holds no query.
    """
    items, item_ids = torch.from_numpy(gallery).to(device).double(), torch.from_numpy(gallery_ids).to(device)
    block = block_of(len(gallery), device)
    for start in range(0, len(queries), block):
        rows = slice(start, start + block)
        asked = torch.from_numpy(queries[rows]).to(device)
        ids = torch.from_numpy(query_ids[rows]).to(device)
        keys = ranking_keys(similarities(asked, items), ids[:, None] == item_ids)
        if own is not None:
            keys.scatter_(1, torch.from_numpy(own[rows, None]).to(device), LAST)
        yield rows, Rankings(_sorted(keys)[:, : len(items) - (own is not None)])


def block_of(items: int, device: torch.device) -> int:
    """How many queries are compared with so many items at a time."""
    rows = max(1, BLOCK_ITEMS.get(device.type, 2**25) // items)
    return rows - rows % 64 if rows > 64 else rows  # products run up to twice as fast on whole tiles


def _sorted(keys: Tensor) -> Tensor:
    """Rows in ascending order; numpy's vectorized sort is several times torch's on a CPU."""
    if keys.device.type != "cpu":
        return keys.sort(dim=1).values
    keys.numpy().sort(axis=1)
    return keys


def measure(task: Task, ks: Sequence[int], device: torch.device) -> dict[str, float]:
    """The mAP over the whole ranking, mAP and recall at each depth, and the mAP of a random ranking.

    All are the same bit for bit whatever the order of queries and gallery, the blocks and the number of threads.
    """
    names = ["mAP", *(f"mAP@{k}" for k in ks), *(f"recall@{k}" for k in ks)]
    values = torch.empty(len(names), len(task.queries.ids), dtype=torch.float64)
    sides = task.queries.features, task.queries.ids, task.gallery.features, task.gallery.ids
    for rows, rankings in full_rankings(*sides, device, task.own):
        precisions = [rankings.average_precision(k) for k in (None, *ks)]
        values[:, rows] = torch.stack(precisions + [rankings.recall(k) for k in ks]).cpu()
    chance = chance_average_precision(torch.from_numpy(task.relevant), task.ranked)
    means = exact_mean(values, 1).tolist()
    return dict(zip(names, means, strict=True)) | {"mAP_chance": float(exact_mean(chance))}
