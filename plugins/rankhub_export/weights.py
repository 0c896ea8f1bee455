"""Weights for other programs: the backbone as timm reads it, the whole network as safetensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

import rankhub
from rankhub import UserError
from rankhub.interfaces.data import LabelSpec
from rankhub_export.answering import described, outputs_of
from rankhub_export.graphs import Array

if TYPE_CHECKING:
    from rankhub import Run


def timm_weights(run: Run) -> tuple[str, dict[str, Tensor], tuple[str, ...]]:
    """The model's name in timm, what its file holds, and the names of a classifier of zeros that is added.

    ``timm.create_model(NAME, checkpoint_path=FILE)`` reads a file strictly and builds a classifier, which a backbone of
    ours does not have.

    Raises:
        UserError: The backbone is no network of timm, or not as timm builds it by its name alone.
    """
    import timm

    backbone: Any = run.network.backbone
    use = run.recipe.resolved()["backbone"]["use"]
    if use != "rankhub_timm/timm":
        raise UserError(f"--to timm is for backbones of timm, and this run's is {use}; use onnx or safetensors")
    model: str = backbone.model
    advice = "timm cannot build that by its name alone; use --to onnx, torch-export or safetensors"
    if backbone.stem != "standard":
        raise UserError(f"this run's {model} has stem: {backbone.stem}, another first convolution or stride; {advice}")
    if backbone.cut is not None:
        raise UserError(f"this run's {model} is cut off at an earlier stride; {advice}")
    own = {name: _own(value) for name, value in backbone.network.state_dict().items()}
    whole = timm.create_model(model).state_dict()
    changed = [n for n, value in own.items() if n not in whole or whole[n].shape != value.shape]
    absent = [name for name in whole if name not in own]
    classifier = timm.get_pretrained_cfg(model)
    named = (classifier.classifier if classifier is not None else None) or ()
    prefixes = tuple(f"{name}." for name in ((named,) if isinstance(named, str) else named))
    foreign = [*changed, *(name for name in absent if not name.startswith(prefixes or ("\0",)))]
    if foreign:
        args = f" with args {backbone.args}" if backbone.args else ""
        raise UserError(f"this run's {model}{args} differs from timm's, first in {foreign[0]}; {advice}")
    return model, own | {name: torch.zeros_like(whole[name]) for name in absent}, tuple(absent)


def timm_features(model: str, path: Path, views: Tensor, run: Run) -> Array:
    """Pooled features [n, D] by timm alone, of views [n, 3, H, W] in [0, 1].

    Raises:
        UserError: timm does not load the file.
    """
    import timm

    backbone: Any = run.network.backbone
    try:
        network: Any = timm.create_model(model, checkpoint_path=str(path)).eval()
        with torch.no_grad():
            mean, std = backbone.mean.cpu(), backbone.std.cpu()
            shown = (views.cpu() - mean) / std if backbone.normalizes else views.cpu()
            pooled: Tensor = network.forward_head(network.forward_features(shown), pre_logits=True)
    except (RuntimeError, ValueError, AssertionError, KeyError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"timm.create_model({model!r}, checkpoint_path=...) does not load these weights ({reason}); use --to onnx "
            "or safetensors"
        ) from error
    return pooled.numpy()


def write_tensors(tensors: dict[str, Tensor], path: Path, notes: dict[str, str]) -> None:
    """As ``.safetensors``; notes are texts."""
    safetensors.torch.save_file(tensors, path, {"format": "pt", **notes})


def network_weights(run: Run) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Backbone and heads by name, and what is to be known of them: the recipe, labels, outputs, versions."""
    own = {name: _own(value) for name, value in run.network.state_dict().items()}
    labels = {output: _plain(label) for output, label in run.labels.items()}
    notes = {
        "rankhub": rankhub.__version__,
        "recipe": run.recipe.resolved_text(),
        "outputs": json.dumps(described(outputs_of(run))),
        "labels": json.dumps(labels),
    }
    return own, notes


def load_network(path: Path, run: Run) -> None:
    """Read a ``.safetensors`` into the network of a run of the same recipe, whose weights are forgotten before.

    Raises:
        UserError: Names or shapes differ, or it is no such file.
    """
    with torch.no_grad():
        for value in run.network.state_dict().values():
            value.zero_()
    try:
        run.network.load_state_dict(safetensors.torch.load_file(path), strict=True)
    except (RuntimeError, SafetensorError) as error:
        raise UserError(f"{path} does not fit the network: {str(error).splitlines()[0]}") from error


def _own(value: Tensor) -> Tensor:
    """Memory of its own, as the format wants it."""
    return value.detach().cpu().contiguous().clone()


def _plain(label: LabelSpec) -> dict[str, Any]:
    return {
        "kind": label.kind,
        "higher_is_better": label.higher_is_better,
        "range": label.range,
        "unit": label.unit,
        "mean": label.mean,
        "std": label.std,
    }
