"""The loss of a density map against the points of its view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.embeddings import full_precision
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.points import Points
from rankhub_counting.kernels import Gaussians, draw


class DensityMSE(Loss):
    """Mean squared error of the map of density, in units of the mean density, over the cells of each labeled view.

        L = 1/M Σ_views 1/(h w) Σ_cells ((map - target) / std)²

    The target is drawn at the size of the head's own map, from the points that followed the view: a Gaussian around
    each point, integrated over each cell. Nothing need be told of strides. With ``edges: inside`` it sums to the number
    of points inside the view, to 1e-4 and better.

    For the log: "count_error", the mean absolute error of a view's number of points.

    Source: Liu, van de Weijer, Bagdanov, CVPR 2018 (arXiv 1803.03095), L_c = 1/M Σ_i (y_i - ŷ_i)², y maps of density;
    geometry-adaptive kernels: Zhang et al., CVPR 2016 (MCNN), with a share of 0.3 of the mean distance to the nearest
    neighbours.

    Args:
        sigma: Standard deviation of the Gaussians in pixels of the image, 15 in the code that the authors built on; it
            is scaled with the image when that is resized.
        adaptive: Standard deviation as a share of the mean distance to the 3 nearest other points in place of
            ``sigma``, which is taken for images of fewer than 4 points; None = always ``sigma``.
        narrowest: Lowest standard deviation, in cells of the map.
        edges: inside = the points inside the view, each Gaussian renormalised over the view; window = as in the paper,
            a window of the whole image's map: people just outside reach in, those near the edge reach out, and the sum
            is a fraction.
    """

    scope: ClassVar[Scope] = "sample"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        sigma: Annotated[float, Gt(0)] = 15.0,
        adaptive: Annotated[float, Gt(0)] | None = None,
        narrowest: Annotated[float, Gt(0)] = 0.3,
        edges: Literal["inside", "window"] = "inside",
    ) -> None:
        super().__init__()
        self.output = single_output(outputs, "map", "density_mse")
        self.unit = outputs[self.output].std
        self.gaussians = Gaussians(sigma, adaptive, narrowest)
        self.edges = edges

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if the stream's labels are no points."""
        if label.kind != "points":
            have = f"are of kind {label.kind}" if label.kind else "have no labels"
            yield f"density_mse needs points as labels, but the stream's data {have}"

    def count(self, target: RankTarget) -> Tensor:
        """Number of views."""
        return target.index.new_tensor(len(_points(target)))

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """The sum over the views."""
        density, points = full_precision(outputs[self.output]), _points(target)
        with torch.no_grad():
            wanted = self.target(points, density.shape[-2], density.shape[-1]).to(density)
        error = (density - wanted) / self.unit
        parts = {}
        if context.log and len(density):
            numbers = points.numbers().to(density)
            parts["count_error"] = (density.detach().sum(dim=(1, 2, 3)) - numbers).abs().mean()
        return LossResult(error.square().mean(dim=(1, 2, 3)).sum(), parts)

    def target(self, points: Points, height: int, width: int) -> Tensor:
        """[N, 1, height, width]: the maps that are wanted of these points."""
        return draw(points, height, width, self.gaussians, inside=self.edges == "inside")


def _points(target: RankTarget) -> Points:
    if not isinstance(target.label, Points):
        raise UserError("density_mse needs points as labels, but this batch has none; name a data set with points")
    return target.label
