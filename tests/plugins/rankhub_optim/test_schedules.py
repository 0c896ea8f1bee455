import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.schedule import Clock, value_at
from rankhub_optim.schedules import Constant, Cosine, StepDecay

STEPS, PER_EPOCH = 60, 6


def values(schedule, steps=STEPS, per_epoch=PER_EPOCH) -> list[float]:
    return [value_at(schedule, Clock(step, steps, per_epoch)) for step in range(steps)]


def torchs(make, lr: float) -> list[float]:
    """The learning rates of one of torch's schedulers, stepped after each step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler, rates = make(optimizer), []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_cosine_equals_torchs():
    theirs = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1), 0.7)
    assert values(Cosine(start=0.7, end=0.1)) == pytest.approx(theirs)


def test_cosine_can_rise_as_a_teachers_momentum_does():
    rising = values(Cosine(start=0.99, end=1.0))
    assert rising == sorted(rising)
    assert rising[0] == pytest.approx(0.99)
    assert 0.9999 < rising[-1] < 1


def test_step_equals_torchs():
    theirs = torchs(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [12, 27, 48], gamma=0.2), 3.0)
    assert values(StepDecay(milestones=[2, 4.5, 8], factor=0.2, start=3.0)) == pytest.approx(theirs)


def test_milestones_may_count_from_the_end():
    ours = values(StepDecay(milestones=[2, -4.5, -1], factor=0.2))
    assert ours == values(StepDecay(milestones=[2, STEPS / PER_EPOCH - 4.5, STEPS / PER_EPOCH - 1], factor=0.2))
    assert len(set(ours)) == 4
    assert values(StepDecay(milestones=[-500, -1], factor=0.5))[0] == 0.5


def test_constant():
    assert values(Constant()) == [1.0] * STEPS
    assert values(Constant(value=0.3)) == [0.3] * STEPS


@pytest.mark.parametrize("warmup", [{"warmup_epochs": 1.5}, {"warmup_steps": 9}])
@pytest.mark.parametrize(
    "make",
    [
        lambda **w: Constant(value=0.8, **w),
        lambda **w: Cosine(start=0.8, **w),
        lambda **w: StepDecay(milestones=[5], start=0.8, **w),
    ],
)
def test_warmup_rises_in_equal_steps_to_the_first_number(make, warmup):
    rates = values(make(**warmup))
    assert rates[:10] == pytest.approx([0.8 * (step + 1) / 10 for step in range(10)])
    assert max(rates) == rates[9] == pytest.approx(0.8)


def test_cosine_runs_over_what_the_warmup_leaves():
    assert values(Cosine(warmup_steps=10))[10:] == pytest.approx(values(Cosine(), steps=STEPS - 10))


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 300), st.floats(0, 2), st.floats(0, 2))
def test_law_cosine_stays_between_its_ends_even_if_the_warmup_is_longer_than_the_phase(
    steps, per_epoch, warmup, start, end
):
    rates = values(Cosine(start=start, end=end, warmup_steps=warmup), steps, per_epoch)
    tail = rates[warmup:]
    assert all(min(start, end) - 1e-9 <= rate <= max(start, end) + 1e-9 for rate in tail)
    assert all(0 <= rate <= start for rate in rates[:warmup])


def test_two_warmups_and_milestones_out_of_order_are_objected_to():
    with pytest.raises(Objection, match="not both"):
        Cosine(warmup_epochs=1, warmup_steps=3)
    with pytest.raises(Objection, match="must ascend, got 3, 2"):
        StepDecay(milestones=[3, 2])
    with pytest.raises(Objection, match="must ascend, got 1, -2, -3"):
        StepDecay(milestones=[1, -2, -3])
    with pytest.raises(Objection, match="say so in `start`"):
        StepDecay(milestones=[0, 3])
