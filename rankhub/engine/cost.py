"""What a run will do and cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from rankhub.engine.parts import Parts


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one step."""

    seconds: float  # views included
    memory: int  # bytes that training holds at its peak, beside the data


@dataclass(frozen=True, slots=True)
class RunPlanned:
    """A run that is about to start, or to go on.

    Attributes:
        name: The recipe's.
        parts: All that it names, built.
        costs: Of one step of each of ``parts.plans``; empty if not measured.
    """

    name: str
    parts: Parts
    costs: Sequence[Cost] = ()

    @property
    def seconds(self) -> float:
        """Of training as it is expected, without evaluation; 0 if not measured."""
        return sum(cost.seconds * plan.steps for cost, plan in zip(self.costs, self.parts.plans, strict=False))
