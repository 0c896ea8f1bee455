"""Which stream takes part in which step, and how far it has come."""

import pytest
from helpers.training import objective, recipe, streams
from hypothesis import given
from hypothesis import strategies as st

from rankhub.engine.plan import PhasePlan, plan_phases
from rankhub.recipe.schema import Phase, Stream

STREAM = Stream.model_validate({"data": "d", "batch_size": 2, "objectives": [{"use": "l", "head": "h"}]})


def phase(mix="joint", streams=("a", "b"), **length):
    return Phase.model_validate({"name": "p", "mix": mix, "streams": {name: {} for name in streams}, **length})


def plan_of(phase, batches):
    return PhasePlan.of(phase, dict.fromkeys(phase.streams, STREAM), batches, 0)


def test_joint_streams_take_part_in_every_step():
    plan = plan_of(phase(epochs=3, clock="b"), {"a": 4, "b": 7})
    assert plan.steps == 21
    assert plan.active(5) == ("a", "b")
    assert plan.position("a", 9) == 9


@given(turn=st.integers(1, 5), count=st.integers(1, 4), steps=st.integers(1, 60))
def test_alternating_position_counts_the_steps_a_stream_was_active(turn, count, steps):
    names = tuple("abcd"[:count])
    plan = plan_of(phase({"alternate": turn}, names, steps=steps), dict.fromkeys(names, 9))
    for name in names:
        seen = 0
        for step in range(steps):
            assert plan.position(name, step) == seen
            seen += name in plan.active(step)
        assert plan.position(name, steps) == seen


@given(turn=st.integers(1, 5), batches=st.integers(1, 12), epochs=st.integers(1, 3))
def test_an_epoch_of_alternating_streams_serves_the_clock_stream_once(turn, batches, epochs):
    plan = plan_of(phase({"alternate": turn}, epochs=epochs, clock="a"), {"a": batches, "b": 3})
    if epochs == 1:
        assert plan.position("a", plan.steps) == batches


def test_phases_follow_each_other():
    phases = [
        {"name": "p", "streams": {"a": {}, "b": {"batch_size": 4}}, "steps": 5},
        {"name": "q", "streams": ["b", "a"], "epochs": 2, "clock": "a"},
    ]
    body = {"generator": [{"use": "jitter"}], "objectives": [objective("pull")]}
    ours = recipe(streams=streams(a=body, b=body), phases=phases)
    plans = plan_phases(ours, {("p", "a"): 3, ("p", "b"): 3, ("q", "a"): 4, ("q", "b"): 3})
    assert [(plan.first_step, plan.steps) for plan in plans] == [(0, 5), (5, 8)]
    assert [(plan.clock, list(plan.streams)) for plan in plans] == [("a", ["a", "b"]), ("a", ["b", "a"])]
    assert [plan.streams["b"].batch_size for plan in plans] == [4, 6]


@pytest.mark.parametrize(("done", "epoch"), [(3, None), (4, 1), (8, 2)])
def test_epoch_ends(done, epoch):
    assert plan_of(phase(epochs=2, clock="a"), {"a": 4, "b": 9}).epoch_ends(done) == epoch
