"""timm's networks."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn

from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.model import Backbone, Features, FeatureSpec
from rankhub_timm.stems import make_small
from rankhub_timm.weights import fill, read_weights

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Timm(Backbone):
    """Any image network of timm (https://huggingface.co/docs/timm), without its classifier.

    Pooled features are what timm hands to the classifier. Maps are the last feature map; transformers give their
    patch tokens as a map.

    Args:
        model: Name of the network, such as ``resnet18``; ``timm.list_models()`` lists them.
        stem: ``standard``, or ``small`` for small images: first convolution of stride 1 and no pooling (residual
            networks).
        pretrained: Load timm's pretrained weights from its hub; the network must be reachable.
        weights: A local file of weights (.safetensors or saved by torch) in place of the hub's.
        normalize: Mean and deviation taken off the images: ``imagenet``'s, the ``model``'s own as timm states
            them, or ``none``.
        args: Further arguments of ``timm.create_model``, such as ``{drop_path_rate: 0.1}`` or ``{img_size: 96}``.
    """

    def __init__(
        self,
        *,
        model: str,
        stem: Literal["standard", "small"] = "standard",
        pretrained: bool = False,
        weights: str | None = None,
        normalize: Literal["imagenet", "model", "none"] = "imagenet",
        args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        known = timm.list_models()
        if model.split(".")[0] not in known:
            near = difflib.get_close_matches(model, known, 1)
            hint = f"; did you mean {near[0]}?" if near else "; timm.list_models() lists them"
            raise Objection(f"timm has no network {model!r}{hint}")
        if pretrained and weights is not None:
            raise Objection("give pretrained: true or weights: FILE, not both")
        self.name, self.pretrained, self.weights = model, pretrained, weights
        self.net = _create(model, args or {})
        smaller = make_small(self.net, model) if stem == "small" else 1
        self.spec = _spec(self.net, smaller)
        mean, deviation = _statistics(self.net, normalize)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)

    def initialise(self) -> None:
        """Load the weights that the options name.

        Raises:
            UserError: The hub cannot be reached or has none; the file is not there or does not fit.
        """
        classifier = str(self.net.pretrained_cfg.get("classifier") or "head.fc")
        if self.weights is not None:
            fill(self.net, read_weights(Path(self.weights)), classifier, self.weights)
        elif self.pretrained:
            try:
                donor = timm.create_model(self.name, pretrained=True, num_classes=0)
            except Exception as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise UserError(
                    f"backbone.pretrained: the weights of {self.name} could not be had from timm's hub ({reason}); "
                    "download them elsewhere and name the file with backbone.weights=FILE"
                ) from error
            fill(self.net, donor.state_dict(), classifier, f"timm's {self.name}")

    def forward(self, images: Tensor, maps: bool = False) -> Features:
        """Features of [n, 3, H, W] images in [0, 1].

        Raises:
            UserError: The network takes images of another size only.
        """
        try:
            cells = self.net.forward_features((images - self.mean) / self.deviation)
        except AssertionError as error:
            raise UserError(
                f"{self.name} does not take images of {images.shape[-2]} x {images.shape[-1]} px: {error}; "
                "set backbone.args to {img_size: SIDE}"
            ) from error
        pooled = self.net.forward_head(cells, pre_logits=True)
        return Features(pooled, [self._map(cells, images)] if maps else None)

    def _map(self, cells: Tensor, images: Tensor) -> Tensor:
        if cells.ndim == 4:
            return cells.permute(0, 3, 1, 2) if getattr(self.net, "output_fmt", "NCHW") == "NHWC" else cells
        patches = cells[:, int(getattr(self.net, "num_prefix_tokens", 0)) :]
        stride = self.spec.map_stride
        grid = (images.shape[-2] // stride, images.shape[-1] // stride)
        return patches.transpose(1, 2).reshape(len(cells), -1, *grid)


def _create(name: str, args: dict[str, Any]) -> Any:
    try:
        return timm.create_model(name, num_classes=0, **args)
    except TypeError as error:
        raise Objection(f"args: {name} does not take them: {error}") from error


def _spec(net: Any, smaller: int) -> FeatureSpec:
    info = getattr(net, "feature_info", None)
    if not info:
        return FeatureSpec(int(net.head_hidden_size))
    return FeatureSpec(int(net.head_hidden_size), int(net.num_features), int(info[-1]["reduction"]) // smaller)


def _statistics(net: nn.Module, normalize: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if normalize == "none":
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if normalize == "model":
        config: Any = net.pretrained_cfg
        return tuple(config["mean"]), tuple(config["std"])
    return _IMAGENET
