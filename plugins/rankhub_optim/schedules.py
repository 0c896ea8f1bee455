"""Schedules: a factor on the learning rate, or any number that changes in training."""

from __future__ import annotations

import math
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.options import Ge, Gt
from rankhub.interfaces.schedule import Clock, Schedule


class WarmedUp(Schedule):
    """A schedule that first rises linearly from 0 to its first number.

    Step s (from 0) of w warm-up steps gets (s + 1) / (w + 1) of that number: neither is the first step wasted on
    0, nor does the last already have the whole.

    Args:
        warmup_epochs: Epochs in which the number first rises from 0.
        warmup_steps: The same in steps, in place of epochs.
    """

    def __init__(
        self, *, warmup_epochs: Annotated[float, Ge(0)] = 0.0, warmup_steps: Annotated[int, Ge(0)] | None = None
    ) -> None:
        if warmup_epochs and warmup_steps:
            raise Objection("give warmup_epochs or warmup_steps, not both")
        self.warmup_epochs, self.warmup_steps = warmup_epochs, warmup_steps

    def value(self, clock: Clock) -> float:
        """The number for the step that is about to be done."""
        warmup = self.warmup_steps or round(self.warmup_epochs * clock.steps_per_epoch)
        if clock.step < warmup:
            return self.after_warmup(Clock(warmup, clock.steps, clock.steps_per_epoch), warmup) * (
                (clock.step + 1) / (warmup + 1)
            )
        return self.after_warmup(clock, warmup)

    @abstractmethod
    def after_warmup(self, clock: Clock, warmup: int) -> float:
        """The number at a step after ``warmup`` steps of warm-up."""


class Constant(WarmedUp):
    """The same number at every step.

    Args:
        value: The number; as the recipe's schedule, a factor on the learning rate.
    """

    def __init__(self, *, value: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.constant = value

    def after_warmup(self, clock: Clock, warmup: int) -> float:
        """The number."""
        return self.constant


class Cosine(WarmedUp):
    """Half a cosine from ``start`` to ``end`` over what the warm-up leaves of a phase (Loshchilov, Hutter, ICLR 2017).

    With t in [0, 1) the share of it that is done: end + (start - end) (1 + cos(pi t)) / 2.

    Args:
        start: First number; as the recipe's schedule, a factor on the learning rate.
        end: The number that the step after the last would have.
    """

    def __init__(self, *, start: float = 1.0, end: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.start, self.end = start, end

    def after_warmup(self, clock: Clock, warmup: int) -> float:
        """The number after the share of the rest that is done."""
        done = min(1.0, (clock.step - warmup) / max(1, clock.steps - warmup))
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * done)) / 2


class StepDecay(WarmedUp):
    """A number that is multiplied by ``factor`` at each milestone.

    Args:
        milestones: Epochs after which it falls, ascending; a negative one counts from the end of the phase, as in
            [-50, -25], and in a shorter phase has passed at its beginning.
        factor: What it is multiplied by.
        start: First number; as the recipe's schedule, a factor on the learning rate.
    """

    def __init__(
        self,
        *,
        milestones: Sequence[float],
        factor: Annotated[float, Gt(0)] = 0.1,
        start: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for sign in (1, -1):
            if any(first >= then for first, then in pairwise(m for m in milestones if m * sign > 0)):
                raise Objection(f"milestones must ascend, got {', '.join(f'{epoch:g}' for epoch in milestones)}")
        if 0 in milestones:
            raise Objection("a milestone of 0 would change the number from the first step on; say so in `start`")
        self.milestones, self.factor, self.start = tuple(milestones), factor, start

    def after_warmup(self, clock: Clock, warmup: int) -> float:
        """The number after the milestones that are passed."""
        steps = [round(m * clock.steps_per_epoch) + (clock.steps if m < 0 else 0) for m in self.milestones]
        return self.start * self.factor ** bisect_right(sorted(steps), clock.step)
