"""The order of an epoch: a permutation without a table, and how well it shuffles."""

from contextlib import closing

import numpy as np
import pytest
from helpers.fakes import Dimmer, Patches
from helpers.training import objective, parts_of, recipe, streams, train, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from rankhub.engine.feed import Chain, EpochPosition, Feed
from rankhub.engine.shuffle import Shuffle
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.processes import Processes
from rankhub.recipe.assembly import plan_chain


def shuffle(count, block=1, seed=0):
    return Shuffle(count, Draws(seed, "phase/stream", 0), block)


def is_permutation(count, block, seed):
    return np.array_equal(np.sort(shuffle(count, block, seed)(np.arange(count))), np.arange(count))


@given(st.integers(1, 3000), st.integers(1, 4000), st.integers(0, 2**63 - 1))
@settings(max_examples=60, deadline=None)
def test_every_number_comes_once(count, block, seed):
    assert is_permutation(count, block, seed)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 64, 97, 1024, 1025, 65537])
@pytest.mark.parametrize("block", [1, 2, 64])
def test_every_number_comes_once_at_the_edges(count, block):
    assert is_permutation(count, block, 0)


@given(st.integers(1, 3000), st.integers(1, 100), st.data())
@settings(max_examples=30, deadline=None)
def test_a_part_is_that_part_of_the_whole(count, block, data):
    ours, first = shuffle(count, block), data.draw(st.integers(0, count - 1))
    assert np.array_equal(ours(np.arange(first, count)), ours(np.arange(count))[first:])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [10_000, 16_384, 10_007])
def test_rank_does_not_follow_position(count, seed):
    found = shuffle(count, seed=seed)(np.arange(count))
    assert abs(np.corrcoef(np.arange(count), found)[0, 1]) < 3.5 / np.sqrt(count)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("apart", [1, 2, 64])
def test_neighbours_are_independent(apart, seed):
    found, cells = shuffle(40_000, seed=seed)(np.arange(40_000)) // 4000, 10
    pairs = np.bincount(found[:-apart] * cells + found[apart:], minlength=cells**2)
    expected = pairs.sum() / cells**2
    low, high = chi2.ppf([1e-4, 1 - 1e-4], (cells - 1) ** 2)
    assert low < ((pairs - expected) ** 2 / expected).sum() < high


def test_all_orders_of_four_are_as_frequent():
    orders = np.array([shuffle(4, seed=seed)(np.arange(4)) @ [64, 16, 4, 1] for seed in range(2400)])
    _, counts = np.unique(orders, return_counts=True)
    assert len(counts) == 24
    assert ((counts - 100) ** 2 / 100).sum() < chi2.ppf(1 - 1e-4, 23)


def test_a_block_stays_together_and_blocks_are_shuffled():
    found = shuffle(6400, 64)(np.arange(6400)).reshape(100, 64)
    assert (found // 64 == found[:, :1] // 64).all()
    assert abs(np.corrcoef(np.arange(100), found[:, 0])[0, 1]) < 0.35
    assert len({tuple(row % 64) for row in found.tolist() for row in [np.array(row)]}) == 100


def test_a_billion_numbers_need_no_table():
    found = shuffle(10**9)(np.arange(10**9 - 512, 10**9))
    assert len(set(found.tolist())) == 512
    assert found.min() >= 0
    assert found.max() < 10**9


def test_processes_share_the_batches_of_one():
    steps = [Dimmer(levels=3)]
    chain = Chain(steps, plan_chain(steps), 3, "p/s")
    data, at = Patches(count=23), EpochPosition(1, 2)
    parts = [Feed(data, chain, 6, processes=Processes(rank, 2), block=4).indices(at) for rank in (0, 1)]
    assert np.array_equal(np.concatenate(parts), Feed(data, chain, 6, block=4).indices(at))


def test_batches_of_a_long_phase_are_not_listed_beforehand():
    steps = [Dimmer(levels=3)]
    with closing(Feed(Patches(count=23), Chain(steps, plan_chain(steps), 3, "p/s"), 5).batches(0, 10**15)) as batches:
        assert next(batches)[0] == EpochPosition(0, 0)


@pytest.mark.parametrize("block", [1, 4])
def test_a_run_that_goes_on_inside_an_epoch_draws_the_images_that_are_left(tmp_path, monkeypatch, block):
    """24 images, 5 a step: stopped after the second step of the second epoch."""
    views = {"batch_size": 5, "block": block, "generator": [{"use": "jitter", "views": 2}]}
    ours = recipe(streams=streams(views={**views, "objectives": [objective("pull")]}))
    drawn, fetch = {}, Feed.fetch
    for name in ("whole", "half"):
        (tmp_path / name).mkdir()

    def noted(self, at):
        drawn[at] = self.indices(at).tolist()
        return fetch(self, at)

    monkeypatch.setattr(Feed, "fetch", noted)
    whole = train(parts_of(ours), tmp_path / "whole")
    expected = dict(drawn)
    train(parts_of(ours), tmp_path / "half", stop_after=6)
    drawn.clear()
    rest = train(parts_of(ours), tmp_path / "half", resume=True)
    assert list(drawn) == [EpochPosition(1, 2), EpochPosition(1, 3), *(EpochPosition(2, number) for number in range(4))]
    assert drawn.items() <= expected.items()
    for epoch in range(3):
        images = [index for at, indices in expected.items() if at.epoch == epoch for index in indices]
        assert len(set(images)) == 20
    for name, value in weights(whole).items():
        assert value.equal(weights(rest)[name]), name
