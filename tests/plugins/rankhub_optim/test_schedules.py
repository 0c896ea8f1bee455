"""Schedules against closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.schedule import Clock
from rankhub_optim.schedules import Constant, Cosine, Step


def values(schedule, steps=20, per_epoch=5):
    return [schedule.value(Clock(step, steps, per_epoch)) for step in range(steps)]


def test_cosine_without_warm_up():
    expected = [0.1 + 0.9 * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(20)]
    assert values(Cosine(end=0.1)) == pytest.approx(expected)


def test_warm_up_rises_in_equal_parts_to_the_start():
    assert values(Cosine(start=2.0, warmup_steps=4))[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert values(Constant(value=3.0, warmup_epochs=0.4))[:4] == pytest.approx([1.5, 3.0, 3.0, 3.0])


@given(
    steps=st.integers(1, 60),
    warm_up=st.integers(0, 80),
    start=st.floats(0.1, 10),
    end=st.floats(0, 0.1),
)
def test_cosine_rises_then_falls_and_stays_in_range(steps, warm_up, start, end):
    found = values(Cosine(start=start, end=end, warmup_steps=warm_up), steps)
    peak = found.index(max(found))
    assert found[: peak + 1] == sorted(found[: peak + 1])
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert all(0 < value <= start + 1e-12 for value in found) or end == 0
    assert peak == max(0, min(warm_up, steps) - 1)


def test_step_falls_at_milestones_in_epochs():
    found = values(Step(milestones=[1, 2.4], factor=0.1))
    assert found[4] == 1.0
    assert found[5] == pytest.approx(0.1)
    assert found[11] == pytest.approx(0.1)
    assert found[12] == pytest.approx(0.01)


def test_bad_options_are_one_sentence():
    with pytest.raises(Objection, match="not both"):
        Cosine(warmup_epochs=1, warmup_steps=2)
    with pytest.raises(Objection, match="must rise"):
        Step(milestones=[3, 2])
