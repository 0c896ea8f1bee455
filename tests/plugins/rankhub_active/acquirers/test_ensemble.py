"""Disagreement of networks, and chance."""

from __future__ import annotations

from statistics import pstdev

import numpy as np
import pytest
import torch
from helpers.pools import MemoryPool
from hypothesis import given
from hypothesis import strategies as st

from rankhub import UserError
from rankhub_active.acquirers.chance import Random
from rankhub_active.acquirers.ensemble import EnsembleVariance

NONE = np.empty(0, dtype=np.int64)


def networks(members: int, n: int = 7, seed: int = 0) -> list[torch.Tensor]:
    return list(torch.randn(members, n, generator=torch.Generator().manual_seed(seed)) * 3)


@pytest.mark.parametrize("members", ["checkpoints", "dropout"])
@pytest.mark.parametrize("relative", [False, True])
def test_score_is_the_standard_deviation_in_standardized_units(members, relative) -> None:
    unit = 2.0
    pool = MemoryPool(answers={"head.score": torch.zeros(7)}, numbers={"head.score": unit}, ensemble=networks(4))
    candidates = np.array([0, 2, 3, 5])
    found = EnsembleVariance(members=members, passes=4, relative=relative)(pool, NONE, candidates, 3)
    expected = []
    for row in candidates.tolist():
        answers = [float(one[row]) / unit for one in pool.ensemble]
        mean = sum(answers) / len(answers)
        expected.append(pstdev(answers) / (max(abs(mean), 1.0) if relative else 1.0))
    np.testing.assert_allclose(found.scores, expected, rtol=1e-6)
    assert found.rows.tolist() == candidates[np.argsort(-np.array(expected))][:3].tolist()


def test_networks_that_agree_tell_nothing_apart() -> None:
    pool = MemoryPool(answers={"head.score": torch.zeros(7)}, ensemble=networks(1) * 2)
    found = EnsembleVariance()(pool, NONE, np.arange(7), 3)
    assert found.rows.tolist() == [0, 1, 2]
    assert found.notes == ["all 2 networks give the same predictions, so nothing tells candidates apart"]


def test_diversity_takes_no_copies() -> None:
    spread = torch.tensor([5.0, 5.0, 1.0])
    pool = MemoryPool(
        answers={"backbone": torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])}, ensemble=[spread, -spread]
    )
    assert EnsembleVariance()(pool, NONE, np.arange(3), 2).rows.tolist() == [0, 1]
    assert EnsembleVariance(diversity=0.01)(pool, NONE, np.arange(3), 2).rows.tolist() == [0, 2]


def test_half_of_a_round_may_be_drawn_at_random() -> None:
    pool = MemoryPool(answers={"head.score": torch.zeros(7)}, ensemble=networks(3), seed=5)
    order = EnsembleVariance()(pool, NONE, np.arange(7), 7).rows.tolist()
    drawn = Random()(pool, NONE, np.arange(7), 2).rows.tolist()
    found = EnsembleVariance(random_share=0.5)(pool, NONE, np.arange(7), 5).rows.tolist()
    assert found == [*[row for row in order if row not in drawn][:3], *drawn]


@pytest.mark.parametrize(
    ("options", "ensemble", "sentence"),
    [
        ({}, networks(1), "the run kept 1; train with checkpoint.keep=5, or set `members: dropout`"),
        ({"members": "dropout"}, [], "needs a network with dropout, and this one has none"),
    ],
)
def test_what_it_cannot_compare(options, ensemble, sentence) -> None:
    pool = MemoryPool(answers={"head.score": torch.zeros(7)}, ensemble=ensemble)
    with pytest.raises(UserError, match=sentence):
        EnsembleVariance(**options)(pool, NONE, np.arange(7), 1)


@pytest.mark.parametrize(
    ("output", "numbers", "sentence"),
    [
        (None, {"a.score": 1.0}, None),
        (None, {}, "no output of this recipe is one number an image"),
        (None, {"a.count": 1.0, "b.score": 1.0}, "several outputs are one number an image: 'a.count', 'b.score'"),
        (None, {"a.count": 1.0, "a.pooled": 1.0}, None),
        ("a.count", {"a.count": 1.0, "a.pooled": 1.0}, None),
        ("a.map", {"a.count": 1.0}, "output 'a.map' is not one number an image; those that are: 'a.count'"),
    ],
)
def test_what_it_objects_to(output, numbers, sentence) -> None:
    found = list(EnsembleVariance(output=output).check({}, numbers))
    assert len(found) == (sentence is not None)
    assert sentence is None or sentence in found[0]


@given(seed=st.integers(0, 2**40), gone=st.sets(st.integers(0, 29), max_size=29))
def test_random_keeps_the_order_of_those_that_are_left(seed, gone) -> None:
    pool = MemoryPool(answers={"backbone": torch.zeros(30, 1)}, seed=seed)
    whole = Random()(pool, NONE, np.arange(30), 30)
    left = np.setdiff1d(np.arange(30), list(gone))
    found = Random()(pool, NONE, left, len(left))
    assert found.rows.tolist() == [row for row in whole.rows.tolist() if row not in gone]
    assert found.scores.tolist() == whole.scores[left].tolist()
    assert sorted(whole.rows.tolist()) == list(range(30))


def test_random_differs_from_seed_to_seed_and_takes_every_image_as_often() -> None:
    answers = {"backbone": torch.zeros(10, 1)}
    firsts = [Random()(MemoryPool(answers=answers, seed=seed), NONE, np.arange(10), 1).rows[0] for seed in range(2000)]
    counts = np.bincount(firsts, minlength=10)
    assert counts.min() > 140  # 200 expected, standard deviation 13
    assert counts.max() < 260
