"""The pairwise ranking loss of RankIQA on all pairs of a batch, with one pass of each view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_ranking.embeddings import full_precision
from rankhub_ranking.pairs import ordered_pairs
from rankhub_ranking.regression import one_number

Shape = Literal["hinge", "logistic"]


class MarginRanking(Loss):
    """Every view that ranks above another should score higher by a margin.

    With f the outputs in standardized units and P all pairs (i, j) of which i ranks above j:

        hinge     L = Σ_P max(0, margin - (f_i - f_j))
        logistic  L = Σ_P log(1 + exp(margin - (f_i - f_j)))

    Each view passes the network once. All pairs are formed on the outputs, and the gradient of all of them is added
    up at each output before it goes back: the gradient of a Siamese network on the same pairs, at the cost of one
    branch and one pass a view. A pair at the margin itself is inactive. Memory is bounded however many pairs there are.

    For the log: "ranking_accuracy", the share of pairs in the right order (equals count half), and "active", the share
    of pairs closer than the margin.

    Source: Liu, van de Weijer, Bagdanov: RankIQA, ICCV 2017 (arXiv 1707.08347); Exploiting Unlabeled Data in CNNs by
    Self-Supervised Learning to Rank, TPAMI 2019 (arXiv 1902.06285).

    Args:
        margin: In standardized units, standard deviations of the training labels (units of the output where it is
            trained without labels). Any two levels are to be so far apart: n of them want n - 1 margins, which should
            be no more than labels in the same phase span (six that are spread evenly: 2.9), or the ranking pulls whole
            images off the labels' scale. With 0 equal outputs cost nothing, so the constant function is a minimum, and
            something else must hold the network: labels in the same phase, or weights that were trained before.
        pairs: ``same_image``: views of one image and kind of change, as in the paper; ``same_kind``: also views of
            different images changed in the same way, as in the released code.
        shape: ``hinge`` as in the paper, or ``logistic``, which is smooth and never quite 0.
        reduction: By what the sum is divided: ``pairs``; ``images`` = views that pass the network, as in the released
            code, so that larger groups weigh more; or ``groups``: the mean over a group's pairs, then over groups.
    """

    scope: Scope = "group"  # or "batch", as `pairs` says

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        margin: Annotated[float, Ge(0)] = 0.5,
        pairs: Literal["same_image", "same_kind"] = "same_image",
        shape: Shape = "hinge",
        reduction: Literal["pairs", "images", "groups"] = "pairs",
    ) -> None:
        super().__init__()
        self.output = one_number(outputs, "margin_ranking")
        self.kind, self.unit = outputs[self.output].kind, outputs[self.output].std
        self.margin, self.pairs, self.shape, self.reduction = margin, pairs, shape, reduction
        self.scope = "group" if pairs == "same_image" else "batch"

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if the stream's views are not ranked."""
        if views.levels == "equal":
            yield (
                "margin_ranking compares views of different level, but all views of the stream are of equal level; "
                "use a generator that ranks its views"
            )
        elif views.views <= views.groups and self.pairs == "same_image":
            yield (
                f"margin_ranking compares views of one group and needs at least two in it, but the stream makes "
                f"{views.views} views of each image in {views.groups} groups; make more levels"
            )
        sizes = {side for _, side in views.sizes}
        if self.kind == "pooled" and (None in sizes or len(sizes) > 1):
            yield (
                f"margin_ranking on {self.output}, the mean of a map, compares views of one size only, but the views "
                "of the stream differ in size: a smaller view of the same crowd has the higher mean; resize all views "
                "to one `size`, or rank the count"
            )

    def collapse(self) -> str | None:
        """With a hinge and margin 0, where all answers are equal, no pair costs anything."""
        if self.margin > 0 or self.shape != "hinge":
            return None
        return (
            "margin_ranking with margin 0 is least where the network answers every view alike, such as by an empty "
            "map, so trained alone it may well learn just that; set a margin above 0"
        )

    def count(self, target: RankTarget) -> Tensor:
        """Pairs, views, or groups with a pair, by ``reduction``."""
        if self.reduction == "images":
            return torch.tensor(len(target))
        numbers = self._pairs_by_owner(target)[1]
        return numbers.sum() if self.reduction == "pairs" else (numbers > 0).sum()

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """The sum over pairs (of the means of groups with ``reduction: groups``)."""
        scores = full_precision(outputs[self.output]) / self.unit
        target = target.on_cpu  # where pairs are listed, so that nobody waits for the device
        owner, numbers = self._pairs_by_owner(target)
        weight = torch.ones_like(scores)
        if self.reduction == "groups":
            weight = weight / sent(numbers.clamp(min=1)[owner], scores.device)
        total: Tensor = _AllPairs.apply(scores, owner, target.level, weight, self.margin, self.shape)
        return LossResult(total, self._parts(scores.detach(), owner, target.level) if context.log else {})

    def _pairs_by_owner(self, target: RankTarget) -> tuple[Tensor, Tensor]:
        """[N] owner of each view from 0, and [owners] its number of pairs."""
        ids = target.group
        if self.pairs == "same_kind":
            ids = torch.zeros_like(ids) if target.kind is None else target.kind
        found, owner = torch.unique(ids, return_inverse=True)
        numbers = torch.zeros(len(found), dtype=torch.int64, device=ids.device)
        if self.reduction != "images":
            for upper, _ in ordered_pairs(owner, target.level):
                numbers += torch.bincount(owner[upper], minlength=len(found))
        return owner, numbers

    def _parts(self, scores: Tensor, owner: Tensor, level: Tensor) -> dict[str, Tensor]:
        right = active = scores.new_zeros(())
        count = 0
        for upper, lower in pairs_on(scores.device, owner, level):
            ahead = scores[upper] - scores[lower]
            right = right + (ahead > 0).sum() + 0.5 * (ahead == 0).sum()
            active = active + (ahead < self.margin).sum()
            count += len(ahead)
        return {"ranking_accuracy": right / count, "active": active / count} if count else {}


def pairs_on(device: torch.device, owner: Tensor, level: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The pairs of :func:`~rankhub_ranking.pairs.ordered_pairs`, sent to a device as they are listed."""
    return ((sent(upper, device), sent(lower, device)) for upper, lower in ordered_pairs(owner, level))


class _AllPairs(torch.autograd.Function):
    """The weighted sum over pairs; its gradient is made in the same pass, so that no pair is kept."""

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, owner: Tensor, level: Tensor, weight: Tensor, margin: float, shape: Shape
    ) -> Tensor:
        total, gradient = scores.new_zeros(()), torch.zeros_like(scores)
        for upper, lower in pairs_on(scores.device, owner, level):
            short = margin - (scores[upper] - scores[lower])
            if shape == "hinge":
                terms, slope = short.clamp(min=0), (short > 0).to(scores.dtype)
            else:
                terms, slope = F.softplus(short), torch.sigmoid(short)
            total = total + (weight[upper] * terms).sum()
            slope = weight[upper] * slope
            gradient.index_add_(0, upper, -slope).index_add_(0, lower, slope)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return grad_output * gradient, None, None, None, None, None
