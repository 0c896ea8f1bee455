"""LiDAR: the smooth rank of the variance of features between images, relative to that between views of one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, Gt, OutputName, StreamName
from rankhub_probes.features import ROUNDING, Views, seen_views, smooth_rank, undefined


class LiDAR(Evaluator):
    """LiDAR (Thilak, Huang, Saremi, Dinh, Goh, Nakkiran, Susskind, Littwin, ICLR 2024), equations 1 to 4.

    n images, q views of each, x_ij their features, mu_i the mean of an image, mu the mean of the mu_i:
    S_b = sum_i (mu_i - mu)(mu_i - mu)^T / (n - 1); S_w = sum_ij (x_ij - mu_i)(x_ij - mu_i)^T / (n (q - 1)) + delta I;
    lambda the eigenvalues of S_w^-1/2 S_b S_w^-1/2, p = lambda / sum(lambda) + eps; LiDAR = exp(-sum p ln p).
    The sum runs over the min(d, n - 1) eigenvalues that can differ from 0, which is also LiDAR's bound.

    The authors take 1,000 images and 50 views, of the output of the projection (the teacher's, where there is
    one). With few views S_w is noisy, and where n (q - 1) < d ``delta`` decides part of it. ``delta`` is in
    squared units of the features. Values of another n, q, delta, d, of other views or of another method must
    not be compared.

    Features without differences between images have LiDAR 0.

    Args:
        stream: Whose generator makes the views.
        data: Whose images.
        output: ``backbone`` or ``HEAD.OUTPUT``.
        limit: Images at most.
        delta: Added to the variances between views.
        eps: Added to each share of the spectrum.
    """

    needs_labels = False
    judges_training = False

    def __init__(
        self,
        *,
        stream: StreamName,
        data: DataName,
        output: OutputName = "backbone",
        limit: Annotated[int, Ge(2)] = 1_000,
        delta: Annotated[float, Gt(0)] = 1e-4,
        eps: Annotated[float, Ge(0)] = 1e-8,
    ) -> None:
        self.stream = stream
        self.data = data
        self.output = output
        self.limit = limit
        self.delta = delta
        self.eps = eps

    def headline(self) -> Sequence[str]:
        """``lidar``."""
        return ["lidar"]

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """LiDAR of one row of the report."""
        values, index = seen_views(source, self.stream, self.data, self.output, self.limit, "lidar")
        result = undefined(values, self.headline(), "lidar", source.row)
        if result is not None:
            return result
        views = Views.of(values, index)
        eigenvalues = discriminant_values(views, self.delta, source.device)
        images, width = views.means.shape
        freedom = len(views.values) - images
        notes = [
            f"lidar: {images:,} images, {len(views.values) / images:g} views of each, {width:,} numbers of "
            f"{self.output}; compare it only within one method, at the same figures"
        ]
        if freedom < width:
            notes.append(
                f"lidar: {freedom:,} differences between views are fewer than the {width:,} dimensions, "
                f"so delta ({self.delta:g}) decides the rest; more views or images help"
            )
        if not eigenvalues.any():
            notes.append(f"lidar, {source.row}: the features of all images are equal (collapsed)")
        return EvaluationResult({"lidar": smooth_rank(eigenvalues, self.eps)}, notes=notes)


def discriminant_values(views: Views, delta: float, device: torch.device) -> Tensor:
    """[min(d, n - 1)] eigenvalues of S_w^-1/2 S_b S_w^-1/2 in float64, the largest first.

    They are the squared singular values of L^-1 (mu_i - mu) / sqrt(n - 1) with S_w = L L^T, so that S_b is never
    formed. All are 0 where the differences between images are the rounding of float32.

    With unequal numbers of views, n (q - 1) is N - n.
    """
    images, width = views.means.shape
    count = min(width, images - 1)
    between = (views.means - views.means.mean(dim=0)).to(device)
    if float(between.square().sum()) <= ROUNDING * float(views.means.square().sum()):
        return torch.zeros(count, dtype=torch.float64)
    residuals = views.residuals().to(device)
    within = residuals.T @ residuals / (len(residuals) - images)
    within.diagonal().add_(delta)
    values: Tensor = torch.linalg.svdvals(_whitened(within, between / math.sqrt(images - 1), delta))
    return values.square()[:count].cpu()


def _whitened(within: Tensor, between: Tensor, delta: float) -> Tensor:
    """[d, n] W between^T for a W with W^T W = within^-1."""
    factor, failed = torch.linalg.cholesky_ex(within)
    white: Tensor
    if not failed:
        white = torch.linalg.solve_triangular(factor, between.T, upper=False)
        return white
    # Rounding of large variances has swallowed delta, below which no eigenvalue can be.
    variances, axes = torch.linalg.eigh(within)
    white = (axes / variances.clamp(min=delta).sqrt()).T @ between.T
    return white
