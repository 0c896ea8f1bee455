"""Random views of images, made in batches on the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from rankhub.interfaces.batch import Batch
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import DeviceGenerator, ViewSpec
from rankhub.interfaces.options import Ge, Gt, Le
from rankhub.interfaces.order import Label, MovingLabels, RankTarget
from rankhub_views.blur import kernel_for
from rankhub_views.parameters import Law, Parameters, compose
from rankhub_views.render import Renderer
from rankhub_views.resample import Interpolation

Share = Annotated[float, Gt(0), Le(1)]
Probability = Annotated[float, Ge(0), Le(1)]
Strength = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Angle = Annotated[float, Ge(0), Le(180)]


@dataclass(frozen=True, slots=True)
class ViewSet:
    """Views of one size and one range of crops.

    Attributes:
        views: Views of an image.
        size: Side of the views in pixels.
        scale: Lowest and highest share of the image's area that a crop takes.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    views: Annotated[int, Ge(1)]
    size: Annotated[int, Ge(1)]
    scale: tuple[Share, Share]


class RandomViews(DeviceGenerator):
    """Random crop, rotation, flip, negative, colour jitter, grey and blur, each view with its own parameters.

    The defaults are those of MIX'EM (Varamesh, Tuytelaars, ACCV 2020), the closest public code of the authors of
    S2R2, which are SimCLR's (Chen et al., ICML 2020) with a jitter of strength 1. A view's parameters depend on the
    seed, stream, epoch, image and view number alone. Each step agrees with torchvision's on the same parameters.

    Views keep index, group, level and label of the view they are made from; points move along, and those outside
    the crop are left out. A crop that is turned may reach beyond the image, where the image's nearest pixel goes on and
    no point can be.

    Args:
        views: Views of an image (of each view that comes in, after steps that make several).
        size: Side of the views in pixels.
        scale: Lowest and highest share of the image's area that a crop takes.
        ratio: Lowest and highest width / height of a crop, before it is resized to a square.
        flip: Probability that left and right are exchanged.
        rotation: Largest angle in degrees, either way, by which a crop is turned about its middle.
        invert: Probability that a view becomes its negative (1 - x), where dark on light and light on dark are alike.
        jitter: Strength of brightness, contrast, saturation (factors from 1 - s, at least 0, to 1 + s) and hue (shift
            of up to this share of the circle, at most 0.5), done in random order.
        jitter_p: Probability that the colours are jittered.
        grey: Probability that a view becomes grey.
        blur: Probability of a Gaussian blur.
        blur_sigma: Lowest and highest standard deviation of the blur, in pixels of the view.
        blur_kernel: Taps of the blur, odd; by default about a tenth of the side, at least 3.
        interpolation: Filter of the antialiased resize.
        crops: Further sets of views of another size, such as the small crops of SwAV; view numbers go on. All
            other options hold for them too, but for blur_kernel, which there always follows the size.
    """

    def __init__(
        self,
        *,
        views: Annotated[int, Ge(1)] = 2,
        size: Annotated[int, Ge(1)],
        scale: tuple[Share, Share] = (0.08, 1.0),
        ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3),
        flip: Probability = 0.5,
        rotation: Angle = 0.0,
        invert: Probability = 0.0,
        jitter: tuple[Strength, Strength, Strength, Annotated[float, Ge(0), Le(0.5)]] = (0.8, 0.8, 0.8, 0.2),
        jitter_p: Probability = 0.8,
        grey: Probability = 0.2,
        blur: Probability = 0.5,
        blur_sigma: tuple[Positive, Positive] = (0.1, 2.0),
        blur_kernel: Annotated[int, Ge(1)] | None = None,
        interpolation: Interpolation = "bilinear",
        crops: Sequence[ViewSet] = (),
    ) -> None:
        self.sets = (ViewSet(views, size, tuple(scale)), *_view_sets(crops))  # type: ignore[arg-type]
        spans = {"ratio": ratio, "blur_sigma": blur_sigma, "scale": scale}
        spans |= {f"scale of crops {number}": one.scale for number, one in enumerate(self.sets[1:], 1)}
        for name, (low, high) in spans.items():
            if low > high:
                raise Objection(f"{name} is (lowest, highest), got ({low:g}, {high:g}); exchange the two")
        if blur_kernel is not None and blur_kernel % 2 == 0:
            raise Objection(f"blur_kernel must be odd, got {blur_kernel}; take {blur_kernel - 1} or {blur_kernel + 1}")
        self.law = Law(ratio, flip, jitter, jitter_p, grey, blur, blur_sigma, rotation, invert)
        kernels = [blur_kernel or kernel_for(size), *(kernel_for(one.size) for one in self.sets[1:])]
        self.renderers = [
            Renderer(one.size, interpolation, kernel) for one, kernel in zip(self.sets, kernels, strict=True)
        ]

    @property
    def views(self) -> int:
        """Views of one image, of all sizes."""
        return sum(one.views for one in self.sets)

    def plan(self, views: ViewSpec) -> ViewSpec:
        """``views`` for each view that comes in, one stack a size."""
        sizes = tuple((views.views * one.views, one.size) for one in self.sets)
        return ViewSpec(views.views * self.views, views.groups, views.levels, sizes)

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        """One stack for each set of views; rows are image-major inside a stack."""
        target = batch.target.on_cpu  # what views are is drawn and told there, so that nobody waits for the device
        index, view = target.index.numpy(), target.view.numpy()
        made, first = [], 0
        for one, renderer in zip(self.sets, self.renderers, strict=True):
            source = np.repeat(np.arange(len(batch)), one.views)
            number = view[source] * self.views + first + np.tile(np.arange(one.views), len(batch))
            sizes = batch.sizes.numpy()[source]
            parameters = self.law.draw(draws.at(index[source], number), sizes, one.scale)
            stack = _render(batch.images, renderer, parameters, one.views)
            made.append(_described(stack, batch, torch.from_numpy(source), torch.from_numpy(number), parameters))
            first += one.views
        views = _joined(made)
        return replace(views, target=views.target.to(batch.target.index.device))


