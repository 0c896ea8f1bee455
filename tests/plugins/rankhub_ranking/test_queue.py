"""The newest rows stay; those of a loss enter after its step."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rankhub_ranking.annealing import Annealed
from rankhub_ranking.queue import EarlierBatches, Queue


@given(st.integers(1, 7), st.lists(st.integers(0, 10), max_size=6))
def test_the_queue_holds_the_newest(length, pushes):
    queue, sent = Queue(length, 1), []
    for count in pushes:
        new = [float(len(sent) + n) for n in range(count)]
        sent += new
        queue.push(torch.tensor(new).reshape(count, 1))
    kept = sorted(queue.rows.flatten().tolist())
    if queue.full:
        assert kept == sent[-length:]
    else:
        assert set(sent) <= set(kept)
    assert queue.full == (len(sent) >= length)


@given(st.integers(1, 7), st.lists(st.integers(0, 10), max_size=6))
def test_earlier_batches_are_the_newest_of_the_steps_before(length, sizes):
    queue, sent = EarlierBatches(length, 1), []
    for count in sizes:
        new = torch.arange(len(sent) + 1, len(sent) + 1 + count, dtype=torch.float64)[:, None].requires_grad_()
        found = queue.before(new)
        assert sorted(found.flatten().tolist()) == sent[-length:]
        assert found.dtype == new.dtype
        assert not found.requires_grad
        queue.after_step()
        queue.after_step()  # a step of another stream
        sent += new.flatten().tolist()


def test_it_draws_no_random_numbers():
    state = torch.get_rng_state()
    EarlierBatches(5, 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_only_evaluated_does_not_enter():
    queue, rows = EarlierBatches(5, 2), torch.ones(2, 2)
    with torch.no_grad():
        queue.before(rows)
    queue.after_step()
    queue.eval()
    queue.before(rows)
    queue.after_step()
    assert queue.pushed == 0
    queue.train()
    queue.before(rows)
    with torch.no_grad():
        queue.before(2 * rows)
    queue.after_step()
    assert torch.equal(queue.before(rows), rows)


def test_the_state_is_rows_and_their_number_and_comes_back():
    queue, other = EarlierBatches(3, 1), EarlierBatches(3, 1)
    for number in range(2):
        queue.before(torch.full((2, 1), 1.0 + number))
        queue.after_step()
    assert set(queue.state_dict()) == {"rows", "pushed"}
    assert len(other.before(torch.zeros(1, 1))) == 0
    other.load_state_dict(copy.deepcopy(queue.state_dict()))
    assert torch.equal(other.before(torch.zeros(1, 1)), queue.before(torch.zeros(1, 1)))
    assert sorted(other.rows.flatten().tolist()) == [1, 2, 2]


@pytest.mark.parametrize(("start", "end"), [(0.3, 0.07), (0.01, 0.1)])
def test_a_number_goes_from_start_to_end_along_half_a_cosine(start, end):
    number = Annealed(start, end)
    assert (number.at(0.0), number.at(1.0)) == (start, end)  # to the bit
    assert number.at(0.5) == pytest.approx((start + end) / 2)
    assert number.at(0.25) == pytest.approx(end + (start - end) * (1 + 0.5**0.5) / 2)
    assert Annealed(start).at(0.7) == start
