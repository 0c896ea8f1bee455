"""Average precision with a ramp in place of the step, by sorting instead of visiting every pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from torch import Tensor

from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.order import RankTarget
from rankhub_ranking.annealing import Annealed
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.precision import PrecisionLoss
from rankhub_s2r2.ramp import Ramp
from rankhub_s2r2.retrieval_loss import RetrievalLoss
from rankhub_s2r2.streamed import streamed_sum


class RampAP(RetrievalLoss):
    """Average precision with a piecewise-linear step: 1 - AP, summed over the queries; every view is a query.

    With cosines s_q(j), P_q the other views of q's group and w the width:

        H(x)  = clip(x / 2w + 1/2, 0, 1)
        R(i)  = 1 + Σ_{j != i, q}         H(s_q(j) - s_q(i))
        R⁺(i) = 1 + Σ_{j in P_q, j != i}  H(s_q(j) - s_q(i))
        AP_q  = 1/|P_q| Σ_{i in P_q} R⁺(i) / R(i)

    The ramp has the slope of smooth_ap's sigmoid at 0 where w = 2 tau, and none beyond w. Its ranks come from one sort
    of each query's similarities and prefix sums over it, whatever the number of positives: O(N log N) a query where
    smooth_ap takes O(N P), so it wins in large groups. Where all embeddings agree, each term is 1 - V / N,
    as in smooth_ap.

    For the log: "mAP", "precision_at_1", "positive_cosine", "cosine_mean", "cosine_std" as in smooth_ap;
    "pairs_with_gradient", the share of pairs of a positive and another view with similarities less than w apart.

    Source: the step is that of the AP loss for detection (Chen et al.: Towards accurate one-stage object detection with
    AP-Loss, CVPR 2019, arXiv 1904.06373), put into Smooth-AP (arXiv 2007.12163) with its true gradient.

    Args:
        width: w, half of the ramp's length, in units of cosine. .1 has the slope at 0 of smooth_ap's tau of .05.
        width_end: w at the phase's end, to which it goes from ``width`` along half a cosine; None = the same all
            through.
    """

    name: ClassVar[str] = "ramp_ap"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        width: Annotated[float, Gt(0)] = 0.1,
        width_end: Annotated[float, Gt(0)] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(outputs, **options)
        self.width = Annealed(width, width_end)

    def reach(self, progress: float) -> float:
        """The width."""
        return self.width.at(progress)

    def total(self, rows: Tensor, queries: Queries, target: RankTarget, progress: float) -> Tensor:
        """Σ 1 - AP."""
        return streamed_sum(rows, queries, PrecisionLoss(Ramp(self.width.at(progress))))
