"""The denominator of contrastive losses, streamed over blocks of queries and recomputed in the backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BLOCK_BYTES = {"cpu": 2**21, "cuda": 2**26}
"""Bytes of logits held at a time, by kind of device: enough for the matrix product to run at full speed."""


def log_partition(
    queries: Tensor,
    keys: Tensor,
    temperature: float,
    skip: Tensor | None = None,
    block_bytes: int | None = None,
) -> Tensor:
    """For every query q [n, d], log Σ_j exp(q · k_j / T) over all keys j [M, d] but the one it skips: [n].

    The logits are made in blocks of queries (``block_bytes`` at a time; None = what suits the device) and again in the
    backward, whose gradient is the closed form (a softmax times the keys); between the two only the inputs and one
    number a query are kept. -inf where no key is left.
    """
    with torch.autocast(queries.device.type, enabled=False):
        value: Tensor = _LogPartition.apply(queries, keys, skip, 1.0 / temperature, block_bytes)
        return value


class _LogPartition(torch.autograd.Function):
    """:func:`log_partition` with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, keys: Tensor, skip: Tensor | None, scale: float, block_bytes: int | None
    ) -> Tensor:
        value = queries.new_empty(len(queries))
        for block, logits in _logits(queries, keys, skip, scale, block_bytes):
            value[block] = logits.logsumexp(1)
        ctx.save_for_backward(queries, keys, skip, value)
        ctx.scale, ctx.block_bytes = scale, block_bytes
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, skip, value = ctx.saved_tensors
        at_queries = torch.empty_like(queries) if ctx.needs_input_grad[0] else None
        at_keys = torch.zeros_like(keys) if ctx.needs_input_grad[1] else None
        with torch.autocast(queries.device.type, enabled=False):
            for block, logits in _logits(queries, keys, skip, ctx.scale, ctx.block_bytes):
                share = logits.sub_(value[block, None]).exp_().mul_(grad[block, None] * ctx.scale)
                if at_queries is not None:
                    at_queries[block] = share @ keys
                if at_keys is not None:
                    at_keys.addmm_(share.T, queries[block])
        return at_queries, at_keys, None, None, None


def _logits(
    queries: Tensor, keys: Tensor, skip: Tensor | None, scale: float, block_bytes: int | None
) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of queries: which, and [m, M] logits in memory that the next block uses again."""
    if block_bytes is None:
        block_bytes = _BLOCK_BYTES.get(queries.device.type, 2**26)
    count = max(1, min(len(queries), block_bytes // max(1, len(keys) * keys.element_size())))
    work = queries.new_empty(count, len(keys))
    for start in range(0, len(queries), count):
        block = slice(start, min(start + count, len(queries)))
        logits = torch.mm(queries[block], keys.T, out=work[: block.stop - start]).mul_(scale)
        if skip is not None:
            logits.scatter_(1, skip[block, None], -torch.inf)
        yield block, logits
