"""Every query's ranking of a whole gallery, by blocks of queries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub_ranking.similarity import similarities
from rankhub_retrieval.features import Unit
from rankhub_retrieval.ties import LAST, Rankings, ranking_keys

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
    """Rank the gallery for each query; an item is relevant if its id is the query's.

    Args:
        queries: [n, d] of unit length.
        query_ids: [n]; each occurs in the gallery (beside the query itself).
        gallery: [g, d] of unit length.
        gallery_ids: [g].
        device: Where the products and the sorting run.
        own: [n] the gallery row that is the query itself and not ranked; None = the gallery holds no query.

    Yields:
        Slices of the queries with their rankings.
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
    """Rows in ascending order; numpy's vectorised sort is several times torch's on a CPU."""
    if keys.device.type != "cpu":
        return keys.sort(dim=1).values
    keys.numpy().sort(axis=1)
    return keys
