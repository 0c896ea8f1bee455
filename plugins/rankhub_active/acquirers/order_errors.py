"""How badly predictions order the ranked views of each image, added up over blocks of views."""

from __future__ import annotations

from typing import Literal

import numpy as np

from rankhub.interfaces.acquire import Rows
from rankhub.interfaces.order import RankTarget
from rankhub_active.acquirers.answers import Floats
from rankhub_ranking.pairs import ordered_pairs

Normalize = Literal["none", "mean", "spread"]

ROUNDING = 1e-6
"""Two predictions that differ by less, as a share of the larger one, differ by the rounding of float32 only."""


class OrderErrors:
    """Sums over the comparable pairs of each of n images, and over its views.

    With f the predictions, a pair (a, b), a ranking above b, has the signed margin f_a - f_b and is wrong unless
    f_a > f_b. Equal predictions are wrong, and their margin is 0; predictions that differ by the rounding of float32
    only are equal. An image's sums depend on its own views alone.

    Args:
        rows: [n] of the pool, ascending.

    Attributes:
        pairs: [n].
        wrong: [n] pairs not in order.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.pairs, self.wrong, self._margins, self._squares, self._sizes, self._views = np.zeros((6, len(rows)))

    def add(self, predicted: Floats, target: RankTarget) -> None:
        """Count the pairs of some views.

        Args:
            predicted: [N] finite.
            target: What the N views are, on the CPU; ``index`` is the row of the pool.

        Raises:
            ValueError: A view is of another row.
        """
        image = np.searchsorted(self._rows, target.index.numpy())
        if not np.array_equal(self._rows[np.minimum(image, len(self._rows) - 1)], target.index.numpy()):
            raise ValueError("views of an image that was not asked for")
        np.add.at(self._views, image, 1.0)
        np.add.at(self._sizes, image, np.abs(predicted))
        for above, below in ordered_pairs(target.group, target.level):
            upper, lower = predicted[above.numpy()], predicted[below.numpy()]
            margin = upper - lower
            margin[np.abs(margin) <= ROUNDING * np.maximum(np.abs(upper), np.abs(lower))] = 0.0
            owner = image[above.numpy()]
            np.add.at(self.pairs, owner, 1.0)
            np.add.at(self.wrong, owner, margin <= 0)
            np.add.at(self._margins, owner, margin)
            np.add.at(self._squares, owner, margin**2)

    def share(self) -> Floats:
        """[n] wrong pairs by all; NaN without pairs."""
        return self._by_pairs(self.wrong)

    def margin(self, normalize: Normalize, unit: float) -> Floats:
        """[n] the mean signed margin; NaN without pairs.

        Args:
            normalize: ``none``: in units of ``unit``; ``mean``: by the mean absolute prediction over the image's views;
                ``spread``: by the root of the mean squared margin, so in [-1, 1]. What is divided by 0 is 0.
            unit: One standardised unit.
        """
        mean = self._by_pairs(self._margins)
        if normalize == "none":
            return mean / unit
        if normalize == "mean":
            by = self._sizes / np.maximum(self._views, 1.0)
        else:
            by = np.sqrt(self._by_pairs(self._squares))
        found: Floats = mean / np.where(by == 0, 1.0, by)
        return found

    def _by_pairs(self, sums: Floats) -> Floats:
        found: Floats = np.where(self.pairs > 0, sums / np.maximum(self.pairs, 1.0), np.nan)
        return found
