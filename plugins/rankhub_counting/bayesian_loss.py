"""The loss of a map of density against points whose shares of each cell are posterior probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rankhub.interfaces.loss import single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge, Gt
from rankhub.interfaces.tensors import sent
from rankhub_counting.point_loss import PointLoss
from rankhub_points import Points


class BayesianPoints(PointLoss):
    """Absolute error of the number of points that is expected at each point, which is 1, in each labeled view.

        L = 1/M Σ_views 1/(h w std) (Σ_n |1 - E_n| + |E_0|),    E_n = Σ_cells p(n | cell) map(cell)
        p(n | cell) = softmax_n(-d_n² / 2σ²),    d_0 = background - min_n d_n

    d_n is the distance of a cell's centre to point n, in pixels; point 0 is a background, which has what is far from
    all points and of which none is expected. No map is drawn to be copied: how the density lies around a point is the
    network's to find. The posteriors of a cell sum to 1, so that the E_n sum to the map's sum. Points inside the view
    alone are looked at; of a view without any, all is background: |Σ_cells map|. The sum is taken in units of the
    number of points that an average view has (h w std), so that a weight means the same at any size of the view.

    A map with negative cells can have right sums: take ``heads.NAME.activation: softplus``.

    A view costs memory for its cells times its points, 8 bytes each.

    For the log: "count_error", the mean absolute error of a view's number of points.

    Source: Ma, Wei, Hong, Gong, *Bayesian Loss for Crowd Count Estimation with Point Supervision*, ICCV 2019 (arXiv
    1908.03684), section 3 ("BAYESIAN+"; without a background "BAYESIAN"). Theirs is not divided by h w std.

    Args:
        sigma: σ in pixels of the image, 8 in the authors' code, where that is one cell of the map; it is scaled with
            the image when that is resized.
        narrowest: Lowest σ, in cells of the map: below about half a cell, points that share one get no part of it.
        background: Distance between a point and the background that is seen from it, in pixels of the image and scaled
            with it; a cell belongs to the background from half of it on. The paper takes 15 % of the image's shorter
            side (115 px at 768). None = no background: every cell belongs to points, however far.
    """

    name: ClassVar[str] = "bayesian_points"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        sigma: Annotated[float, Gt(0)] = 8.0,
        narrowest: Annotated[float, Ge(0.1)] = 0.5,
        background: Annotated[float, Gt(0)] | None = 100.0,
    ) -> None:
        super().__init__(outputs, single_output(outputs, "map", self.name))
        self.sigma, self.narrowest, self.background = sigma, narrowest, background

    def terms(self, outputs: Mapping[str, Tensor], points: Points) -> Tensor:
        """[N] of each view."""
        density = outputs[self.output]
        height, width = density.shape[-2:]
        cells = points.sizes.to(points.values.dtype) / points.sizes.new_tensor([height, width])
        found = []
        for row, at in enumerate(points):
            one = density[row].flatten()
            if len(at):
                shares = self._posteriors(at, points.scales[row], cells[row], height, width)
                shares = sent(shares, one.device).to(one)
                wanted = one.new_ones(len(shares))
                wanted[len(at) :] = 0
                found.append((shares @ one - wanted).abs().sum())
            else:
                found.append(one.sum().abs())
        return torch.stack(found) / (height * width * self.unit) if found else density.sum(dim=(1, 2, 3))

    @torch.no_grad()
    def _posteriors(self, at: Tensor, scale: Tensor, cell: Tensor, height: int, width: int) -> Tensor:
        """As :func:`posteriors`, of one view: ``scale`` pixels to one of the image, cells of ``cell`` [2] pixels."""
        sigma = torch.maximum(self.sigma * scale, self.narrowest * cell.max())
        y, x = (
            (torch.arange(count, dtype=at.dtype, device=at.device) + 0.5) * side
            for count, side in ((height, cell[0]), (width, cell[1]))
        )
        centres = torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1)
        return posteriors(at, centres, sigma, None if self.background is None else self.background * scale)


def posteriors(at: Tensor, centres: Tensor, sigma: Tensor, background: Tensor | None) -> Tensor:
    """Whose each cell is: [n, C] of ``at`` [n, 2] points and C ``centres`` [C, 2]; columns sum to 1.

    With a ``background`` there is one more row, the last, which is its.
    """
    square = (at[:, None, 0] - centres[:, 0]).square() + (at[:, None, 1] - centres[:, 1]).square()
    if background is not None:
        distance = background - square.amin(dim=0, keepdim=True).sqrt()
        square = torch.cat([square, distance.square()])
    return torch.softmax(-square / (2 * sigma.square()), dim=0)
