"""A network that ends before its last layers, for finer maps."""

from __future__ import annotations

from typing import Any

from rankhub.interfaces.errors import Objection


def cut_at(network: Any, model: str, stride: int) -> tuple[int, tuple[str, ...]]:
    """Take away what comes after the last layer of a stride.

    Args:
        network: Of timm, without a classifier; changed in place.
        model: Its name, for the message.
        stride: Pixels of the image to a cell.

    Returns:
        The number of the layer, and the names of the modules that are gone, whose weights a file may still hold.

    Raises:
        Objection: The network has no layer of that stride, or timm cannot cut it.
    """
    info = getattr(network, "feature_info", None)
    strides = [int(layer["reduction"]) for layer in info] if isinstance(info, list) else []
    if not strides or not hasattr(network, "prune_intermediate_layers"):
        raise Objection(f"timm cannot cut {model}, so it has no `stride` but its own; leave `stride` out")
    if stride not in strides:
        known = ", ".join(str(one) for one in sorted(set(strides)))
        raise Objection(f"{model} has no layer of stride {stride}; it has {known}")
    layer = len(strides) - 1 - strides[::-1].index(stride)
    before = set(network.state_dict())
    network.prune_intermediate_layers([layer])
    gone = before - set(network.state_dict())
    return layer, tuple(sorted({name.rpartition(".")[0] for name in gone}))
