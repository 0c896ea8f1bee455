"""Mean and standard deviation over seeds, as tables and error bars show them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float], digits: int = 3, sign: str = "") -> str:
    """``0.931 ± 0.004``; the standard deviation of the sample, where there is more than one value.

    Args:
        values: At least one.
        digits: After the point.
        sign: ``+`` = always with its sign.
    """
    mean = f"{statistics.fmean(values):{sign}.{digits}f}"
    return f"{mean} ± {deviation(values):.{digits}f}" if len(values) > 1 else mean


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of the sample (divided by n - 1); 0 of one value, for which there is none."""
    return statistics.stdev(values) if len(values) > 1 else 0.0
