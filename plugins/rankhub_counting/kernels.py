"""Points to a map of density: a Gaussian around each point, integrated over the cells of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rankhub.interfaces.points import Points

REACH = 4.0
"""Kernels end at so many standard deviations: what is cut off is below 1e-4 of each."""

BLOCK = 1 << 22
"""Numbers that are held at a time."""


@dataclass(frozen=True, slots=True)
class Gaussians:
    """How wide the Gaussian around a point is.

    Attributes:
        sigma: Standard deviation in pixels of the image; in a view it is scaled with the image.
        adaptive: Standard deviation as a share of the point's extent (of the mean distance to its nearest neighbours)
            in place of ``sigma``, which is taken where the extent is not known; None = always ``sigma``.
        narrowest: Lowest standard deviation in cells of the map.
    """

    sigma: float
    adaptive: float | None
    narrowest: float

    def widths(self, points: Points, cell: Tensor) -> Tensor:
        """[P, 2] standard deviations of the points along x and y, in cells.

        Args:
            points: P points of N views.
            cell: [N, 2] pixels of the view to a cell, along x and y.
        """
        owner = points.owner
        pixels = self.sigma * points.scales[owner]
        if self.adaptive is not None:
            pixels = torch.where(points.extents.isnan(), pixels, self.adaptive * points.extents)
        return (pixels[:, None] / cell[owner]).clamp(min=self.narrowest)


def draw(points: Points, height: int, width: int, gaussians: Gaussians, *, inside: bool) -> Tensor:
    """The maps of N views.

    A Gaussian is integrated over each cell exactly (as a product of differences of the error function), not sampled at
    its centre, so that narrow ones lose nothing between the cells.

    Args:
        points: Of the N views.
        height: Cells of a view from top to bottom.
        width: And from left to right.
        gaussians: How wide they are.
        inside: True: only the points inside each view, each Gaussian renormalised over the view, so that the map sums
            to their number. False: a window of the map of the whole image, in which each point weighs 1 in all: points
            near the border have a part of their weight on the other side, so that the sum is a fraction.

    Returns:
        [N, 1, height, width] of the points' type, points a cell.
    """
    owner, values = points.owner, points.values
    sizes = points.sizes.to(values.dtype)
    cell = torch.stack([sizes[:, 1] / width, sizes[:, 0] / height], dim=1)
    at, sigma = values / cell[owner], gaussians.widths(points, cell)
    if inside:
        kept = points.inside
    else:
        edge = torch.tensor([width, height], dtype=values.dtype, device=values.device)
        kept = ((at > -REACH * sigma) & (at < edge + REACH * sigma)).all(dim=1)
    owner, at, sigma = owner[kept], at[kept], sigma[kept]
    maps = values.new_zeros((len(points), height, width))
    for first in range(0, len(owner), max(1, BLOCK // (height * width))):
        part = slice(first, first + max(1, BLOCK // (height * width)))
        x = _shares(at[part, 0], sigma[part, 0], width, renormalised=inside)
        y = _shares(at[part, 1], sigma[part, 1], height, renormalised=inside)
        maps.index_add_(0, owner[part], y[:, :, None] * x[:, None, :])
    return maps[:, None]


def _shares(at: Tensor, sigma: Tensor, cells: int, *, renormalised: bool) -> Tensor:
    """[P, cells] the weight of each Gaussian in each cell of a row."""
    edges = torch.arange(cells + 1, dtype=at.dtype, device=at.device)
    # A point on the view's open edge belongs to its last cell.
    centre = at.clamp(0, cells) if renormalised else at
    distance = ((edges - centre[:, None]) / sigma[:, None]).clamp(-REACH, REACH)
    mass = torch.special.ndtr(distance).diff(dim=1)
    whole = mass.sum(dim=1, keepdim=True) if renormalised else _WHOLE
    return mass / whole


_WHOLE = float(torch.special.ndtr(torch.tensor(REACH, dtype=torch.float64)) * 2 - 1)
"""The weight of a Gaussian that ends at REACH."""
