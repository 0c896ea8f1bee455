"""Means whose bits do not depend on the order of what is added."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rankhub_ranking.sums import exact_mean, fixed_point

numbers = st.lists(st.floats(-1, 1), min_size=1, max_size=60)


@given(numbers, st.randoms(use_true_random=False))
def test_the_mean_is_exact_in_any_order(values, random):
    mean = exact_mean(torch.tensor(values, dtype=torch.float64))
    assert abs(Fraction(mean.item()) - sum(map(Fraction, values)) / len(values)) < Fraction(1, 2**50)
    random.shuffle(values)
    assert torch.equal(exact_mean(torch.tensor(values, dtype=torch.float64)), mean)


def test_order_and_threads_change_no_bit_of_a_long_mean():
    values = torch.rand(200_001, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = set()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        exact |= {exact_mean(values).item(), exact_mean(values.flip(0)).item()}
    (mean,) = exact
    assert mean == pytest.approx(math.fsum(values.tolist()) / 200_001, abs=1e-15)


def test_along_one_dimension():
    values = torch.rand(3, 50, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(exact_mean(values, 1), values.double().mean(1))
    torch.testing.assert_close(exact_mean(values, 0), values.double().mean(0))
    torch.testing.assert_close(exact_mean(values), values.double().mean())


def test_of_none_it_is_zero_and_with_a_nan_or_infinity_nan():
    assert exact_mean(torch.empty(0)) == 0
    assert exact_mean(torch.empty(2, 0), 1).tolist() == [0, 0]
    for bad in (math.nan, math.inf, -math.inf):
        row = exact_mean(torch.tensor([[0.5, bad], [0.5, 1.0]]), 1)
        assert row[0].isnan()
        assert row[1] == 0.75


@pytest.mark.parametrize("most", [1, 2, 3, 1000, 2**20 - 1, 2**20])
def test_a_sum_of_the_most_fits(most):
    whole, step = fixed_point(torch.tensor([float(most), -float(most)]), most)
    assert (whole.double() * step).tolist() == [most, -most]
    assert 2.0**60 < whole[0] <= 2.0**62
