"""FastAP: average precision from a histogram of distances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from torch import Tensor

from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.order import RankTarget
from rankhub_s2r2.histogram import histogram_precision
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.retrieval_loss import RetrievalLoss


class FastAP(RetrievalLoss):
    """FastAP: 1 - AP, summed over the queries; every view is a query.

    With d² = 2 - 2 s_q(j) in [0, 4], L bins of width D = 4 / L with L + 1 edges e_l, and the soft count
    max(0, 1 - |d² - e_l| / D) of each other view at each edge, h_l summed over all of them and h⁺_l over the query's
    group, H_l and H⁺_l their sums up to l:

        AP_q = 1/|P_q| Σ_l h⁺_l H⁺_l / H_l          (0 where H_l is)

    Since d² is linear in the cosine, this is histogram_ap with L + 1 centres on [-1, 1] (computed by the same code).
    The gradient is the true one: the authors' PyTorch code gives N / 2 times as much. Two views in the same bin have no
    order: at 10 bins a bin is .2 wide in cosine.

    For the log: "mAP", "precision_at_1", "positive_cosine", "cosine_mean", "cosine_std" as in smooth_ap.

    Source: Cakir, He, Xia, Kulis, Sclaroff: Deep metric learning to rank, CVPR 2019.

    Args:
        bins: L.
    """

    name: ClassVar[str] = "fast_ap"

    def __init__(self, outputs: Mapping[str, OutputSpec], /, *, bins: Annotated[int, Ge(1)] = 10) -> None:
        super().__init__(outputs)
        self.bins = bins

    def terms(self, rows: Tensor, queries: Queries, target: RankTarget) -> Tensor:
        """1 - AP."""
        return 1 - histogram_precision(rows, queries, self.bins + 1, -1.0, 1.0)
