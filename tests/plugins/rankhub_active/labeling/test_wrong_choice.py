"""What is said of an acquirer's choice."""

from __future__ import annotations

import numpy as np
import pytest

from rankhub_active.acquire import Acquired
from rankhub_active.labeling.choose import wrong_choice

CANDIDATES = np.array([2, 3, 5, 8])
SCORES = np.zeros(4)
WRONG = {
    "nothing": (None, "gave NoneType, it must be an Acquired"),
    "too_few": (Acquired(np.array([2]), SCORES), "chose int64 [1], it must choose 2 rows of the pool"),
    "too_many": (Acquired(np.array([2, 3, 5]), SCORES), "chose int64 [3], it must choose 2 rows"),
    "floats": (Acquired(np.array([2.0, 3.0]), SCORES), "chose float64 [2], it must choose 2 rows"),
    "columns": (Acquired(np.array([[2, 3]]), SCORES), "chose int64 [1, 2]"),
    "twice": (Acquired(np.array([3, 3]), SCORES), "chose [3, 3], which are not 2 different ones of the candidates"),
    "places": (Acquired(np.array([0, 1]), SCORES), "chose [0, 1], which are not 2 different ones of the candidates"),
    "out_of_range": (Acquired(np.array([2, 99]), SCORES), "chose [2, 99], which are not"),
    "scores": (Acquired(np.array([2, 3]), np.zeros(2)), "gave scores float64 [2], they must be 4, one a candidate"),
    "texts": (Acquired(np.array([2, 3]), np.array(list("abcd"))), "gave scores <U1 [4]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_said_of_a_wrong_choice(name):
    chosen, says = WRONG[name]
    (said,) = wrong_choice(chosen, CANDIDATES, 2)
    assert said.startswith(says)


def test_nothing_is_said_of_a_good_one():
    scores = np.array([np.nan, 1.0, 2.0, 0.0])
    assert list(wrong_choice(Acquired(np.array([5, 3]), scores), CANDIDATES, 2)) == []
    assert list(wrong_choice(Acquired(CANDIDATES[:0], scores), CANDIDATES, 0)) == []
