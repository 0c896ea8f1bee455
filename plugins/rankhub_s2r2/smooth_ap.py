"""Smooth-AP: average precision of retrieval with a sigmoid in place of the step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from torch import Tensor

from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.order import RankTarget
from rankhub_ranking.annealing import Annealed
from rankhub_ranking.embeddings import unit_rows
from rankhub_s2r2.positives import Queries, queries_by_size
from rankhub_s2r2.precision import PrecisionLoss, average_precision
from rankhub_s2r2.retrieval_loss import RetrievalLoss
from rankhub_s2r2.steps import Sigmoid
from rankhub_s2r2.streamed import streamed_sum


def smooth_average_precision(
    embeddings: Tensor,
    group: Tensor,
    tau: float = 0.05,
    *,
    include_self: bool = False,
    queries: Tensor | None = None,
    block_bytes: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Smooth average precision of every row as a query against all the others.

    With cosine similarities s_q(j), P_q the other rows of q's group and G(x) = 1 / (1 + exp(-x / tau)):

        R(i)  = 1 + Σ_{j != i, q}         G(s_q(j) - s_q(i))
        R⁺(i) = 1 + Σ_{j in P_q, j != i}  G(s_q(j) - s_q(i))
        AP_q  = 1/|P_q| Σ_{i in P_q} R⁺(i) / R(i)

    (Brown, Xie, Kalogeiton, Zisserman: Smooth-AP, ECCV 2020.) Exact, in N · P · N comparisons: items are
    compared with positives only. Beside the embeddings it holds a block of similarities and one number a positive.

    Args:
        embeddings: [N, d] floating point, of any length; computed in float32, or in float64 if they are.
        group: [N] integers in any order; groups may differ in size.
        tau: Temperature, above 0.
        include_self: Count the query as a positive and as an item, as the authors' code does.
        queries: [N] bool, the rows that are queries; None = all.
        block_bytes: Bytes of similarities held at a time; None = what suits the device.

    Returns:
        [N] average precision in (0, 1], differentiable once, 0 where there is none; and [N] bool, whether there is one
        (the row is a query and shares its group with another row).
    """
    plan = list(queries_by_size(group, include_self, queries))
    return average_precision(unit_rows(embeddings), plan, Sigmoid(tau), block_bytes)


class SmoothAP(RetrievalLoss):
    """Smooth-AP over the views of a batch: 1 - AP, summed over the queries; every view is a query.

    The positives of a view are the other views of its group, its negatives all views of other groups; levels and
    labels play no part. Where all embeddings agree, each term is 1 - V / N for V views in each group and N in all
    (the batch's and the ``queue``'s): the height of a collapsed network in the curves. Losses of runs with other V, N
    or ``include_self`` cannot be compared, "mAP" beside them can at equal V and batches.

    For the log: "mAP", the exact average precision over the same queries, equals counting half (so that it too is
    V / N after a collapse, N of the batch); "precision_at_1"; "positive_cosine", "cosine_mean", "cosine_std";
    "pairs_with_gradient", the share of pairs of a positive and another view with similarities less than 4 tau apart,
    beyond which the sigmoid is flat. Loss and mAP falling together: tau is too large; a share near 0: too small.

    Source: Brown, Xie, Kalogeiton, Zisserman: Smooth-AP, ECCV 2020 (arXiv 2007.12163); on views, Varamesh et al.:
    Self-supervised ranking for representation learning, 2020 (arXiv 2010.07258; its step and temperature are unknown).

    Args:
        tau: Temperature of the sigmoid, in units of cosine. Ours is .05; the Smooth-AP paper takes .01, closer to the
            true precision, with a gradient from fewer pairs. From .5 on the order is lost.
        tau_end: tau at the phase's end, to which it goes from ``tau`` along half a cosine; None = the same all through.
    """

    name: ClassVar[str] = "smooth_ap"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        tau: Annotated[float, Gt(0)] = 0.05,
        tau_end: Annotated[float, Gt(0)] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(outputs, **options)
        self.tau = Annealed(tau, tau_end)

    def reach(self, progress: float) -> float:
        """4 tau."""
        return 4 * self.tau.at(progress)

    def total(self, rows: Tensor, queries: Queries, target: RankTarget, progress: float) -> Tensor:
        """Σ 1 - AP."""
        return streamed_sum(rows, queries, PrecisionLoss(Sigmoid(self.tau.at(progress))))
