"""PNP: penalize the negatives before each positive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from torch import Tensor

from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.order import RankTarget
from rankhub_ranking.annealing import Annealed
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.precision import Ranks
from rankhub_s2r2.retrieval_loss import RetrievalLoss
from rankhub_s2r2.steps import Heaviside, Sigmoid
from rankhub_s2r2.streamed import Block, SummedLoss, streamed_sum

Variant = Literal["O", "Ds", "Dq", "Iu", "Ib"]


class PNP(RetrievalLoss):
    """PNP loss, summed over the queries; every view is a query.

    With cosines s_q(j), P_q the other views of q's group, N_q the views of other groups, G(x) = 1 / (1 + exp(-x/tau)):

        R⁻(i) = Σ_{j in N_q} G(s_q(j) - s_q(i))              the negatives before positive i
        L_q   = 1/|P_q| Σ_{i in P_q} f(R⁻(i))

        O   R⁻                               slope 1
        Ds  log(1 + R⁻)                      slope 1 / (1 + R⁻)
        Dq  1 - (1 + R⁻)^-alpha              slope alpha (1 + R⁻)^(-alpha - 1)
        Iu  (1 + R⁻) log(1 + R⁻)             slope 1 + log(1 + R⁻)
        Ib  (b R⁻ - log(1 + b R⁻)) / b²      slope R⁻ / (1 + b R⁻)

    The positives are not ranked among each other, so none pushes another down. The variants D give badly ranked
    positives less gradient (robust against wrong ones), I more. Dq with alpha 1 is 1 minus the precision at each
    positive, taken without the other positives: bounded like 1 - AP. The others grow with N, and their losses in
    different batches cannot be compared. Where all embeddings agree, R⁻ is (N - V) / 2, N counting the ``queue``.

    For the log: "mAP", "precision_at_1", "positive_cosine", "cosine_mean", "cosine_std" as in smooth_ap;
    "pairs_with_gradient", the share of pairs of a positive and another view with similarities less than 4 tau apart.

    Source: Li, Xu, Zhang, Cheng: Rethinking the optimization of average precision: only penalizing negative instances
    before positive ones is enough, AAAI 2022 (arXiv 2102.04640).

    Args:
        variant: f. The default here is Dq; the authors' best published command is Dq with alpha 4, that of
            pytorch-metric-learning O.
        tau: Temperature of the sigmoid, in units of cosine.
        tau_end: tau at the phase's end, to which it goes from ``tau`` along half a cosine; None = the same all through.
        alpha: Exponent of Dq.
        b: Of Ib.
        include_self: Count the query among its own positives, as the authors' code does.
    """

    name: ClassVar[str] = "pnp"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        variant: Variant = "Dq",
        tau: Annotated[float, Gt(0)] = 0.01,
        tau_end: Annotated[float, Gt(0)] | None = None,
        alpha: Annotated[float, Gt(0)] = 1.0,
        b: Annotated[float, Gt(0)] = 2.0,
        **options: Any,
    ) -> None:
        super().__init__(outputs, **options)
        self.variant, self.tau, self.alpha, self.b = variant, Annealed(tau, tau_end), alpha, b

    def reach(self, progress: float) -> float:
        """4 tau."""
        return 4 * self.tau.at(progress)

    def total(self, rows: Tensor, queries: Queries, target: RankTarget, progress: float) -> Tensor:
        """Σ of the mean of f over the positives."""
        return streamed_sum(rows, queries, Penalty(self, self.tau.at(progress)))

    def penalty(self, before: Tensor) -> Tensor:
        """F of the number of negatives before a positive."""
        match self.variant:
            case "O":
                return before
            case "Ds":
                return before.log1p()
            case "Dq":
                return 1 - (1 + before).pow(-self.alpha)
            case "Iu":
                return (1 + before) * before.log1p()
            case "Ib":
                return (self.b * before - (self.b * before).log1p()) / self.b**2


class Penalty(SummedLoss):
    """The mean of f over the positives of each query."""

    def __init__(self, loss: PNP, tau: float) -> None:
        super().__init__(Ranks(Sigmoid(tau), Heaviside()))
        self.loss = loss

    def term(self, block: Block, values: tuple[Tensor, ...]) -> Tensor:
        """Of the negatives before them."""
        return self.loss.penalty(values[1]).mean(1)
