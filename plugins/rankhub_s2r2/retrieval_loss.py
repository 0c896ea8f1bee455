"""What the losses of this plugin share: a sum over queries, each of which should find the views of its group."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_ranking.embeddings import unit_rows
from rankhub_ranking.pairs import has_partner, numbered
from rankhub_ranking.queue import EarlierBatches
from rankhub_s2r2.positives import Queries, queries_by_size
from rankhub_s2r2.precision import exact_precision, share_within


@torch.no_grad()
def cosine_parts(rows: Tensor, group: Tensor) -> dict[str, Tensor]:
    """How near positives are, and how all pairs spread; a collapsed network has means of 1 and no spread.

    Sums over pairs come from the sums of the groups and from the d x d matrix ZᵀZ, never from the N x N cosines.

    "positive_cosine" is the mean over the pairs within groups (alignment is 2 - 2 of it); "cosine_mean" and
    "cosine_std" are over all pairs of different rows [N, d] of unit length. 0 where there is no pair.
    """
    rows = rows.double()
    which, sizes = (sent(one, rows.device) for one in numbered(group))
    sums = rows.new_zeros(len(sizes), rows.shape[1]).index_add_(0, which, rows)
    squares = rows.square().sum(1)
    within, pairs = sizes.square().sum() - len(rows), max(1, len(rows) * (len(rows) - 1))
    positive = (sums.square().sum() - squares.sum()) / within.clamp(min=1)
    mean = (rows.sum(0).square().sum() - squares.sum()) / pairs
    second = ((rows.T @ rows).square().sum() - squares.square().sum()) / pairs
    parts = {"positive_cosine": positive, "cosine_mean": mean, "cosine_std": (second - mean**2).clamp(min=0).sqrt()}
    return {name: part.float() for name, part in parts.items()}


class RetrievalLoss(Loss):
    """A sum over queries; every view that shares its group with another view is a query.

    The positives of a view are the other views of its group, its negatives all views of other groups. Similarities
    are cosines, in float32 at least.

    Args:
        include_self: Count the query among its own positives and items, as the Smooth-AP authors' code does.
        queue: Newest embeddings of earlier steps that are further negatives of every query, without a gradient; 0 =
            none. They count in N; the log is of the batch alone. Take fewer than an epoch has, or an image that comes
            again finds its own views among them.

    Attributes:
        name: The component's name, for sentences.
    """

    scope: Scope = "batch"
    per_query: ClassVar[bool] = True
    name: ClassVar[str]

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        include_self: bool = False,
        queue: Annotated[int, Ge(0)] = 0,
    ) -> None:
        super().__init__()
        self.output = single_output(outputs, "embedding", self.name)
        self.include_self = include_self
        self.queue = EarlierBatches(queue, outputs[self.output].dim) if queue else None

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if no group of a chain's views can hold two of them."""
        if views.views <= views.groups:
            made = f"{views.views} view{'s' * (views.views > 1)} of each image"
            if views.groups > 1:
                made += f" in {views.groups} groups"
            yield (
                f"{self.name} ranks views of one group before all others and needs at least two in it, but the stream "
                f"makes {made}; set `views: 2` or more on the stream's generator"
            )

    def count(self, target: RankTarget) -> Tensor:
        """Number of queries: views that share their group with another view."""
        return has_partner(target.group).sum()

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """Sum of the terms of the queries that have a positive (and are in ``context.queries``)."""
        rows = unit_rows(outputs[self.output])
        plan = list(queries_by_size(target.on_cpu.group, self.include_self, context.queries, rows.device))
        total = rows[:0].sum()  # a graph also where there is no query
        # Behind the batch, those of the queue are in nobody's group.
        items = rows if self.queue is None else torch.cat([rows, self.queue.before(rows)])
        for queries in plan:
            total = total + self.total(items, queries, target, context.progress)
        return LossResult(total, self.parts(rows, plan, target, context.progress) if context.log else {})

    def after_step(self) -> None:
        """Put the step's embeddings into the queue."""
        if self.queue is not None:
            self.queue.after_step()

    def reach(self, progress: float) -> float | None:
        """Gap of cosines beyond which the step has no gradient to speak of; None where it has one everywhere.

        ``progress``: share of the phase that is done.
        """
        return None

    @abstractmethod
    def total(self, rows: Tensor, queries: Queries, target: RankTarget, progress: float) -> Tensor:
        """Scalar with a graph: the sum over the queries, among rows of unit length in full precision.

        ``rows`` [N, d] begin with those of ``target``; others are negatives. ``progress``: share of the phase done.
        """

    def parts(self, rows: Tensor, plan: Sequence[Queries], target: RankTarget, progress: float) -> dict[str, Tensor]:
        """For the log, equal in meaning for all these losses: how well the queries find their positives, and spread.

        "mAP" is the exact average precision, equals counting half; "precision_at_1" the share of queries whose nearest
        row is a positive; "pairs_with_gradient" the share of pairs of a positive and another item nearer to each other
        than :meth:`reach`. These three compare similarities as :mod:`rankhub_ranking.similarity` rounds them, and are
        the same bit for bit whatever the order of the rows. The others are those of
        :func:`~rankhub_s2r2.retrieval_loss.cosine_parts`.
        """
        precision, first = exact_precision(rows, plan)
        parts = {"mAP": precision, "precision_at_1": first} | cosine_parts(rows, target.on_cpu.group)
        reach = self.reach(progress)
        return parts if reach is None else parts | {"pairs_with_gradient": share_within(rows, plan, reach)}
