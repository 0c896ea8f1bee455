"""The losses that are measured: rankhub's by name, and pytorch-metric-learning's that compute the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from rankhub.interfaces.order import RankTarget

LossOf = Callable[["Tensor"], "Tensor"]
"""Embeddings [N, d] -> mean loss."""

OURS: tuple[str, ...] = ("smooth_ap", "ramp_ap", "sup_ap", "pnp", "graded_ap", "fast_ap", "histogram_ap", "blackbox_ap")
OURS += ("nt_xent", "moco", "swav", "dino", "barlow_twins", "vicreg")
"""Names of the losses, which are measured with their default options."""

FUNCTIONAL = "functional.smooth_ap"
"""The same loss as a function on tensors, a query among its own positives as pytorch-metric-learning has it."""
OURS += (FUNCTIONAL,)

RIVALS = (FUNCTIONAL, "smooth_ap", "pnp", "fast_ap", "nt_xent", "vicreg")
"""Losses of which pytorch-metric-learning has one with the same maths.

Its smooth_ap and pnp count a query among its own positives, at the same cost; its smooth_ap moreover takes the number
of groups for their size, so its value (not its cost) is right only where the two are equal.
"""

FORMS = ("recipe", "nn.Module", "function")
"""The forms in which rankhub has smooth_ap: a recipe's loss, a module for any training loop, a function on tensors."""

_KINDS = {"dino": "prototypes"}
"""Kind of output that a loss takes, where it is no embedding."""


def unfit(name: str, views: int) -> list[str]:
    """Why a loss cannot take groups of ``views``: the sentences of its own check; none if it can."""
    from rankhub.interfaces.data import LabelSpec
    from rankhub.interfaces.generator import ViewSpec

    return list(
        _component(name.removeprefix("functional."), 16).check(ViewSpec(views=views, sizes=((views, 32),)), LabelSpec())
    )


def ours(name: str, rows: int, views: int, dim: int, device: Any = "cpu", **options: Any) -> LossOf:
    """One of rankhub's losses, as the engine calls it on views that are stored image by image, on a device."""
    import torch

    from rankhub.interfaces.loss import LossContext

    device = torch.device(device)
    if name == FUNCTIONAL:
        from rankhub_s2r2.functional import smooth_ap

        group = _target(rows, views).group.to(device)
        return lambda z: smooth_ap(z, group, tau=0.05, include_self=True)
    component, target = _component(name, dim, **options).to(device), _target(rows, views).to(device)
    count = component.count(target.on_cpu)

    def loss(z: Tensor) -> Tensor:
        context = LossContext(progress=0.5, teacher={"main": z.detach().flip(1)})
        mean: Tensor = component({"main": z}, target, context).total / count
        return mean

    return loss


def smooth_forms(rows: int, views: int, dim: int) -> dict[str, LossOf]:
    """smooth_ap in each of its :data:`FORMS`, all of one value."""
    from rankhub_s2r2.functional import SmoothAPLoss, smooth_ap

    group, module = _target(rows, views).group, SmoothAPLoss()
    forms = (ours("smooth_ap", rows, views, dim), lambda z: module(z, group), lambda z: smooth_ap(z, group))
    return dict(zip(FORMS, forms, strict=True))


def rival(name: str, rows: int, views: int) -> LossOf | None:
    """Its counterpart in pytorch-metric-learning; None if that does not take groups of ``views``."""
    from pytorch_metric_learning import losses

    if name == "vicreg":
        vicreg = losses.VICRegLoss()
        return (lambda z: vicreg(z[::2], ref_emb=z[1::2])) if views == 2 else None
    loss = {
        "smooth_ap": lambda: losses.SmoothAPLoss(temperature=0.05),
        "pnp": lambda: losses.PNPLoss(variant="Dq", alpha=1, anneal=0.01),
        "fast_ap": lambda: losses.FastAPLoss(num_bins=10),
        "nt_xent": lambda: losses.SupConLoss(temperature=0.5),  # the mean over positives outside the logarithm
    }[name.removeprefix("functional.")]()
    group = _target(rows, views).group
    return lambda z: loss(z, group)


def _component(name: str, dim: int, **options: Any) -> Any:
    from rankhub import build
    from rankhub.interfaces.model import OutputSpec

    outputs = {"main": OutputSpec(_KINDS.get(name, "embedding"), dim)}  # type: ignore[arg-type]
    return build("loss", {"use": name, **options}, outputs)


def _target(rows: int, views: int) -> RankTarget:
    import torch

    from rankhub.interfaces.order import RankTarget

    row = torch.arange(rows)
    return RankTarget(row // views, row % views, row // views, torch.ones(rows))
