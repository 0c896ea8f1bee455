"""What Barlow Twins and VICReg share."""

from __future__ import annotations

import torch
from torch import Tensor


def off_diagonal(matrix: Tensor) -> Tensor:
    """Scalar: the sum of squares of a square matrix without its diagonal."""
    return (matrix - torch.diag(matrix.diagonal())).square().sum()
