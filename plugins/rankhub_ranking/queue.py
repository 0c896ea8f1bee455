"""Embeddings of earlier batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Queue(nn.Module):
    """The newest ``length`` embeddings; what it was made with until as many have come. Part of the checkpoint.

    Attributes:
        rows: [length, dim] float32, in no particular order.
        pushed: Scalar int64, how many embeddings have come so far.

    Args:
        length: How many are kept, at least 1.
        dim: Columns.
        random: Whether it is made with random unit vectors; else with zeros.
    """

    rows: Tensor
    pushed: Tensor

    def __init__(self, length: int, dim: int, *, random: bool = True) -> None:
        super().__init__()
        rows = nn.functional.normalize(torch.randn(length, dim), dim=1) if random else torch.zeros(length, dim)
        self.register_buffer("rows", rows)
        self.register_buffer("pushed", torch.zeros((), dtype=torch.int64))
        self._known: tuple[tuple[int, int] | None, int] = (None, 0)  # which state of ``pushed``, and what it was then

    @property
    def full(self) -> bool:
        """Whether nothing is left of what it was made with."""
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


class EarlierBatches(Queue):
    """A queue that a loss fills with the embeddings of its own steps, to compare with them later; empty at the start.

    Args:
        length: How many are kept, at least 1.
        dim: Columns.
    """

    def __init__(self, length: int, dim: int) -> None:
        super().__init__(length, dim, random=False)
        self._seen: Tensor | None = None

    def before(self, rows: Tensor) -> Tensor:
        """[n, dim] the embeddings of earlier steps, without a graph, in the precision of ``rows`` [N, dim].

        ``rows`` are this step's, which enter at its end; not if the loss is only evaluated: in ``eval`` or under
        ``no_grad``.
        """
        if self.training and torch.is_grad_enabled():
            self._seen = rows.detach()
        return self.rows[: self._count()].to(rows.dtype)

    def after_step(self) -> None:
        """Let the embeddings of the step in; a loss calls it from its own ``after_step``."""
        if self._seen is not None:
            self.push(self._seen)
            self._seen = None
