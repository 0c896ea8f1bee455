"""Smooth-AP: average precision of retrieval with a sigmoid in place of the step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.order import RankTarget
from rankhub_s2r2.positives import has_positive, queries_by_size
from rankhub_s2r2.precision import average_precision, hard_average_precision, share_within
from rankhub_s2r2.rows import unit_rows
from rankhub_s2r2.steps import Sigmoid


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


class SmoothAP(Loss):
    """Smooth-AP over the views of a batch: 1 - AP, summed over the queries; every view is a query.

    The positives of a view are the other views of its group, its negatives all views of other groups; levels and
    labels play no part. Where all embeddings agree, each term is 1 - V / N for V views in each group and N in all:
    the height of a collapsed network in the curves. Losses of runs with other V, N or ``include_self`` cannot be
    compared, "mAP" beside them can at equal V and N.

    For the log: "mAP", the exact average precision over the same queries, equals counting half (so that it too is
    V / N after a collapse); "pairs_with_gradient", the share of pairs of a positive and another view with
    similarities less than 4 tau apart, beyond which the sigmoid is flat. Loss and mAP falling together: tau is too
    large; a share near 0: too small.

    Source: Brown, Xie, Kalogeiton, Zisserman: Smooth-AP, ECCV 2020 (arXiv 2007.12163); on views, Varamesh et al.:
    Self-supervised ranking for representation learning, 2020 (arXiv 2010.07258; its step and temperature are unknown).

    Args:
        tau: Temperature of the sigmoid, in units of cosine. Ours is .05; the Smooth-AP paper takes .01, closer to the
            true precision, with a gradient from fewer pairs. From .5 on the order is lost.
        include_self: Count the query among its own positives and items, as the Smooth-AP authors' code does.
    """

    scope: ClassVar[Scope] = "batch"
    per_query: ClassVar[bool] = True

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        tau: Annotated[float, Gt(0)] = 0.05,
        include_self: bool = False,
    ) -> None:
        super().__init__()
        self.output = single_output(outputs, "embedding", "smooth_ap")
        self.tau = tau
        self.include_self = include_self

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if no group of a chain's views can hold two of them."""
        if views.views <= views.groups:
            made = f"{views.views} view{'s' * (views.views > 1)} of each image"
            if views.groups > 1:
                made += f" in {views.groups} groups"
            yield (
                f"smooth_ap ranks views of one group before all others and needs at least two in it, but the stream "
                f"makes {made}; set `views: 2` or more on the stream's generator"
            )

    def count(self, target: RankTarget) -> Tensor:
        """Number of queries: views that share their group with another view."""
        return has_positive(target.group).sum()

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """Sum of 1 - AP over the queries that have a positive (and are in ``context.queries``)."""
        rows = unit_rows(outputs[self.output])
        plan = list(queries_by_size(target.group, self.include_self, context.queries))
        precision, valid = average_precision(rows, plan, Sigmoid(self.tau))
        parts = {}
        if context.log:
            parts["mAP"] = hard_average_precision(rows, plan)
            parts["pairs_with_gradient"] = share_within(rows, plan, 4 * self.tau)
        return LossResult((1 - precision)[valid].sum(), parts)
