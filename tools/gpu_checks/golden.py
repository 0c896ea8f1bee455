"""Vectors, and the losses of average precision on them on which independent code agreed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def golden() -> tuple[Tensor, Tensor]:
    """3 groups of 4 vectors in 5 dimensions: [12, 5] float64, and [12] the groups."""
    n = torch.arange(12, dtype=torch.float64)[:, None]
    k = torch.arange(5, dtype=torch.float64)
    return torch.cos(1.7 * (n // 4) + 0.9 * k) + 0.8 * torch.sin(2.3 * n + 1.1 * k**2), torch.arange(12) // 4


_SUP: dict[str, Any] = {"calibration": 0}

LOSSES: list[tuple[str, dict[str, Any], float]] = [
    ("smooth_ap", {"tau": 0.01}, 0.176024397709),
    ("smooth_ap", {}, 0.199372886487),
    ("smooth_ap", {"include_self": True}, 0.117194150686),
    ("graded_ap", {}, 0.199372886487),
    ("graded_ap", {"include_self": True}, 0.117194150686),
    ("ramp_ap", {"width": 0.05}, 0.183254918003),
    ("ramp_ap", {"width": 0.2}, 0.205712978439),
    ("sup_ap", _SUP, 0.369273348893),
    ("sup_ap", {**_SUP, "start": 0, "offset": 1.0}, 0.365412688783),
    ("pnp", {"variant": "O"}, 0.760677837297),
    ("pnp", {"variant": "Ds"}, 0.423066674796),
    ("pnp", {}, 0.264608356702),
    ("pnp", {"variant": "Iu"}, 1.255109977748),
    ("pnp", {"variant": "Ib"}, 0.222992077104),
    ("pnp", {"variant": "O", "include_self": True}, 0.570508377973),
    ("pnp", {"variant": "Ds", "include_self": True}, 0.317300006097),
    ("pnp", {"include_self": True}, 0.198456267526),
    ("pnp", {"variant": "Iu", "include_self": True}, 0.941332483311),
    ("pnp", {"variant": "Ib", "include_self": True}, 0.167244057828),
    ("fast_ap", {}, 0.248879219151),
    ("fast_ap", {"bins": 20}, 0.222899279676),
    ("histogram_ap", {}, 0.221933338617),
    ("histogram_ap", {"include_self": True}, 0.132465406683),
    ("histogram_ap", {"bins": 25, "low": 0}, 0.195776578040),
    ("blackbox_ap", {"margin": 0}, 1 - 0.8291666666667),
    ("blackbox_ap", {"margin": 0, "include_self": True}, 1 - 0.8963789682540),
]
"""Component, its options, and the mean loss over the twelve queries."""
