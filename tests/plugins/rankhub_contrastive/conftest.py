"""Batches that the tests of this plugin share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from rankhub.interfaces.order import RankTarget

MakeBatch = Callable[..., tuple[Tensor, RankTarget]]


@pytest.fixture(scope="session")
def make_batch() -> MakeBatch:
    """``make_batch(sizes, seed=0, dim=4)``: normal rows in float64, ``sizes[n]`` views of the n-th sample, shuffled.

    View numbers count from 0 in each sample; indices and groups are scattered over all integers.
    """

    def make(sizes: Sequence[int], seed: int = 0, dim: int = 4) -> tuple[Tensor, RankTarget]:
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randperm(997, generator=generator)[: len(sizes)] - 400
        pairs = [(int(ids[n]), view) for n, size in enumerate(sizes) for view in range(size)]
        order = torch.randperm(len(pairs), generator=generator).tolist()
        index = torch.tensor([pairs[row][0] for row in order], dtype=torch.int64)
        view = torch.tensor([pairs[row][1] for row in order], dtype=torch.int64)
        rows = torch.randn(len(pairs), dim, generator=generator, dtype=torch.float64)
        return rows, RankTarget(index, view, index * 2**40 - 7, torch.ones(len(pairs)))

    return make


@pytest.fixture(scope="session")
def unit() -> Callable[[Tensor], Tensor]:
    """Rows divided by their length."""
    return lambda rows: rows / rows.norm(dim=1, keepdim=True)
