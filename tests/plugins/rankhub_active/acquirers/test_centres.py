"""Greedy k-centre and diversity against loops, and the laws they keep."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from helpers.pools import MemoryPool
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub import UserError
from rankhub_active.acquirers import centres
from rankhub_active.acquirers.centres import Coverage
from rankhub_active.acquirers.choosing import most_uncertain, quantiles
from rankhub_active.acquirers.coreset import Coreset
from rankhub_ranking.similarity import RESOLUTION

CPU = torch.device("cpu")
NONE = np.empty(0, dtype=np.int64)


def distances(points: np.ndarray, metric: str) -> np.ndarray:
    """[n, n], by the definition, in float64."""
    points = points.astype(np.float64)
    if metric == "cosine":
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def slow_coreset(between: np.ndarray, labeled: list[int], candidates: list[int], count: int) -> list[int]:
    have, chosen = list(labeled), []
    for _ in range(count):
        left = [row for row in candidates if row not in chosen]
        best = max(left, key=lambda row: (min(between[row][other] for other in have), -row))
        chosen.append(best)
        have.append(best)
    return chosen


@st.composite
def clouds(draw: st.DrawFn, most: int = 12) -> np.ndarray:
    """Points in general position, as float32."""
    n, width, seed = draw(st.integers(3, most)), draw(st.integers(2, 4)), draw(st.integers(0, 2**16))
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def split(n: int, labeled: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(n).permutation(n)
    return np.sort(rows[:labeled]), np.sort(rows[labeled:])


@settings(max_examples=60, deadline=None)
@given(points=clouds(), metric=st.sampled_from(["cosine", "euclidean"]), have=st.integers(1, 2))
def test_coreset_is_the_slow_greedy_choice(points, metric, have) -> None:
    labeled, candidates = split(len(points), have)
    pool = MemoryPool({"backbone": torch.from_numpy(points)})
    found = Coreset(metric=metric)(pool, labeled, candidates, len(candidates))
    between = distances(points, metric)
    assert found.rows.tolist() == slow_coreset(between, labeled.tolist(), candidates.tolist(), len(candidates))
    np.testing.assert_allclose(found.scores, between[candidates][:, labeled].min(axis=1), atol=8 * RESOLUTION)


@settings(max_examples=60, deadline=None)
@given(points=clouds(most=9), metric=st.sampled_from(["cosine", "euclidean"]), count=st.integers(1, 3))
def test_coreset_covers_the_pool_within_twice_the_least_radius(points, metric, count) -> None:
    labeled, candidates = split(len(points), 1)
    count = min(count, len(candidates))
    between = distances(points, metric)

    def radius(chosen: list[int]) -> float:
        return float(between[:, [*labeled, *chosen]].min(axis=1).max())

    found = Coreset(metric=metric)(MemoryPool({"backbone": torch.from_numpy(points)}), labeled, candidates, count)
    best = min(radius(list(chosen)) for chosen in combinations(candidates.tolist(), count))
    assert radius(found.rows.tolist()) <= 2 * best + 1e-6


def test_without_labels_the_first_is_in_the_middle() -> None:
    points = torch.tensor([[0.0, 0.0], [10.0, 0.0], [4.0, 0.0], [-1.0, 0.0]])
    pool = MemoryPool({"backbone": points})
    found = Coreset(metric="euclidean")(pool, NONE, np.arange(4), 3)
    assert found.rows.tolist() == [2, 1, 3]
    np.testing.assert_allclose(found.scores, [4, 6, np.nan, 5])
    assert found.notes[0].startswith("no image is labeled yet")
    assert found.notes[1].endswith("no candidate is further than 1 from a labeled image")


@settings(max_examples=30, deadline=None)
@given(points=clouds(), have=st.integers(0, 2))
def test_fewer_are_the_first_of_more(points, have) -> None:
    labeled, candidates = split(len(points), have)
    pool = MemoryPool({"backbone": torch.from_numpy(points)})
    whole = Coreset()(pool, labeled, candidates, len(candidates)).rows
    assert sorted(whole.tolist()) == candidates.tolist()
    for count in range(len(candidates)):
        assert Coreset()(pool, labeled, candidates, count).rows.tolist() == whole[:count].tolist()


@settings(max_examples=30, deadline=None)
@given(points=clouds(), have=st.integers(0, 2), seed=st.integers(0, 99))
def test_the_choice_does_not_depend_on_where_images_stand(points, have, seed) -> None:
    labeled, candidates = split(len(points), have)
    order = np.random.default_rng(seed).permutation(len(points))
    index = np.argsort(order)
    count = min(len(candidates), 3)
    one = Coreset()(MemoryPool({"backbone": torch.from_numpy(points)}), labeled, candidates, count)
    moved = MemoryPool({"backbone": torch.from_numpy(points[order])})
    two = Coreset()(moved, np.sort(index[labeled]), np.sort(index[candidates]), count)
    assert order[two.rows].tolist() == one.rows.tolist()


@pytest.mark.parametrize(("block", "centre_block"), [(1, 1), (3, 2), (5, 100)])
def test_equals_go_to_the_lower_row_whatever_the_blocks(monkeypatch, block, centre_block) -> None:
    generator = torch.Generator().manual_seed(3)
    few = torch.randn(7, 33, generator=generator)
    points = few.repeat(6, 1)  # each image six times
    labeled, candidates = np.array([0, 2]), np.setdiff1d(np.arange(len(points)), [0, 2])
    pool = MemoryPool({"backbone": points})
    expected = Coreset()(pool, labeled, candidates, len(candidates))
    monkeypatch.setattr(centres, "BLOCK", block)
    monkeypatch.setattr(centres, "CENTRES", centre_block)
    found = Coreset()(pool, labeled, candidates, len(candidates))
    assert found.rows.tolist() == expected.rows.tolist()
    assert found.scores.tolist() == expected.scores.tolist()
    # the five images that are not labeled, each by its first copy, then all others by their rows
    assert sorted(found.rows[:5].tolist()) == [1, 3, 4, 5, 6]
    assert found.rows[5:].tolist() == [row for row in candidates.tolist() if row not in found.rows[:5]]


def test_distances_of_copies_are_exactly_zero_and_near_ones_are_told_apart() -> None:
    first = torch.full((1, 64), 1.0)
    near = first.clone()
    near[0, 0] += 1e-4
    images = torch.cat([first, near, near])
    coverage = Coverage(images, torch.cat([near, first + 0.5, first]), "euclidean", CPU)
    assert coverage.nearest.tolist() == [0, 0, 0]
    coverage = Coverage(images, near, "euclidean", CPU)
    assert coverage.nearest[0] == pytest.approx(1e-4, abs=16 * RESOLUTION / 2)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("dim", [3, 65, 513])
def test_places_blocks_and_threads_change_no_bit_of_a_distance(monkeypatch, metric, dim) -> None:
    generator = torch.Generator().manual_seed(dim)
    few = 3 * torch.randn(9, dim, generator=generator, dtype=torch.float64) + 1
    few[8] = 0
    which = torch.randint(9, (120,), generator=generator)
    points = few[which].float()
    expected = None
    for threads in (1, 3):
        torch.set_num_threads(threads)
        for block, centre_block in ((2048, 4096), (1, 1), (7, 3)):
            monkeypatch.setattr(centres, "BLOCK", block)
            monkeypatch.setattr(centres, "CENTRES", centre_block)
            order = torch.randperm(120, generator=generator)
            images, have = points[order], points[:40][torch.randperm(40, generator=generator)]
            coverage = Coverage(images, have, metric, CPU)
            to_first = coverage.to(int((order == 0).nonzero()))
            back = torch.argsort(order).numpy()
            found = np.stack([coverage.nearest[back], to_first[back], coverage.to_mean()[back]])
            expected = found if expected is None else expected
            np.testing.assert_array_equal(found, expected)
    for row in range(9):  # copies have one distance, and none to each other
        assert len(np.unique(expected[:, which == row], axis=1).T) == 1
    assert (expected[0][torch.isin(which, which[:40]).numpy()] == 0).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("dim", [5, 65, 513])
def test_images_that_are_equally_far_are_equals_and_so_are_centres(metric, dim) -> None:
    generator = torch.Generator().manual_seed(dim)
    one = torch.randn(dim, generator=generator)
    turned = torch.stack([one[torch.randperm(dim, generator=generator)] for _ in range(50)])
    diagonal = torch.full((1, dim), 0.37)  # as far from every arrangement of the same numbers
    pool = MemoryPool({"backbone": torch.cat([diagonal, turned])})
    found = Coreset(metric=metric)(pool, np.array([0]), np.arange(1, 51), 1)
    assert found.rows.tolist() == [1]
    assert len(set(found.scores.tolist())) == 1
    nearest = {Coverage(diagonal, turned[start:], metric, CPU).nearest[0] for start in range(50)}
    assert nearest == set(found.scores.tolist())


def test_a_vector_of_zeros_has_a_distance() -> None:
    coverage = Coverage(torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[5.0, 0.0]]), "cosine", CPU)
    assert coverage.nearest.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([torch.zeros(1, 2, 2)] * 3, "output 'backbone' is a map"),
        (torch.tensor([[1.0], [torch.inf], [torch.nan]]), "2 of 3 values of output 'backbone' are not finite"),
    ],
)
def test_what_coreset_cannot_measure(values, sentence) -> None:
    with pytest.raises(UserError, match=sentence):
        Coreset()(MemoryPool({"backbone": values}), NONE, np.arange(3), 1)


def slow_diverse(
    values: np.ndarray, between: np.ndarray, labeled: list[int], candidates: list[int], weight: float
) -> list[int]:
    have, chosen = list(labeled), []
    scale = None
    while len(chosen) < len(candidates):
        near = {row: min((between[row][other] for other in have), default=0.0) for row in candidates}
        if have and scale is None:
            scale = max(near.values())
        left = [index for index, row in enumerate(candidates) if row not in chosen]
        gain = {index: values[index] + (weight * near[candidates[index]] / scale if scale else 0.0) for index in left}
        best = candidates[max(left, key=lambda index: (gain[index], -index))]
        chosen.append(best)
        have.append(best)
    return chosen


@settings(max_examples=60, deadline=None)
@given(points=clouds(), have=st.integers(0, 2), weight=st.sampled_from([0.3, 1.0, 4.0]), seed=st.integers(0, 99))
def test_diversity_is_the_slow_greedy_choice(points, have, weight, seed) -> None:
    labeled, candidates = split(len(points), have)
    uncertain = np.random.default_rng(seed).normal(size=len(candidates))
    pool = MemoryPool({"backbone": torch.from_numpy(points)})
    found = most_uncertain(pool, labeled, candidates, len(candidates), (uncertain,), weight, "backbone")
    values = quantiles((uncertain,))
    between = distances(points, "cosine")
    assert found.tolist() == slow_diverse(values, between, labeled.tolist(), candidates.tolist(), weight)


@settings(max_examples=40, deadline=None)
@given(points=clouds(most=8), weight=st.sampled_from([0.01, 1.0]), have=st.booleans(), seed=st.integers(0, 99))
def test_of_copies_one_is_chosen_while_others_remain(points, weight, have, seed) -> None:
    n = len(points)
    twice = np.concatenate([points, points])
    uncertain = np.tile(np.random.default_rng(seed).normal(size=n), 2)
    labeled = np.array([0] if have else [], dtype=np.int64)
    candidates = np.setdiff1d(np.arange(2 * n), labeled)
    pool = MemoryPool({"backbone": torch.from_numpy(twice)})
    fresh = n - len(labeled)
    found = most_uncertain(pool, labeled, candidates, fresh, (uncertain[candidates],), weight, "backbone")
    assert len({row % n for row in found.tolist()} - set(labeled.tolist())) == fresh
    plain = most_uncertain(pool, labeled, candidates, 2, (uncertain[candidates],), 0.0, "backbone")
    assert have or plain[0] % n == plain[1] % n


def test_a_network_with_one_embedding_for_all_leaves_the_plain_order() -> None:
    uncertain = np.array([0.1, 0.9, 0.5, 0.9])
    pool = MemoryPool({"backbone": torch.ones(5, 8)})
    found = most_uncertain(pool, np.array([4]), np.arange(4), 4, (uncertain,), 1.0, "backbone")
    assert found.tolist() == [1, 3, 2, 0]


def test_embeddings_that_are_all_the_same_are_said_to_be() -> None:
    pool = MemoryPool({"backbone": torch.ones(5, 8)})
    for labeled, candidates in ((np.array([4]), np.arange(4)), (NONE, np.arange(4))):
        found = Coreset()(pool, labeled, candidates, 3)
        assert found.rows.tolist() == [0, 1, 2]
        assert any("the same for all images (collapsed)" in note for note in found.notes)


def test_quantiles_share_the_places_of_equals() -> None:
    share = np.array([0.5, 0.5, 0.0, 0.5, np.nan])
    margin = np.array([1.0, 2.0, 9.0, 1.0, np.nan])
    assert quantiles((share, margin)).tolist() == [0.625, 1.0, 0.25, 0.625, 0.0]
    assert quantiles((np.array([3.0]),)).tolist() == [0.0]
    assert quantiles((np.array([0.0, -0.0]),)).tolist() == [0.5, 0.5]
