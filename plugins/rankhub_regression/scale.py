"""The scale of a score: which standardised number stands for which label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import OutputSpec


@dataclass(frozen=True, slots=True)
class ScoreSpec(LabelSpec):
    """Scores whose distribution is known once their data set is open.

    Attributes:
        mean: Of the labels as they are served, that is turned so that higher is better.
        std: Their standard deviation, above 0.
    """

    mean: float = 0.0
    std: float = 1.0


@dataclass(frozen=True, slots=True)
class ScaledOutput(OutputSpec):
    """An output in the unit of the labels, value = mean + std * standardised.

    Attributes:
        mean: Label that stands at 0 of the standardised scale.
        std: Labels to one standardised unit, above 0.
    """

    mean: float = 0.0
    std: float = 1.0


def standard_of(labels: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of labels; (0, 1) where none is known, std 1 where all are equal.

    Args:
        labels: [n], NaN where missing.
    """
    known = labels[~np.isnan(labels)]
    if not len(known):
        return 0.0, 1.0
    spread = float(known.std())
    return float(known.mean()), spread if spread > 0 else 1.0


def unit_of(output: OutputSpec) -> float:
    """How much of an output is one standardised unit."""
    return output.std if isinstance(output, ScaledOutput) else 1.0
