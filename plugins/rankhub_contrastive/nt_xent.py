"""NT-Xent, the loss of SimCLR."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge, Gt
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_contrastive.checks import no_pair
from rankhub_contrastive.partition import log_partition
from rankhub_ranking.annealing import Annealed
from rankhub_ranking.embeddings import unit_rows
from rankhub_ranking.pairs import has_partner, numbered
from rankhub_ranking.queue import EarlierBatches


class NTXent(Loss):
    """Normalized temperature-scaled cross-entropy, summed over the queries; every view is a query.

    With cosines s_q(j), and P_q the other views of q's group:

        L_q = 1/|P_q| Σ_{p in P_q} -log( exp(s_q(p) / T) / Σ_{j != q} exp(s_q(j) / T) )

    With two views this is SimCLR; with more, the mean over the positives stands outside the logarithm, so that at
    any number of views each query counts once. Views without a partner are no queries, but negatives of the others.
    Where all N embeddings agree, each term is log(N - 1): the height of a collapsed network in the curves. With a
    ``queue``, j runs over its embeddings too and N counts them.

    Exact for any N: logits are streamed over blocks of queries and made again in the backward, so that memory grows
    with N, not with its square. Inside autocast it computes in float32.

    For the log: "positive_cosine" and "negative_cosine", the mean over the pairs within groups and between groups
    of the batch.

    Source: Chen, Kornblith, Norouzi, Hinton: A simple framework for contrastive learning of visual representations,
    ICML 2020 (arXiv 2002.05709), equation 1; several positives as in Khosla et al.: Supervised contrastive learning,
    NeurIPS 2020 (arXiv 2004.11362), equation 2.

    Args:
        temperature: T. SimCLR takes .5 on small images, .1 to .2 on ImageNet.
        temperature_end: T at the phase's end, to which it goes from ``temperature`` along half a cosine; None = the
            same all through.
        queue: Newest embeddings of earlier steps that are further negatives of every query, without a gradient; 0 =
            none. Take fewer than an epoch has, or an image that comes again finds its own views among them.
    """

    scope: Scope = "batch"
    per_query: ClassVar[bool] = True

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        temperature: Annotated[float, Gt(0)] = 0.5,
        temperature_end: Annotated[float, Gt(0)] | None = None,
        queue: Annotated[int, Ge(0)] = 0,
    ) -> None:
        super().__init__()
        self.output = single_output(outputs, "embedding", "nt_xent")
        self.temperature = Annealed(temperature, temperature_end)
        self.queue = EarlierBatches(queue, outputs[self.output].dim) if queue else None

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if no group can hold two views."""
        return no_pair("nt_xent", views)

    def count(self, target: RankTarget) -> Tensor:
        """Number of queries: views that share their group with another view."""
        return has_partner(target.group).sum()

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """Sum of L_q over the queries that have a positive (and are in ``context.queries``)."""
        rows = unit_rows(outputs[self.output])
        which, sizes = numbered(target.on_cpu.group)  # on the CPU, where nobody has to wait for it
        queries = sizes[which] > 1
        if context.queries is not None:
            queries = queries & context.queries.cpu()
        picked = queries.nonzero().flatten()
        which, sizes, picked = (sent(one, rows.device) for one in (which, sizes, picked))
        own, group = rows[picked], which[picked]
        # Σ_p z_q · z_p = z_q · (sum of the group - z_q): linear in N, whatever the sizes of the groups.
        sums = rows.new_zeros(len(sizes), rows.shape[1]).index_add(0, which, rows)
        positive = (own * (sums[group] - own)).sum(1) / (sizes[group] - 1)
        temperature = self.temperature.at(context.progress)
        everything = log_partition(own, rows, temperature, picked)
        earlier = rows[:0] if self.queue is None else self.queue.before(rows)
        if len(earlier):  # by themselves, so that they cost no gradient
            everything = torch.logaddexp(everything, log_partition(own, earlier, temperature))
        terms = everything - positive / temperature
        return LossResult(terms.sum(), _cosines(rows, sums, sizes) if context.log else {})

    def after_step(self) -> None:
        """Put the step's embeddings into the queue."""
        if self.queue is not None:
            self.queue.after_step()


@torch.no_grad()
def _cosines(rows: Tensor, sums: Tensor, sizes: Tensor) -> dict[str, Tensor]:
    """Mean cosine within and between groups, from the sums of the groups alone."""
    alone, grouped, everything = rows.square().sum(), sums.square().sum(), rows.sum(0).square().sum()
    within, total = sizes.square().sum(), len(rows) ** 2
    return {
        "positive_cosine": (grouped - alone) / (within - len(rows)).clamp(min=1),
        "negative_cosine": (everything - grouped) / (total - within).clamp(min=1),
    }
