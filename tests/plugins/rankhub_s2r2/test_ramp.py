"""The ramp's sums by sorting equal those over all pairs, in float32 too."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_s2r2 import ramp
from rankhub_s2r2.ramp import Ramp, argsort, prefix_sums, sort


def pairs(scores, pivots, width, weights):
    """The sums, and the gradient of their weighted total, from every pair."""
    gaps = scores[:, None] - pivots[:, :, None]
    slopes = (gaps.abs() < width) * weights[:, :, None] / (2 * width)
    return (gaps / (2 * width) + 0.5).clamp(0, 1).sum(2), slopes.sum(1), -slopes.sum(2)


def draw(rows, items, pivots, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, items, generator=generator, dtype=dtype).mul_(0.3).clamp_(-1, 1)
    own = torch.randn(rows, pivots, generator=generator, dtype=dtype).mul_(0.3).clamp_(-1, 1)
    return scores, own, torch.randn(rows, pivots, generator=generator, dtype=dtype)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(1, 4), st.integers(0, 30), st.integers(1, 8), st.floats(1e-3, 5), st.integers(0, 2**31), st.booleans()
)
def test_sums_and_gradient_equal_those_over_pairs(rows, items, count, width, seed, leave_out):
    scores, pivots, weights = draw(rows, items, count, seed)
    if leave_out:
        scores[:, ::3] = -torch.inf
    step = Ramp(width)
    sums, at_scores, at_pivots = pairs(scores, pivots, width, weights)
    torch.testing.assert_close(step.sums(scores, pivots), sums, rtol=1e-12, atol=1e-11)
    got = step.pull_back(scores, pivots, weights)
    torch.testing.assert_close(got, (at_scores, at_pivots), rtol=1e-9, atol=1e-9)


def test_equals_and_the_score_itself_count_half():
    scores = torch.full((1, 6), 0.4)
    torch.testing.assert_close(Ramp(0.1).sums(scores, scores[:, :2]), torch.full((1, 2), 3.0))


@pytest.mark.parametrize("width", [0.1, 0.02])
def test_prefix_sums_do_not_cancel_in_float32(width):
    scores, pivots, weights = draw(3, 16_384, 5, 0, torch.float32)
    scores = scores.mul_(0.1).add_(0.8)  # large sums, small gaps
    pivots = pivots.mul_(0.1).add_(0.8)
    step = Ramp(width)
    sums, at_scores, _ = pairs(scores.double(), pivots.double(), width, weights.double())
    torch.testing.assert_close(step.sums(scores, pivots).double(), sums, rtol=1e-5, atol=1e-3)
    got = step.pull_back(scores, pivots, weights)[0].double()
    # Whether a score on the very edge of a window lies inside is rounding: compare all others.
    edge = ((scores[:, None].double() - pivots[:, :, None].double()).abs() - width).abs().amin(1) < 1e-6
    assert edge.float().mean() < 0.01
    torch.testing.assert_close(got[~edge], at_scores[~edge], rtol=1e-5, atol=1e-5)


def test_size_of_the_tiles_does_not_matter(monkeypatch):
    scores, pivots, weights = draw(7, 50, 3, 1)
    whole = Ramp(0.1).sums(scores, pivots), *Ramp(0.1).pull_back(scores, pivots, weights)
    monkeypatch.setitem(ramp._TILE_BYTES, "cpu", 1)
    torch.testing.assert_close((Ramp(0.1).sums(scores, pivots), *Ramp(0.1).pull_back(scores, pivots, weights)), whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sorting_equals_that_of_torch(dtype):
    values = torch.randn(5, 300, generator=torch.Generator().manual_seed(0), dtype=dtype)
    values[0, :9] = -torch.inf
    values[1, :9] = torch.tensor([0.0, -0.0, 1e-40, -1e-40, torch.inf, 3, 3, -3, -3], dtype=dtype)
    expected = values.sort(1).values
    ordered, order = argsort(values)
    assert torch.equal(ordered, expected)
    assert torch.equal(values.gather(1, order), expected)
    assert torch.equal(order.sort(1).values, torch.arange(300).expand(5, 300))
    assert torch.equal(sort(values.clone()), expected)
    finite = values[2:]
    torch.testing.assert_close(prefix_sums(finite)[:, 1:], finite.double().cumsum(1))
    assert (prefix_sums(finite)[:, 0] == 0).all()
