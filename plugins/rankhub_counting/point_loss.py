"""What the losses of a map of density against points share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_points import Points
from rankhub_ranking.embeddings import full_precision


class PointLoss(Loss):
    """A sum over labeled views of a function of a view's map of density and its points.

    For the log: "count_error", the mean absolute error of a view's number of points.

    Attributes:
        scope: A sum over views.
        name: The component's name, for sentences.
        output: Name of the map, [N, 1, h, w] points a cell.
        unit: Points that a cell of the training images has on average.
    """

    scope: Scope = "sample"
    name: ClassVar[str]

    def __init__(self, outputs: Mapping[str, OutputSpec], output: str) -> None:
        super().__init__()
        self.output, self.unit = output, outputs[output].std

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if the stream's labels are no points."""
        if label.kind != "points":
            have = f"are of kind {label.kind}" if label.kind else "have no labels"
            yield f"{self.name} needs points as labels, but the stream's data {have}"

    def count(self, target: RankTarget) -> Tensor:
        """Number of views."""
        return target.index.new_tensor(len(self._points(target)))

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """The sum over the views."""
        points = self._points(target.on_cpu)
        exact = {name: full_precision(values) for name, values in outputs.items()}
        parts, density = {}, exact[self.output].detach()
        if context.log and len(density):
            numbers = sent(points.numbers(), density.device).to(density)
            parts["count_error"] = (density.sum(dim=(1, 2, 3)) - numbers).abs().mean()
        return LossResult(self.terms(exact, points).sum(), parts)

    @abstractmethod
    def terms(self, outputs: Mapping[str, Tensor], points: Points) -> Tensor:
        """[N] the loss of each view, of outputs in float32 or float64; the points are on the CPU."""

    def _points(self, target: RankTarget) -> Points:
        if not isinstance(target.label, Points):
            raise UserError(f"{self.name} needs points as labels, but this batch has none; name a data set with points")
        return target.label
