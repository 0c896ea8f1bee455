"""Ranking uncertainty against loops over pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.pools import PLAIN, RANKED, MemoryPool, Seen
from helpers.slow_pairs import brute
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub import UserError
from rankhub.interfaces.generator import StreamSpec, ViewSpec
from rankhub_active.acquirers.chance import Random
from rankhub_active.acquirers.choosing import turns
from rankhub_active.acquirers.uncertainty import RankingUncertainty

NONE = np.empty(0, dtype=np.int64)


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def slow(pool: MemoryPool, row: int, draws: int) -> tuple[float, float, float, float]:
    """Share of wrong pairs, mean margin, mean absolute prediction and root mean squared margin of one image."""
    margins, sizes = [], []
    for seen in pool.seen[row][:draws]:
        sizes += [abs(one) for one in seen.predicted]
        margins += [seen.predicted[a] - seen.predicted[b] for a, b in brute(seen.kinds, seen.levels)]
    if not margins:
        return (float("nan"),) * 4
    share = sum(margin <= 0 for margin in margins) / len(margins)
    return share, float(np.mean(margins)), float(np.mean(sizes)), float(np.sqrt(np.mean(np.square(margins))))


@st.composite
def pools(draw: st.DrawFn, columns: int | None = None) -> MemoryPool:
    """Images with unequal numbers of views, several kinds of change, and predictions with equals."""
    columns = draw(st.sampled_from([1, 2])) if columns is None else columns
    number = st.integers(-6, 6).map(lambda value: value / 4)
    level = st.tuples(*[st.integers(0, 3).map(float)] * columns)

    @st.composite
    def seen(draw: st.DrawFn) -> Seen:
        n = draw(st.integers(2, 5))
        kinds = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
        return Seen(kinds, *(draw(st.lists(one, min_size=n, max_size=n)) for one in (level, number)))

    images = draw(st.lists(st.lists(seen(), min_size=3, max_size=3), min_size=2, max_size=6))
    return MemoryPool(seen=images, block=draw(st.integers(1, 7)))


def comparable(pool: MemoryPool, draws: int) -> bool:
    return any(not np.isnan(slow(pool, row, draws)[0]) for row in range(len(pool.seen)))


@settings(max_examples=80, deadline=None)
@given(
    pool=pools(),
    by=st.sampled_from(["share", "margin"]),
    normalize=st.sampled_from(["none", "mean", "spread"]),
    draws=st.integers(1, 3),
)
def test_is_the_order_that_loops_over_all_pairs_give(pool, by, normalize, draws) -> None:
    if not comparable(pool, draws):
        return
    pool.numbers = {"head.score": 0.5}
    candidates = np.arange(len(pool.seen))
    found = RankingUncertainty(by=by, normalize=normalize, draws=draws)(pool, NONE, candidates, len(candidates))
    table = [slow(pool, row, draws) for row in candidates]
    expected = []
    for row, (share, margin, size, spread) in enumerate(table):
        scale = {"none": 0.5, "mean": size, "spread": spread}[normalize]
        relative = margin / scale if scale else margin
        assert found.scores[row] == pytest.approx(share if by == "share" else -relative, nan_ok=True, abs=1e-12)
        key = (-share, round(relative, 9)) if by == "share" else (round(relative, 9),)
        expected.append((np.isnan(share), *(() if np.isnan(share) else key), row))
    # equals in exact arithmetic may differ in the last digit, so keys are compared, not rows
    keys = [key[:-1] for key in expected]
    assert [keys[row] for row in found.rows] == [key[:-1] for key in sorted(expected)]
    assert sorted(found.rows.tolist()) == candidates.tolist()


@settings(max_examples=40, deadline=None)
@given(pool=pools(), other=st.integers(1, 9))
def test_blocks_of_any_size_give_the_same(pool, other) -> None:
    if not comparable(pool, 3):
        return
    candidates = np.arange(len(pool.seen))
    one, two = (
        RankingUncertainty(draws=3)(replace(pool, block=block), NONE, candidates, 2) for block in (pool.block, other)
    )
    assert one.rows.tolist() == two.rows.tolist()
    np.testing.assert_allclose(one.scores, two.scores)


@settings(max_examples=40, deadline=None)
@given(pool=pools(), data=st.data())
def test_the_choice_does_not_depend_on_where_images_stand(pool, data) -> None:
    if not comparable(pool, 3):
        return
    n = len(pool.seen)
    order = data.draw(st.permutations(range(n)))
    moved = replace(pool, seen=[pool.seen[row] for row in order])
    acquire = RankingUncertainty(draws=3)
    before, after = (acquire(one, NONE, np.arange(n), n) for one in (pool, moved))
    np.testing.assert_allclose(after.scores, before.scores[list(order)], atol=1e-12)
    np.testing.assert_allclose(after.scores[after.rows], before.scores[before.rows], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(pool=pools(), diversity=st.sampled_from([0.0, 0.7]), seed=st.integers(0, 99))
def test_fewer_are_the_first_of_more_and_all_are_candidates(pool, diversity, seed) -> None:
    n = len(pool.seen)
    candidates = np.arange(0, n, 2)
    pool.answers = {"backbone": torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))}
    if all(np.isnan(slow(pool, row, 2)[0]) for row in candidates):
        return
    acquire = RankingUncertainty(draws=2, diversity=diversity)
    labeled = np.arange(1, n, 2)
    whole = acquire(pool, labeled, candidates, len(candidates)).rows
    assert sorted(whole.tolist()) == candidates.tolist()
    for count in range(len(candidates)):
        assert acquire(pool, labeled, candidates, count).rows.tolist() == whole[:count].tolist()


def ladder(step: float, start: float = 10.0) -> Seen:
    return Seen([0] * 4, [3.0, 2.0, 1.0, 0.0], [start - step * index for index in range(4)])


def test_where_all_is_in_order_the_margin_decides() -> None:
    pool = MemoryPool(seen=[[ladder(step)] for step in (0.3, 0.1, 0.2)])
    found = RankingUncertainty(draws=1, normalize="none")(pool, NONE, rows(0, 1, 2), 3)
    assert found.scores.tolist() == [0, 0, 0]
    assert found.rows.tolist() == [1, 2, 0]
    assert "3 of 3 images have every pair in order; among them the margin decides" in found.notes


def test_a_share_of_the_count_does_not_prefer_images_with_few_objects() -> None:
    pool = MemoryPool(seen=[[Seen([0, 0], [1.0, 0.0], pair)] for pair in ([2.0, 1.0], [200.0, 190.0])])
    chosen = {
        normalize: int(RankingUncertainty(draws=1, normalize=normalize)(pool, NONE, rows(0, 1), 1).rows[0])
        for normalize in ("none", "mean")
    }
    assert chosen == {"none": 0, "mean": 1}


def test_spread_is_one_where_all_pairs_are_as_far_apart_and_has_no_scale() -> None:
    even = Seen([0, 0, 1, 1], [1.0, 0.0, 1.0, 0.0], [3.0, 1.0, 8.0, 6.0])
    uneven = Seen([0, 0, 1, 1], [1.0, 0.0, 1.0, 0.0], [300.0, 100.0, 107.0, 106.0])
    pool = MemoryPool(seen=[[even], [uneven]])
    found = RankingUncertainty(draws=1, by="margin")(pool, NONE, rows(0, 1), 2)
    assert found.scores[0] == pytest.approx(-1)
    assert found.rows.tolist() == [1, 0]


def test_equal_predictions_are_wrong_also_where_they_differ_by_rounding() -> None:
    pair = Seen([0, 0], [1.0, 0.0], [0.1 + 1e-8, 0.1])
    pool = MemoryPool(seen=[[ladder(0.1)], [pair], [ladder(0.0)], [ladder(-0.1)]])
    found = RankingUncertainty(draws=1)(pool, NONE, rows(0, 1, 2, 3), 4)
    assert found.scores.tolist() == [0, 1, 1, 1]
    assert found.rows.tolist() == [3, 1, 2, 0]  # the reversed one, then the equal ones by their row


def test_images_without_comparable_views_come_last_without_a_score() -> None:
    alone = Seen([0, 1], [1.0, 0.0], [5.0, 7.0])
    pool = MemoryPool(seen=[[alone], [ladder(0.1)], [ladder(-0.1)]])
    found = RankingUncertainty(draws=1)(pool, NONE, rows(0, 1, 2), 3)
    assert found.rows.tolist() == [2, 1, 0]
    assert np.isnan(found.scores[0])
    assert "1 of 3 images have no comparable views; they come last" in found.notes
    with pytest.raises(UserError, match="no two views that stream 'ranked' makes of an image are comparable"):
        RankingUncertainty(draws=1)(pool, NONE, rows(0), 1)


def test_rows_may_have_gaps_and_nothing_else_is_viewed() -> None:
    pool = MemoryPool(seen=[[], [ladder(0.1)], [], [ladder(-0.1)], []])
    found = RankingUncertainty(draws=1)(pool, rows(0, 2), rows(1, 3), 1)
    assert found.rows.tolist() == [3]
    assert found.scores.tolist() == [0, 1]


def test_only_diversity_asks_for_embeddings() -> None:
    pool = MemoryPool({"backbone": torch.eye(2)}, [[ladder(0.1)], [ladder(-0.1)]])
    RankingUncertainty(draws=1)(pool, NONE, rows(0, 1), 2)
    assert pool.asked == ["ranked head.score"]
    RankingUncertainty(draws=1, diversity=0.5)(pool, NONE, rows(0, 1), 2)
    assert "backbone" in pool.asked


def test_a_network_that_diverged_is_a_sentence() -> None:
    pool = MemoryPool(seen=[[ladder(float("nan"))]])
    with pytest.raises(UserError, match=r"4 of 4 values of output 'head\.score' are not finite"):
        RankingUncertainty(draws=1)(pool, NONE, rows(0), 1)


COUNTED = StreamSpec(ViewSpec(5, 1, "ordered"), ("density.map", "density.pooled", "density.count"))
NUMBERS = {"head.score": 1.0, "density.pooled": 0.1, "density.count": 30.0}


@pytest.mark.parametrize(
    ("options", "streams", "sentence"),
    [
        ({}, {"ranked": RANKED, "plain": PLAIN}, None),
        ({}, {"plain": PLAIN}, "no stream whose generator ranks its views"),
        ({}, {"a": RANKED, "b": COUNTED}, "several streams rank their views: 'a', 'b'"),
        ({"stream": "b"}, {"a": RANKED, "b": COUNTED}, None),
        ({"stream": "plain"}, {"a": RANKED, "plain": PLAIN}, "'plain' does not rank its views; those that do: 'a'"),
        ({"stream": "plain"}, {"plain": PLAIN}, "'plain' does not rank its views; no stream of this recipe does"),
        ({}, {"a": StreamSpec(ViewSpec(2, 2, "ordered"), ("head.score",))}, "no stream whose generator ranks"),
        ({}, {"a": StreamSpec(ViewSpec(2, 1, "ordered"), ("head.map",))}, "stream 'a' trains no output that is one"),
        ({"output": "head.map"}, {"a": RANKED}, "output 'head.map' is not one number an image; those that are"),
        ({"output": "density.count"}, {"a": RANKED}, None),
    ],
)
def test_what_it_objects_to(options, streams, sentence) -> None:
    found = list(RankingUncertainty(**options).check(streams, NUMBERS))
    assert len(found) == (sentence is not None)
    assert sentence is None or sentence in found[0]


def test_takes_the_first_number_that_the_ranked_stream_trains() -> None:
    pool = MemoryPool(seen=[[ladder(0.1)]], streams={"crops": COUNTED, "plain": PLAIN}, numbers=NUMBERS)
    RankingUncertainty(draws=1)(pool, NONE, rows(0), 1)
    assert pool.asked == ["crops density.pooled"]


def test_nothing_to_choose_asks_nothing() -> None:
    pool = MemoryPool(seen=[[ladder(0.1)]])
    assert not len(RankingUncertainty()(pool, rows(0), NONE, 0).rows)
    assert not pool.asked


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=12),
    strata=st.integers(1, 6),
)
def test_strata_take_turns(values, strata) -> None:
    predicted, uncertain = (np.array(column, dtype=np.float64) for column in zip(*values, strict=True))
    n = len(predicted)
    by_prediction = sorted(range(n), key=lambda row: (predicted[row], row))
    parts = [[by_prediction[index] for index in range(n) if index * strata // n == part] for part in range(strata)]
    expected = np.empty(n)
    for part in parts:
        for turn, row in enumerate(sorted(part, key=lambda row: (-uncertain[row], row))):
            expected[row] = -turn
    assert turns(predicted, (uncertain,), strata).tolist() == expected.tolist()


def test_with_strata_the_choice_is_spread_over_the_predictions() -> None:
    # Eight images; those of low prediction are the uncertain ones.
    wrong = [4, 3, 2, 1, 0, 0, 0, 0]
    seen = [[Seen([0] * 5, [(float(v),) for v in range(5)], _with_errors(errors))] for errors in wrong]
    pool = MemoryPool(seen=seen)
    pool.answers = {"head.score": torch.arange(8.0)}
    every = np.arange(8)
    assert set(RankingUncertainty(draws=1)(pool, NONE, every, 2).rows.tolist()) == {0, 1}
    chosen = RankingUncertainty(draws=1, strata=2)(pool, NONE, every, 4).rows.tolist()
    assert chosen[:2] == [0, 4]
    assert chosen == [0, 4, 1, 5]


def _with_errors(errors: int) -> list[float]:
    """Five predictions in the order of their levels, but for so many of the first that are equal to the last."""
    return [4.0 if view < errors else float(view) for view in range(5)]


@settings(max_examples=60, deadline=None)
@given(
    pool=pools(),
    share=st.sampled_from([0.0, 0.3, 0.5, 0.9]),
    diversity=st.sampled_from([0.0, 0.7]),
    seed=st.integers(0, 9),
)
def test_a_part_of_a_round_is_what_random_takes_and_the_rest_is_chosen_without_it(pool, share, diversity, seed) -> None:
    n = len(pool.seen)
    pool.seed = seed
    pool.answers = {"backbone": torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))}
    candidates, plain = np.arange(n), RankingUncertainty(draws=2, diversity=diversity)
    mixed = RankingUncertainty(draws=2, diversity=diversity, random_share=share)
    for count in range(n + 1):
        number = sum(share * count > half for half in np.arange(0.5, n))  # .5 of 1, 2, 3, 4, 5: 0, 1, 1, 2, 2
        drawn = Random()(pool, NONE, candidates, number).rows
        left = np.setdiff1d(candidates, drawn)
        if not comparable(replace(pool, seen=[pool.seen[row] for row in left]), 2):
            continue
        found = mixed(pool, NONE, candidates, count)
        expected = plain(pool, np.sort(drawn), left, count - number).rows
        assert found.rows.tolist() == [*expected.tolist(), *drawn.tolist()]
        if count:
            np.testing.assert_array_equal(found.scores, plain(pool, NONE, candidates, count).scores)
        assert (f"{number} of {count} were drawn at random" in found.notes) == (number > 0)


def test_strata_are_of_what_chance_has_left() -> None:
    wrong = [4, 3, 2, 1, 0, 0, 0, 0]
    seen = [[Seen([0] * 5, [(float(v),) for v in range(5)], _with_errors(errors))] for errors in wrong]
    pool = MemoryPool(seen=seen, answers={"head.score": torch.arange(8.0)})
    drawn = set(Random()(pool, NONE, np.arange(8), 2).rows.tolist())
    found = RankingUncertainty(draws=1, strata=2, random_share=0.5)(pool, NONE, np.arange(8), 4).rows.tolist()
    left = [row for row in range(8) if row not in drawn]
    assert found[:2] == [left[0], left[3]]
    assert set(found[2:]) == drawn
