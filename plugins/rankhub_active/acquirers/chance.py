"""The choice that others are compared with."""

from __future__ import annotations

import numpy as np

from rankhub_active.acquire import Acquired, Acquirer, PoolSource, Rows
from rankhub_active.acquirers.choosing import chances


class Random(Acquirer):
    """Images at random.

    An image's number, its score, is a pure function of the seed and its row: as images are labeled, the others keep
    their order.
    """

    def __call__(self, source: PoolSource, labeled: Rows, candidates: Rows, count: int) -> Acquired:
        """Those of the largest numbers, uniform in [0, 1)."""
        scores = chances(source.seed, candidates)
        return Acquired(candidates[np.argsort(-scores, kind="stable")[:count]], scores)
