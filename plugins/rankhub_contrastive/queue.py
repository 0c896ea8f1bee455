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
        self._known: tuple[tuple[int, int] | None, int] = (None, 0)  # which state of ``pushed``, and what it was then

    @property
    def full(self) -> bool:
        """Whether no random vector is left."""
        return self._count() >= len(self.rows)

    def _count(self) -> int:
        """``pushed``, read from the device only if others have written it, as a checkpoint does."""
        if self._known[0] != self._state():
            self._known = (self._state(), int(self.pushed))
        return self._known[1]

    def _state(self) -> tuple[int, int]:
        return id(self.pushed), self.pushed._version

    @torch.no_grad()
    def push(self, rows: Tensor) -> None:
        """Put ``rows`` [n, dim] in the place of the oldest; of more than ``length`` the last ones stay."""
        rows, count = rows[-len(self.rows) :], self._count()
        slots = (self.pushed + torch.arange(len(rows), device=self.rows.device)) % len(self.rows)
        self.rows[slots] = rows.to(self.rows)
        self.pushed += len(rows)
        self._known = (self._state(), count + len(rows))
