"""Losses on labeled views: errors in standard deviations of the training labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_points import Points
from rankhub_ranking.embeddings import full_precision


def one_number(outputs: Mapping[str, OutputSpec], owner: str) -> str:
    """The name of the one score; where there is none of the one count, and else of the one mean of a map.

    Raises:
        Objection: There is none, or more than one.
    """
    kinds = {spec.kind for spec in outputs.values()}
    kind = next((kind for kind in ("score", "count", "pooled") if kind in kinds), "score")
    return single_output(outputs, kind, owner)


class RegressionLoss(Loss):
    """A sum over the views with a label of a function of the error (f - y) / std; a missing label (NaN) costs nothing.

    On a count, y is the number of points inside the view.

    For the log: "mean_error", the mean absolute error in the labels' unit.

    Attributes:
        name: The component's name, for sentences.
    """

    scope: Scope = "sample"
    name: ClassVar[str]

    def __init__(self, outputs: Mapping[str, OutputSpec], /) -> None:
        super().__init__()
        self.output = one_number(outputs, self.name)
        self.kind, self.unit = outputs[self.output].kind, outputs[self.output].std

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if the stream's labels are no scores, or for a count no points."""
        wanted = "points" if self.kind == "count" else "score"
        if label.kind != wanted:
            have = f"are of kind {label.kind}" if label.kind else "have no labels"
            yield f"{self.name} on {self.output} needs {_PLURAL[wanted]} as labels, but the stream's data {have}"

    def count(self, target: RankTarget) -> Tensor:
        """Number of views with a label."""
        return _scores(target, self.name).isfinite().sum()

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """The sum over the views with a label."""
        scores, labels = full_precision(outputs[self.output]), _scores(target.on_cpu, self.name)
        rows = labels.isfinite().nonzero().flatten()
        known, wanted = (sent(one, scores.device) for one in (rows, labels[rows].to(scores.dtype)))
        error = (scores[known] - wanted) / self.unit
        parts = {}
        if context.log and len(error):
            parts["mean_error"] = error.detach().abs().mean() * self.unit
        return LossResult(self.terms(error).sum(), parts)

    @abstractmethod
    def terms(self, error: Tensor) -> Tensor:
        """[n] the loss of each error."""


_PLURAL = {"score": "scores", "points": "points"}


def _scores(target: RankTarget, owner: str) -> Tensor:
    """[N] the labels; of points how many lie inside each view."""
    if isinstance(target.label, Points):
        return target.label.numbers().to(torch.float32)
    if not isinstance(target.label, Tensor) or not target.label.is_floating_point():
        raise UserError(f"{owner} needs scores as labels, but this batch has none; name a data set with scores")
    return target.label


class MSE(RegressionLoss):
    """Mean squared error, ((f - y) / std)², over the views that have a label."""

    name: ClassVar[str] = "mse"

    def terms(self, error: Tensor) -> Tensor:
        """Squares."""
        return error.square()


class L1(RegressionLoss):
    """Mean absolute error, |f - y| / std, over the views that have a label."""

    name: ClassVar[str] = "l1"

    def terms(self, error: Tensor) -> Tensor:
        """Absolute values."""
        return error.abs()


class Huber(RegressionLoss):
    """Half the squared error up to ``delta``, linear beyond it (Huber, 1964), over the views that have a label.

    Args:
        delta: Where the two meet, in standard deviations of the training labels.
    """

    name: ClassVar[str] = "huber"

    def __init__(self, outputs: Mapping[str, OutputSpec], /, *, delta: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__(outputs)
        self.delta = delta

    def terms(self, error: Tensor) -> Tensor:
        """Huber's function."""
        return F.huber_loss(error, error.new_zeros(error.shape), reduction="none", delta=self.delta)
