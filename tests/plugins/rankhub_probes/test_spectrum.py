"""Singular values come out as from one decomposition of the whole, and the smooth rank is that of the spectrum."""

import numpy as np
import pytest
import torch
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from rankhub_probes.features import singular_values, smooth_rank

CPU = torch.device("cpu")


@pytest.mark.parametrize(("rows", "columns"), [(5000, 3), (2300, 40), (30, 7), (7, 30), (1, 4), (4, 1)])
@pytest.mark.parametrize("centre", [False, True])
def test_blocks_equal_one_decomposition(rows, columns, centre):
    values = np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float32) + 3
    exact = values.astype(np.float64)
    expected = np.linalg.svd(exact - exact.mean(0) * centre, compute_uv=False)
    found = singular_values(torch.from_numpy(values), CPU, centre=centre)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_small_singular_values_are_exact():
    # The Gram matrix would lose everything below 1e-8 of the largest.
    left = np.linalg.qr(np.random.default_rng(0).normal(size=(3000, 4)))[0]
    spectrum = np.array([1.0, 1e-4, 1e-9, 1e-12])
    np.testing.assert_allclose(singular_values(torch.from_numpy(left * spectrum), CPU), spectrum, rtol=1e-3)


@examples(st.integers(1, 20), st.integers(0, 20), st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=50)
def test_equal_weights_count(rank, zeros, scale):
    weights = torch.cat([torch.full((rank,), scale), torch.zeros(zeros)]).double()
    assert smooth_rank(weights, 0.0) == pytest.approx(rank, rel=1e-12)


@examples(st.lists(st.just(0.0) | st.floats(1e-6, 1e6), min_size=1, max_size=12), st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=100)
def test_between_one_and_the_number_of_weights_and_free_of_scale(weights, scale):
    spectrum = torch.tensor(weights, dtype=torch.float64)
    rank = smooth_rank(spectrum, 0.0)
    if spectrum.any():
        assert 1 - 1e-12 <= rank <= int((spectrum > 0).sum()) * (1 + 1e-12)
        assert smooth_rank(spectrum * scale, 0.0) == pytest.approx(rank, rel=1e-9)
    else:
        assert rank == 0