def _view_sets(crops: Iterable[ViewSet | Mapping[str, Any]]) -> list[ViewSet]:
    return [one if isinstance(one, ViewSet) else ViewSet(**one) for one in crops]


def _render(images: Sequence[Tensor], renderer: Renderer, parameters: Parameters, views: int) -> Tensor:
    rows = len(parameters)
    out = torch.empty((rows, 3, renderer.size, renderer.size), device=images[0].device)
    first = 0
    for stack in images:
        here = slice(first, first + len(stack) * views)
        renderer.render(stack, parameters.rows(here), out[here])
        first = here.stop
    return out


def _described(stack: Tensor, batch: Batch, source: Tensor, number: Tensor, parameters: Parameters) -> Batch:
    size = stack.shape[-1]
    sizes = torch.full((len(stack), 2), size, dtype=torch.int64)
    target = batch.target.on_cpu
    label: Label | None = target.label
    if isinstance(label, MovingLabels):
        label = label.rows(source).moved(parameters.boxes.maps(size), sizes)
    elif label is not None:
        label = label[source]
    return Batch(
        images=(stack,),
        sizes=sizes,
        maps=compose(batch.maps[source], parameters.boxes.maps(size)),
        target=RankTarget(
            target.index[source],
            number,
            target.group[source],
            target.level[source],
            label,
            None if target.kind is None else target.kind[source],
        ),
    )


def _joined(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    targets = [batch.target for batch in batches]
    labels = [target.label for target in targets]
    label: Label | None
    if isinstance(labels[0], MovingLabels):
        label = labels[0].joined([one for one in labels if isinstance(one, MovingLabels)])
    elif isinstance(labels[0], Tensor):
        label = torch.cat([one for one in labels if isinstance(one, Tensor)])
    else:
        label = None
    index, view, group, level = (
        torch.cat([getattr(target, name) for target in targets]) for name in ("index", "view", "group", "level")
    )
    kinds = [target.kind for target in targets if target.kind is not None]
    return Batch(
        images=tuple(stack for batch in batches for stack in batch.images),
        sizes=torch.cat([batch.sizes for batch in batches]),
        maps=torch.cat([batch.maps for batch in batches]),
        target=RankTarget(index, view, group, level, label, torch.cat(kinds) if kinds else None),
    )
