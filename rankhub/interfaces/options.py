"""Annotations with which a constructor's parameter says more than its type.

Bounds are the ``annotated_types`` of pydantic (``Annotated[float, Gt(0)]``). The marks here tell the
recipe's check that a string is the name of something else in the recipe, or that a number may change
in training.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from rankhub.interfaces.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Refers:
    """The string names an entry of the recipe: a data set, a head, a stream, or an output."""

    to: Literal["data", "head", "stream", "output"]


@dataclass(frozen=True, slots=True)
class MayChange:
    """The number may be a schedule: a recipe writes a number or ``{use: NAME, ...}``."""


DataName = Annotated[str, Refers("data")]
"""Name of an entry under ``data:``."""

StreamName = Annotated[str, Refers("stream")]
"""Name of an entry under ``streams:``."""

OutputName = Annotated[str, Refers("output")]
"""``backbone`` (the pooled features) or ``HEAD.OUTPUT``."""

Scheduled = Annotated[float | Schedule, MayChange()]
"""A number, or a :class:`~rankhub.interfaces.schedule.Schedule` that the engine evaluates before each step.

``Annotated[Scheduled, Gt(0)]`` bounds the plain number; a schedule bounds its own options.
"""

__all__ = ["DataName", "Ge", "Gt", "Le", "Lt", "MayChange", "OutputName", "Refers", "Scheduled", "StreamName"]
