"""A number that changes in training."""

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a phase has come.

    Attributes:
        step: Optimizer steps done in this phase, from 0.
        steps: Optimizer steps that this phase will do.
        steps_per_epoch: Steps in which the phase's clock stream sees its data once.
    """

    step: int
    steps: int
    steps_per_epoch: int

    @property
    def progress(self) -> float:
        """Share of the phase that is done, in [0, 1]."""
        return self.step / max(1, self.steps)


class Schedule(ABC):
    """A function from the clock to a number. At the top of a recipe the number is a factor on the learning rate."""

    @abstractmethod
    def value(self, clock: Clock) -> float:
        """The number for the step that is about to be done."""


def value_at(number: float | Schedule, clock: Clock) -> float:
    """A plain number as it is, a schedule at ``clock``."""
    return number.value(clock) if isinstance(number, Schedule) else float(number)
