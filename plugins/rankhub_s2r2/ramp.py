"""The piecewise-linear step, summed by sorting: no pair is visited."""

from __future__ import annotations

import torch
from torch import Tensor

from rankhub_s2r2.steps import SlopedStep

_LOW = 0xFFFFFFFF


def sort(values: Tensor) -> Tensor:
    """[m, n] floating point with ascending rows; ``values`` may be overwritten."""
    if values.device.type != "cpu":
        return values.sort(1).values
    values.numpy().sort(axis=1)
    return values


def argsort(values: Tensor) -> tuple[Tensor, Tensor]:
    """[m, n] with ascending rows, and [m, n] int64 from where each value came; no NaN, n below 2^32."""
    if values.device.type != "cpu" or values.dtype != torch.float32:
        ordered, order = values.sort(1)
        return ordered, order
    bits = values.contiguous().view(torch.int32)
    bits = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # the more negative a number, the larger its bits: turn them round
    keys = (bits.long() << 32).bitwise_or_(torch.arange(values.shape[1]))
    keys.numpy().sort(axis=1)
    order = keys.bitwise_and_(_LOW)
    return values.gather(1, order), order


def prefix_sums(values: Tensor) -> Tensor:
    """[m, n + 1] float64: at k the sum of the first k values of the row."""
    sums = torch.zeros(len(values), values.shape[1] + 1, dtype=torch.float64, device=values.device)
    torch.cumsum(values, 1, dtype=torch.float64, out=sums[:, 1:])
    return sums


_TILE_BYTES = {"cpu": 2**19, "cuda": 2**26}
"""Bytes of scores sorted at a time: on a CPU what stays in the second-level cache together with its prefix sums."""


class Ramp(SlopedStep):
    """H(x) = clip(x / 2w + 1/2, 0, 1); H' = 1 / 2w where |x| < w, else 0.

    With the scores sorted, those within w of pivot i stand side by side from lo to hi, those after hi count 1, and

        Σ_j H(s_j - s_i) = (n - hi) + (hi - lo) / 2 + (C_hi - C_lo - (hi - lo) s_i) / 2w

    with C the prefix sums: O(n log n + P log n) for n scores and P pivots. C is summed in float64, since windows are
    small differences of large sums. The gradient at a score sums over the windows that it lies in; along the sorted
    scores that changes at the 2P ends of windows only, so it is a prefix sum too.
    """

    def __init__(self, width: float) -> None:
        self.width = width

    def sums(self, scores: Tensor, pivots: Tensor) -> Tensor:
        """The sums, from sorted scores."""
        out = torch.empty_like(pivots)
        for tile in _tiles(scores):
            own = pivots[tile]
            # Bounded: -inf would spoil the prefix sums, and what is below all windows counts 0 wherever it is.
            ordered = sort(scores[tile].maximum(own.amin(1, keepdim=True) - 2 * self.width))
            low, high = self._windows(ordered, own)
            sums, inside = prefix_sums(ordered), high - low
            gaps = sums.gather(1, high) - sums.gather(1, low) - inside * own.double()
            out[tile] = gaps / (2 * self.width) + inside / 2 + (scores.shape[1] - high)
        return out

    def pull_back(self, scores: Tensor, pivots: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the weighted sums."""
        slopes = weights / (2 * self.width)
        at_scores, at_pivots = torch.empty_like(scores), torch.empty_like(pivots)
        for tile in _tiles(scores):
            ordered, order = argsort(scores[tile])
            low, high = self._windows(ordered, pivots[tile])
            changes = torch.zeros(ordered.shape[0], ordered.shape[1] + 1, dtype=torch.float64, device=scores.device)
            changes.scatter_add_(1, low, slopes[tile].double()).scatter_add_(1, high, -slopes[tile].double())
            at_scores[tile] = torch.empty_like(ordered).scatter_(1, order, changes.cumsum(1)[:, :-1].to(scores.dtype))
            at_pivots[tile] = -slopes[tile] * (high - low)
        return at_scores, at_pivots

    def _windows(self, ordered: Tensor, pivots: Tensor) -> tuple[Tensor, Tensor]:
        """[m, P] int64 each: where the scores within the width of each pivot begin, and where they end."""
        low = torch.searchsorted(ordered, pivots - self.width, right=True)
        return low, torch.searchsorted(ordered, pivots + self.width)


def _tiles(scores: Tensor) -> list[slice]:
    """Slices of the queries."""
    row_bytes = max(1, scores.shape[1] * scores.element_size())
    rows = max(1, _TILE_BYTES.get(scores.device.type, 2**26) // row_bytes)
    return [slice(start, start + rows) for start in range(0, len(scores), rows)]
