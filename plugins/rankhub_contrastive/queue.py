"""Embeddings of earlier batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Queue(nn.Module):
    """The newest ``length`` embeddings; random unit vectors until as many have come. Part of the checkpoint.

    Attributes:
        rows: [length, dim] float32, in no particular order.
        pushed: Scalar int64, how many embeddings have come so far.

    Args:
        length: How many are kept, at least 1.
        dim: Columns.
    """

    rows: Tensor
    pushed: Tensor

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("rows", nn.functional.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.int64))

    @property
    def full(self) -> bool:
        """Whether no random vector is left."""
        return int(self.pushed) >= len(self.rows)

    @torch.no_grad()
    def push(self, rows: Tensor) -> None:
        """Put ``rows`` [n, dim] in the place of the oldest; of more than ``length`` the last ones stay."""
        rows = rows[-len(self.rows) :]
        slots = (self.pushed + torch.arange(len(rows), device=self.rows.device)) % len(self.rows)
        self.rows[slots] = rows.to(self.rows)
        self.pushed += len(rows)
