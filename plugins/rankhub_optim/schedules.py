"""Schedules: pure functions of the clock."""

from __future__ import annotations

import math
from typing import Annotated

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.options import Ge, Gt
from rankhub.interfaces.schedule import Clock, Schedule

Epochs = Annotated[float, Ge(0)]
Steps = Annotated[int, Ge(0)]


class WarmUp:
    """A linear rise from near 0 that comes before a schedule's own course.

    Args:
        epochs: Length in epochs of the phase's clock stream.
        steps: Length in steps.

    Raises:
        Objection: Both are given.
    """

    def __init__(self, epochs: float, steps: int) -> None:
        if epochs and steps:
            raise Objection("give warmup_epochs or warmup_steps, not both")
        self.epochs, self.steps = epochs, steps

    def length(self, clock: Clock) -> float:
        """Steps of the warm-up, at most the phase."""
        return min(float(self.steps or self.epochs * clock.steps_per_epoch), float(clock.steps))

    def factor(self, clock: Clock) -> float | None:
        """Factor on the first value while the warm-up lasts, ``(step + 1) / length``; None after it."""
        length = self.length(clock)
        return (clock.step + 1) / length if clock.step < length - 1 else None


class Cosine(Schedule):
    """``end + (start - end) (1 + cos(pi p)) / 2`` with p the share done of what follows the warm-up.

    Source: Loshchilov and Hutter, SGDR (2017), equation 5, without restarts; warm-up as in Goyal et al. (2017).

    Args:
        start: Value at the end of the warm-up.
        end: Value at the end of the phase.
        warmup_epochs: Length in epochs of a linear rise from near 0 to ``start``.
        warmup_steps: The same in steps.
    """

    def __init__(
        self, *, start: float = 1.0, end: float = 0.0, warmup_epochs: Epochs = 0.0, warmup_steps: Steps = 0
    ) -> None:
        self.start, self.end = start, end
        self.warm_up = WarmUp(warmup_epochs, warmup_steps)

    def value(self, clock: Clock) -> float:
        """The value before the step that is about to be done."""
        factor = self.warm_up.factor(clock)
        if factor is not None:
            return self.start * factor
        length = self.warm_up.length(clock)
        done = min(1.0, max(0.0, clock.step - max(0.0, length - 1)) / max(1.0, clock.steps - max(0.0, length - 1)))
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * done)) / 2


class Step(Schedule):
    """``start * factor ** (milestones passed)``.

    Args:
        milestones: Epochs after which the value falls.
        factor: By which it is multiplied at each.
        start: First value.
        warmup_epochs: Length in epochs of a linear rise from near 0 to ``start``.
        warmup_steps: The same in steps.
    """

    def __init__(
        self,
        *,
        milestones: list[Annotated[float, Gt(0)]],
        factor: Annotated[float, Gt(0)] = 0.1,
        start: float = 1.0,
        warmup_epochs: Epochs = 0.0,
        warmup_steps: Steps = 0,
    ) -> None:
        if milestones != sorted(milestones):
            raise Objection(f"milestones must rise, got {milestones}")
        self.milestones, self.factor, self.start = milestones, factor, start
        self.warm_up = WarmUp(warmup_epochs, warmup_steps)

    def value(self, clock: Clock) -> float:
        """The value before the step that is about to be done."""
        passed = sum(clock.step >= epoch * clock.steps_per_epoch for epoch in self.milestones)
        factor = self.warm_up.factor(clock)
        return self.start * self.factor**passed * (1.0 if factor is None else factor)


class Constant(Schedule):
    """One value.

    Args:
        value: The value.
        warmup_epochs: Length in epochs of a linear rise from near 0 to ``value``.
        warmup_steps: The same in steps.
    """

    def __init__(self, *, value: float = 1.0, warmup_epochs: Epochs = 0.0, warmup_steps: Steps = 0) -> None:
        self._value = value
        self.warm_up = WarmUp(warmup_epochs, warmup_steps)

    def value(self, clock: Clock) -> float:
        """The value before the step that is about to be done."""
        factor = self.warm_up.factor(clock)
        return self._value * (1.0 if factor is None else factor)
