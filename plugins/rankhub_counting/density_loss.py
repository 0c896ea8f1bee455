"""The loss of a density map against one that is drawn from the points of its view, a Gaussian around each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from rankhub.interfaces.loss import single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.tensors import sent
from rankhub_counting.point_loss import PointLoss
from rankhub_points import Points

REACH = 4.0
"""Kernels end at so many standard deviations: what is cut off is below 1e-4 of each."""

BLOCK = 1 << 22
"""Numbers that are held at a time."""


@dataclass(frozen=True, slots=True)
class Gaussians:
    """How wide the Gaussian around a point is, by these options of :class:`DensityMSE`."""

    sigma: float
    adaptive: float | None
    narrowest: float

    def widths(self, points: Points, cell: Tensor) -> Tensor:
        """[P, 2] standard deviations of P points along x and y, in cells of ``cell`` [N, 2] pixels of each view."""
        owner = points.owner
        pixels = self.sigma * points.scales[owner]
        if self.adaptive is not None:
            pixels = torch.where(points.extents.isnan(), pixels, self.adaptive * points.extents)
        return (pixels[:, None] / cell[owner]).clamp(min=self.narrowest)


def draw(
    points: Points, height: int, width: int, gaussians: Gaussians, *, inside: bool, device: torch.device | None = None
) -> Tensor:
    """The maps of N views, on ``device``, by default that of the points.

    A Gaussian is integrated over each cell exactly (as a product of differences of the error function), not sampled at
    its centre, so that narrow ones lose nothing between the cells.

    [N, 1, height, width] points a cell. ``inside``: only the points inside each view, each Gaussian renormalized over
    the view, so that the map sums to their number. Else a window of the map of the whole image, in which each point
    weighs 1 in all: points near the border have a part of their weight on the other side, so that the sum is a
    fraction.
    """
    owner, values = points.owner, points.values
    device = values.device if device is None else device
    sizes = points.sizes.to(values.dtype)
    cell = torch.stack([sizes[:, 1] / width, sizes[:, 0] / height], dim=1)
    at, sigma = values / cell[owner], gaussians.widths(points, cell)
    if inside:
        kept = points.inside
    else:
        edge = torch.tensor([width, height], dtype=values.dtype, device=values.device)
        kept = ((at > -REACH * sigma) & (at < edge + REACH * sigma)).all(dim=1)
    owner, at, sigma = (sent(one[kept], device) for one in (owner, at, sigma))
    maps = values.new_zeros((len(points), height, width), device=device)
    for first in range(0, len(owner), max(1, BLOCK // (height * width))):
        part = slice(first, first + max(1, BLOCK // (height * width)))
        x = _shares(at[part, 0], sigma[part, 0], width, renormalized=inside)
        y = _shares(at[part, 1], sigma[part, 1], height, renormalized=inside)
        maps.index_add_(0, owner[part], y[:, :, None] * x[:, None, :])
    return maps[:, None]


def _shares(at: Tensor, sigma: Tensor, cells: int, *, renormalized: bool) -> Tensor:
    """[P, cells] the weight of each Gaussian in each cell of a row."""
    edges = torch.arange(cells + 1, dtype=at.dtype, device=at.device)
    # A point on the view's open edge belongs to its last cell.
    centre = at.clamp(0, cells) if renormalized else at
    distance = ((edges - centre[:, None]) / sigma[:, None]).clamp(-REACH, REACH)
    mass: Tensor = torch.special.ndtr(distance).diff(dim=1)
    whole = mass.sum(dim=1, keepdim=True) if renormalized else _WHOLE
    return mass / whole


_WHOLE = float(torch.special.ndtr(torch.tensor(REACH, dtype=torch.float64)) * 2 - 1)
"""The weight of a Gaussian that ends at REACH."""


class DensityMSE(PointLoss):
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
        edges: inside = the points inside the view, each Gaussian renormalized over the view; window = as in the paper,
            a window of the whole image's map: people just outside reach in, those near the edge reach out, and the sum
            is a fraction.
    """

    name: ClassVar[str] = "density_mse"

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
        super().__init__(outputs, single_output(outputs, "map", self.name))
        self.gaussians = Gaussians(sigma, adaptive, narrowest)
        self.edges = edges

    def terms(self, outputs: Mapping[str, Tensor], points: Points) -> Tensor:
        """[N] mean squares of each view."""
        density = outputs[self.output]
        with torch.no_grad():
            wanted = self.target(points, density.shape[-2], density.shape[-1], density.device).to(density)
        return ((density - wanted) / self.unit).square().mean(dim=(1, 2, 3))

    def target(self, points: Points, height: int, width: int, device: torch.device | None = None) -> Tensor:
        """[N, 1, height, width]: the maps that are wanted of these points, by default on their device."""
        return draw(points, height, width, self.gaussians, inside=self.edges == "inside", device=device)
