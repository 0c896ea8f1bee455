"""Expectations over the orders of equals, against every order written out."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from rankhub_retrieval.ties import LAST, Rankings, chance_average_precision, ranking_keys


def orders(similarity: list[float], relevant: list[bool]) -> list[list[bool]]:
    """The relevance along the ranking, for every order of the items that agrees with the similarities."""
    orders = permutations(range(len(similarity)))
    fit = [p for p in orders if all(similarity[a] >= similarity[b] for a, b in pairwise(p))]
    return [[relevant[i] for i in p] for p in fit]


def average_precision(flags: list[bool], k: int) -> Fraction:
    hits = [rank for rank in range(1, min(k, len(flags)) + 1) if flags[rank - 1]]
    return sum((Fraction(sum(flags[:rank]), rank) for rank in hits), start=Fraction(0)) / min(k, sum(flags))


def rankings(similarity: torch.Tensor, relevant: torch.Tensor) -> Rankings:
    return Rankings(ranking_keys(similarity.clone(), relevant).sort(dim=1).values)


@st.composite
def tied(draw) -> tuple[list[float], list[bool]]:
    count = draw(st.integers(1, 6))
    similarity = draw(st.lists(st.sampled_from([-1.0, -0.25, 0.3, 1.0]), min_size=count, max_size=count))
    relevant = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(any))
    return similarity, relevant


@settings(max_examples=150, deadline=None, derandomize=True)
@given(tied(), st.integers(1, 8))
def test_equals_the_mean_over_all_orders(ranking, k):
    similarity, relevant = ranking
    every = orders(similarity, relevant)
    got = rankings(torch.tensor([similarity]), torch.tensor([relevant]))
    whole = sum(average_precision(flags, len(flags)) for flags in every) / len(every)
    cut = sum(average_precision(flags, k) for flags in every) / len(every)
    hit = Fraction(sum(any(flags[:k]) for flags in every), len(every))
    assert got.average_precision().item() == pytest.approx(float(whole), abs=1e-12)
    assert got.average_precision(k).item() == pytest.approx(float(cut), abs=1e-12)
    assert got.recall(k).item() == pytest.approx(float(hit), abs=1e-12)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 40), st.integers(1, 5), st.integers(1, 15))
def test_many_queries_at_once_equal_each_alone(seed, queries, items, values, k):
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.randint(-values, values + 1, (queries, items), generator=generator) / values
    relevant = torch.rand(queries, items, generator=generator) < 0.3
    relevant[:, 0] = True
    together = rankings(similarity, relevant)
    alone = [rankings(similarity[[q]], relevant[[q]]) for q in range(queries)]
    for measure in (lambda r: r.average_precision(), lambda r: r.average_precision(k), lambda r: r.recall(k)):
        torch.testing.assert_close(measure(together), torch.cat([measure(one) for one in alone]))


def test_without_ties_it_is_the_usual_average_precision():
    rng = np.random.default_rng(0)
    similarity = np.stack([rng.permutation(300) / 150 - 1 for _ in range(20)]).astype(np.float32)
    relevant = rng.random((20, 300)) < 0.1
    got = rankings(torch.from_numpy(similarity), torch.from_numpy(relevant)).average_precision()
    usual = [average_precision_score(r, s) for r, s in zip(relevant, similarity, strict=True)]
    np.testing.assert_allclose(got, usual, atol=1e-12)


@pytest.mark.parametrize(("length", "relevant"), [(1, 1), (10, 3), (500, 1), (500, 499), (500, 500)])
def test_chance_is_the_ranking_of_equals(length, relevant):
    flags = torch.arange(length)[None] < relevant
    equal = rankings(torch.full((1, length), 0.123), flags)
    torch.testing.assert_close(chance_average_precision(torch.tensor([relevant]), length), equal.average_precision())


def test_chance_equals_the_published_simulation():
    """Random rankings of the 255 other views, 3 of them of the query's image: .0322 by simulation."""
    assert chance_average_precision(torch.tensor([3]), 255).item() == pytest.approx(0.0322, abs=1e-3)


def test_similarities_within_rounding_are_equals():
    near = torch.tensor([[1.0, 1.0 - 1e-7, 1.0 + 1e-7, 0.5]])
    keys = ranking_keys(near, torch.zeros(1, 4, dtype=torch.bool))
    assert keys[0, 0] == keys[0, 1] == keys[0, 2] < keys[0, 3] < LAST
