"""Batches of embeddings in groups, for the tests of losses that rank them."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget
from tools.gpu_checks.golden import golden as golden

EMBEDDING = {"embedding": OutputSpec("embedding", 5)}


def make_target(group: Tensor, level: Tensor | None = None) -> RankTarget:
    """The order of views in ``group``, of level 1 unless given."""
    level = torch.ones(len(group)) if level is None else level
    return RankTarget(group, torch.arange(len(group)), group, level)


@st.composite
def batches(draw, min_sizes: int = 0) -> tuple[Tensor, Tensor]:
    """Normal embeddings [N, 3] in float64 and shuffled group ids of unequal size, with gaps and negative ids."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=min_sizes, max_size=6))
    ids = draw(st.lists(st.integers(-(2**62), 2**62), min_size=len(sizes), max_size=len(sizes), unique=True))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    group = torch.tensor([g for g, size in zip(ids, sizes, strict=True) for _ in range(size)], dtype=torch.int64)
    group = group[torch.randperm(len(group), generator=generator)]
    return torch.randn(len(group), 3, generator=generator, dtype=torch.float64), group
