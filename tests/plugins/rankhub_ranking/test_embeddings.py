"""Rows of unit length in full precision."""

from __future__ import annotations

import pytest
import torch

from rankhub_ranking.embeddings import full_precision, unit_rows


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
    ],
)
def test_half_precision_is_raised_and_float64_kept_also_inside_autocast(given, kept):
    values = torch.tensor([[3.0, 4.0], [0.0, -2.0]]).to(given)
    assert full_precision(values).dtype == kept
    with torch.autocast("cpu", torch.bfloat16):
        rows = unit_rows(values)
    assert rows.dtype == kept
    torch.testing.assert_close(rows, torch.tensor([[0.6, 0.8], [0.0, -1.0]], dtype=kept))


def test_a_row_of_zero_stays_zero_with_the_gradient_of_an_undivided_row():
    values = torch.tensor([[0.0, 0.0], [0.0, 5.0]], requires_grad=True)
    rows = unit_rows(values)
    assert torch.equal(rows.detach(), torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    rows.sum().backward()
    torch.testing.assert_close(values.grad, torch.tensor([[1.0, 1.0], [0.2, 0.0]]))


@pytest.mark.parametrize("length", [1e-15, 1.0, 1e15])
def test_length_does_not_matter(length):
    values = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(unit_rows(values * length), unit_rows(values))
