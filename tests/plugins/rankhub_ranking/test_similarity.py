"""Equal rows have equal similarities, wherever they stand."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rankhub_ranking.embeddings import unit_rows
from rankhub_ranking.similarity import RESOLUTION, inner_products, rounded, similarities


def drawn(dim: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """[211, dim] copies of 7 different rows, one of them zero, and which row each is a copy of."""
    generator = torch.Generator().manual_seed(dim)
    few = torch.randn(7, dim, generator=generator, dtype=torch.float64)
    few[6] = 0
    which = torch.randint(7, (211,), generator=generator)
    return few[which].to(dtype), which


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dim", [3, 65, 128, 515])
def test_similarities_are_those_of_the_rows_whatever_their_places_blocks_and_threads(dim, dtype):
    values, which = drawn(dim, dtype)
    first = torch.stack([(which == row).nonzero()[0, 0] for row in range(7)])
    rows = unit_rows(values)
    few = similarities(rows[first], rows[first])
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        for block in (1, 2, 50, 211):
            made = torch.cat([similarities(some, rows) for some in unit_rows(values).split(block)])
            assert torch.equal(made, few[which][:, which])
    assert torch.equal(few.diagonal(), torch.tensor([1.0] * 6 + [0.0]))


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_only_what_is_nearer_than_the_resolution_may_become_equal(a, b):
    cells = rounded(torch.tensor([a, b], dtype=torch.float64))
    for cell, value in zip(cells.tolist(), (a, b), strict=True):
        assert abs(Fraction(cell) - Fraction(value)) <= Fraction(RESOLUTION) / 2
    if abs(a - b) > RESOLUTION:
        assert (cells[0] < cells[1]) == (a < b)
        assert cells[0] != cells[1]
    assert torch.equal(cells.float().double(), cells)  # float32 holds it


def test_distances_are_rounded_on_the_grid_of_their_unit():
    values = torch.tensor([0.0, 3.3, -7.7], dtype=torch.float64)
    assert torch.equal(rounded(values, 16.0), 16 * rounded(values / 16))


def test_autocast_lowers_no_product():
    values, _ = drawn(65, torch.float32)
    rows = unit_rows(values)
    expected = inner_products(rows, rows)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(inner_products(rows, rows), expected)


@pytest.mark.parametrize("layout", ["plain", "transposed", "strided"])
@pytest.mark.parametrize("dim", [3, 17, 130])
def test_rows_that_are_equal_are_equal_when_divided_by_their_lengths(layout, dim):
    values, which = drawn(dim, torch.float32)
    if layout == "transposed":
        values = values.T.contiguous().T
    if layout == "strided":
        values = torch.cat([values, values[:, :1]], 1)[:, :dim]
    for threads in (1, 2):
        torch.set_num_threads(threads)
        rows = unit_rows(values)
        for row in range(7):
            assert len(rows[which == row].unique(dim=0)) == 1
