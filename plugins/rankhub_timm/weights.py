"""Weights from a local file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from rankhub.interfaces.errors import UserError

_WRAPPERS = ("state_dict", "model", "model_state_dict", "network", "state_dict_ema")
_PREFIXES = ("module.", "backbone.", "encoder.", "model.", "net.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file, or of a file that torch saved; nothing in it is executed.

    Prefixes that training code puts before every name (``module.``, ``backbone.``) are taken off; of a run's own
    checkpoint only the backbone is kept.

    Raises:
        UserError: The file is not there, cannot be read, or holds no tensors; one sentence.
    """
    path = path.expanduser()
    if not path.is_file():
        raise UserError(f"backbone.weights: there is no file {path.absolute()}")
    try:
        if path.suffix == ".safetensors":
            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"backbone.weights: {path.absolute()} cannot be read as weights: {reason}") from error
    while isinstance(found, Mapping) and any(isinstance(found.get(key), Mapping) for key in _WRAPPERS):
        found = next(found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping))
    tensors = (
        {key: value for key, value in found.items() if isinstance(value, Tensor)} if isinstance(found, dict) else {}
    )
    if not tensors:
        raise UserError(f"backbone.weights: {path.absolute()} holds no weights by name")
    return _bare(tensors)


def _bare(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if any(name.startswith("backbone.") for name in tensors):
        tensors = {name: value for name, value in tensors.items() if name.startswith("backbone.")}
    stripped = True
    while stripped:
        prefix = next((p for p in _PREFIXES if all(name.startswith(p) for name in tensors)), None)
        stripped = prefix is not None
        if prefix is not None:
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def fill(model: nn.Module, tensors: Mapping[str, Tensor], classifier: str, source: object) -> None:
    """Give ``model`` the weights; a classifier's weights, which the model does not have, are left out.

    Raises:
        UserError: A weight is missing, unknown, or of another shape; one sentence that names the first ones.
    """
    own = model.state_dict()
    given = {name: value for name, value in tensors.items() if not name.startswith(f"{classifier}.")}
    wrong = [name for name, value in given.items() if name in own and own[name].shape != value.shape]
    missing = [name for name in own if name not in given and not name.endswith("num_batches_tracked")]
    unknown = [name for name in given if name not in own]
    for what, names in (("of another shape", wrong), ("missing", missing), ("unknown to the network", unknown)):
        if names:
            some = f"{len(names)} weights {what}: " + ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            raise UserError(f"backbone.weights: {source} does not fit the network: {some}")
    model.load_state_dict({name: given.get(name, own[name]) for name in own})
