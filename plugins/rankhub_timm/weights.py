"""Weights from a local file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.tensors import load_tensors
from rankhub_timm.lite import in_timms_names

NESTS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Keys under which training scripts keep the weights, beside the optimizer and other things."""

PREFIXES = ("module.", "backbone.", "network.", "encoder.")
"""What wrappers put before a network's own names; ``backbone.network.`` in a run of rankhub."""


def no_file(path: Path) -> str | None:
    """One sentence if a file of weights is not there."""
    return None if path.is_file() else f"there is no file {path.resolve()}; give the path of a local file"


def read_weights(path: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or of a torch file, which is read without running any code in it.

    Raises:
        UserError: It is not there, is another file than the one with the digest, cannot be read, or holds no tensors
            by name.
    """
    if (absent := no_file(path)) is not None:
        raise UserError(f"backbone.weights: {absent}")
    stored: Any
    try:
        if path.suffix == ".safetensors":
            stored = safetensors.torch.load_file(path)
        else:
            stored = load_tensors(_checked(path, sha256))
    except (safetensors.SafetensorError, RuntimeError, EOFError, ValueError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(
            f"backbone.weights: {path} cannot be read as {path.suffix or 'a torch file'} ({reason}); "
            "store its tensors by name with safetensors or torch.save"
        ) from error
    for nest in NESTS:
        if isinstance(stored, Mapping) and isinstance(stored.get(nest), Mapping):
            stored = stored[nest]
    if not isinstance(stored, Mapping) or not any(isinstance(value, Tensor) for value in stored.values()):
        raise UserError(f"backbone.weights: {path} holds no tensors by name; store a state_dict in it")
    return {str(name): value for name, value in stored.items() if isinstance(value, Tensor)}


def _checked(path: Path, sha256: str | None) -> Path | io.BytesIO:
    """What to read: the file, or where its digest is known the very bytes that were compared with it."""
    if sha256 is None:
        return path
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise UserError(
            f"backbone.weights: {path} is not the file that it should be (SHA-256 {found[:12]}..., expected "
            f"{sha256[:12]}...); remove the package it belongs to and install it again"
        )
    return io.BytesIO(content)


def fit_weights(network: nn.Module, stored: Mapping[str, Tensor], classifiers: Sequence[str], source: str) -> None:
    """Load tensors into a network without classifier.

    Prefixes of wrappers are taken off where more names then fit, tensors with the names of EfficientNet-PyTorch get
    those of timm, the classifier's tensors are left out, and counters of batches may be missing.

    Raises:
        UserError: Names or shapes differ; one sentence with the first of each kind.
    """
    own = network.state_dict()
    candidates = map(in_timms_names, _candidates(stored, len(PREFIXES)))
    stored = max(candidates, key=lambda candidate: len(own.keys() & candidate.keys()))
    stored = {n: v for n, v in stored.items() if n in own or not n.startswith(tuple(f"{c}." for c in classifiers))}
    missing = [name for name in own if name not in stored and not name.endswith("num_batches_tracked")]
    unknown = [name for name in stored if name not in own]
    reshaped = [name for name in own if name in stored and own[name].shape != stored[name].shape]
    if missing or unknown or reshaped:
        kinds = [
            _some("missing", missing),
            _some("not in the model", unknown),
            _some("of another shape", [f"{n} {_shape(stored[n])}, here {_shape(own[n])}" for n in reshaped]),
        ]
        found = "; ".join(kind for kind in kinds if kind)
        raise UserError(f"{source} does not fit the model: {found}; check model, stem and args against the file")
    network.load_state_dict({**own, **stored})


def _candidates(stored: Mapping[str, Tensor], depth: int) -> Iterator[Mapping[str, Tensor]]:
    """The tensors as they are, and what is left of them inside each prefix, and inside prefixes of that."""
    yield stored
    for prefix in PREFIXES if depth else ():
        inside = {name[len(prefix) :]: value for name, value in stored.items() if name.startswith(prefix)}
        if inside:
            yield from _candidates(inside, depth - 1)


def _some(what: str, names: Sequence[str]) -> str:
    return f"{len(names)} {what} ({names[0]}{', ...' if len(names) > 1 else ''})" if names else ""


def _shape(tensor: Tensor) -> str:
    return str(list(tensor.shape))
