import numpy as np
import pytest
import torch
from helpers.slow_pairs import brute

from rankhub_ranking.pairs import ordered_pairs


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_pairs_are_those_of_the_definition_each_once_for_any_block(columns, block):
    rng = np.random.default_rng(columns)
    owner, level = rng.integers(0, 5, 40), rng.integers(0, 3, (40, columns))
    found = [
        pair
        for upper, lower in ordered_pairs(torch.tensor(owner), torch.tensor(level), block)
        for pair in zip(upper.tolist(), lower.tolist(), strict=True)
    ]
    assert len(found) == len(set(found))
    assert set(found) == brute(owner, level)


def test_rows_of_equal_level_and_no_rows_have_no_pair():
    assert not sum(len(u) for u, _ in ordered_pairs(torch.zeros(4, dtype=torch.int64), torch.ones(4)))
    assert not list(ordered_pairs(torch.zeros(0, dtype=torch.int64), torch.ones(0)))
