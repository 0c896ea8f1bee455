"""A number of a loss that may change over a phase."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Annealed:
    """``start`` all through a phase, or half a cosine from ``start`` to ``end`` (Loshchilov, Hutter, ICLR 2017).

    Attributes:
        start: The number at the phase's first step.
        end: The number at its end; None = ``start``.
    """

    start: float
    end: float | None = None

    def at(self, progress: float) -> float:
        """The number where ``progress``, in [0, 1], of the phase is done; exactly ``start`` at 0 and ``end`` at 1."""
        share = (1 + math.cos(math.pi * progress)) / 2
        return self.start if self.end is None else share * self.start + (1 - share) * self.end
