"""List-wise average precision by histogram binning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from torch import Tensor

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.order import RankTarget
from rankhub_s2r2.histogram import histogram_precision
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.retrieval_loss import RetrievalLoss


class HistogramAP(RetrievalLoss):
    """Average precision by histogram binning: 1 - AP, summed over the queries; every view is a query.

    With ``bins`` centres from ``high`` down to ``low``, and a cosine shared linearly between the two centres around it
    (a triangular kernel, saturated at both ends), c_l the mass of all other views at centre l and c⁺_l that of the
    query's group:

        precision_l = Σ_{k <= l} c⁺_k / Σ_{k <= l} c_k        recall_l = c⁺_l / Σ_k c⁺_k
        AP_q        = Σ_l precision_l recall_l

    The kernel has the same slope everywhere, so badly ranked views keep their gradient; but between two centres there
    is no order, and outside of [low, high] no gradient. Memory grows with N, time with N² whatever the bins.

    For the log: "mAP", "precision_at_1", "positive_cosine", "cosine_mean", "cosine_std" as in smooth_ap.

    Source: Revaud, Almazan, Rezende, de Souza: Learning with average precision: training image retrieval with a
    listwise loss, ICCV 2019 (arXiv 1906.07589), with the range that ROADMAP takes for cosines.

    Args:
        bins: Number of centres. 20 on [-1, 1] is ROADMAP's; the authors take 25 on [0, 1].
        low: The lowest centre. On [0, 1] negative cosines have no gradient.
        high: The highest centre.
    """

    name: ClassVar[str] = "histogram_ap"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        bins: Annotated[int, Ge(2)] = 20,
        low: float = -1.0,
        high: float = 1.0,
        include_self: bool = False,
    ) -> None:
        super().__init__(outputs, include_self=include_self)
        if not low < high:
            raise Objection(f"histogram_ap needs low < high, got low: {low:g} and high: {high:g}")
        self.bins, self.low, self.high = bins, low, high

    def terms(self, rows: Tensor, queries: Queries, target: RankTarget) -> Tensor:
        """1 - AP."""
        return 1 - histogram_precision(rows, queries, self.bins, self.low, self.high)
