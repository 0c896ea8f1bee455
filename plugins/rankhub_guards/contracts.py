"""What a component must give: type, names, shape, kind of numbers, device; a ComponentError says what is wrong."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rankhub.interfaces.batch import Batch, View
from rankhub.interfaces.data import Dataset, GivenData, Sample
from rankhub.interfaces.errors import ComponentError
from rankhub.interfaces.evaluate import EvaluationResult, Evaluator
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossResult
from rankhub.interfaces.model import Backbone, Features, Head, OutputSpec
from rankhub.interfaces.order import MovingLabels, RankTarget
from rankhub.interfaces.predict import Forward

Shape = Sequence[int | None]
"""None = any length."""

_PLAIN: Callable[[OutputSpec], Shape] = lambda spec: []  # noqa: E731
_COLUMNS: Callable[[OutputSpec], Shape] = lambda spec: [spec.dim]  # noqa: E731
ROWS: Mapping[str, Callable[[OutputSpec], Shape]] = {
    **dict.fromkeys(("embedding", "logits", "prototypes"), _COLUMNS),
    **dict.fromkeys(("score", "count", "pooled"), _PLAIN),
    "map": lambda spec: [1, None, None],
}
"""Kind of output -> the shape of one row of it."""


class Given:
    """What one component gave, to be checked against its contract."""

    def __init__(self, component: object, finite: bool = True) -> None:
        self.component, self.finite = component, finite

    def must(self, fine: Any, said: str) -> None:
        """Refuse what is not fine."""
        if not fine:
            raise ComponentError(self.component, said)

    def kind(self, name: str, value: Any, cls: type) -> None:
        """Of a type."""
        self.must(isinstance(value, cls), f"gave {name} as {type(value).__name__}, it must be a {cls.__name__}")

    def names(self, what: str, found: Iterable[str], wanted: Iterable[str]) -> None:
        """The names that were announced, all of them and no others."""
        found, wanted = sorted(map(str, found)), sorted(wanted)
        self.must(found == wanted, f"gave {what} {', '.join(found) or 'none'}, they must be {', '.join(wanted)}")

    def tensor(self, name: str, value: Any, shape: Shape, device: torch.device | None = None) -> None:
        """Floating point numbers of a shape, on a device, finite where that is asked."""
        self.kind(name, value, Tensor)
        fits = len(shape) == value.ndim and all(a in (None, b) for a, b in zip(shape, value.shape, strict=True))
        shown = str(["any" if one is None else one for one in shape]).replace("'", "") if shape else "[], a scalar"
        self.must(fits, f"gave {name} {list(value.shape)}, it must be {shown}")
        self.must(value.is_floating_point(), f"gave {name} of {value.dtype}, it must be of a floating point type")
        on = value.device if device is None else device
        self.must(value.device == on, f"gave {name} on {value.device}, it must be on {on}")
        bad = ~torch.isfinite(value.detach()) if self.finite else value.new_zeros(0)
        if bad.any():
            first = float(value.detach()[bad].flatten()[0])
            self.must(False, f"gave {name} with {int(bad.sum())} of {value.numel()} not finite ({first})")

    def graph(self, name: str, value: Tensor, needed: bool) -> None:
        """With a graph, where something below it trains."""
        fine = not needed or value.requires_grad or not torch.is_grad_enabled()
        self.must(fine, f"gave {name} without a graph, so that nothing below it would train; do not detach it")

    def image(self, where: str, image: Any) -> None:
        """Pixels of one image or view as workers have them."""
        shown = f"{image.dtype} {list(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
        fine = isinstance(image, Tensor) and image.ndim == 3 and len(image) == 3 and image.numel()
        fine = fine and image.dtype == torch.uint8
        self.must(fine, f"gave {where} as {shown}, it must be torch.uint8 [3, H, W]")


def trains(module: nn.Module) -> bool:
    """Whether a part of the network has weights that train."""
    return any(parameter.requires_grad for parameter in module.parameters())


def check_features(backbone: Backbone, images: Tensor, maps: bool, features: Any) -> None:
    """What a backbone gives for a stack of images."""
    given, spec, rows = Given(backbone), backbone.spec, len(images)
    given.kind("its features", features, Features)
    parts: dict[str, tuple[Any, Shape]] = {"pooled features": (features.pooled, [rows, spec.width])}
    if maps:
        stacks = list(features.maps or ())
        given.must(len(stacks) == 1, f"gave {len(stacks)} maps of a stack of images, it must be 1")
        parts["its map"] = stacks[0], [rows, spec.map_channels, None, None]
    for name, (value, shape) in parts.items():
        given.tensor(name, value, shape, images.device)
        given.graph(name, value, trains(backbone))


def check_outputs(head: Head, features: Features, outputs: Any) -> None:
    """What a head gives for features."""
    given = Given(head)
    given.kind("its outputs", outputs, Mapping)
    given.names("the outputs", outputs, head.outputs)
    for name, spec in head.outputs.items():
        shape = [len(features.pooled), *ROWS[spec.kind](spec)]
        given.tensor(name, outputs[name], shape, features.pooled.device)
        given.graph(name, outputs[name], trains(head) or features.pooled.requires_grad)


def check_result(loss: Loss, outputs: Mapping[str, Tensor], result: Any) -> None:
    """What a loss gives."""
    given = Given(loss)
    given.kind("its result", result, LossResult)
    given.tensor("total", result.total, [])
    given.graph("total", result.total, any(value.requires_grad for value in outputs.values()))
    given.kind("parts", result.parts, Mapping)
    for name, part in result.parts.items():
        given.tensor(f"part {name!r}", part, [])


def check_count(loss: Loss, count: Any) -> None:
    """By how much a loss is divided."""
    given = Given(loss)
    given.kind("count", count, Tensor)
    given.must(count.ndim == 0, f"gave count {list(count.shape)}, it must be [], a scalar")
    given.must(math.isfinite(count) and count >= 0, f"gave the count {count.item()}, it must be finite and at least 0")


def check_sample(dataset: Dataset, index: int, sample: Any) -> None:
    """One image of a data set, against what the data set says of all."""
    given, label, labels, sizes = Given(dataset), dataset.label, dataset.labels(), dataset.sizes()
    given.kind(f"image {index}", sample, Sample)
    given.image(f"image {index}", sample.image)
    given.must(sample.index == index, f"gave image {index} the index {sample.index}")
    side, own = list(sample.image.shape[1:]), sample.label
    if sizes is not None:
        told = np.asarray(sizes[index]).tolist()
        given.must(told == side, f"says that image {index} has {told} pixels, height and width, and gave {side}")
    if label.kind is None:
        given.must(own is None, f"announces no labels and gave image {index} the label {own!r}")
    elif labels is not None:
        if own is None:
            own = -1 if label.kind == "class" else math.nan
        own = len(own) if isinstance(own, np.ndarray) and own.ndim == 2 else own  # points are counted
        agree = isinstance(own, int | float | np.number) and np.isclose(own, labels[index], equal_nan=True)
        given.must(agree, f"gave image {index} the label {own!r}, its labels() say {labels[index]}")


def check_dataset(dataset: Dataset) -> None:
    """What an open data set says of all of its images, and the first and the last of them."""
    given, count, label = Given(dataset), len(dataset), dataset.label
    labels, sizes = dataset.labels(), dataset.sizes()
    fine: Any
    for name, rows in {"labels": labels, "sizes": sizes, "points": dataset.points()}.items():
        size = count if rows is None else len(rows)
        given.must(size == count, f"has {count} images and {name} of {size}")
    if labels is not None:
        given.kind("labels", labels, np.ndarray)
        given.must(label.kind is not None, "announces no labels and gave some")
        given.must(labels.ndim == 1, f"gave labels {list(labels.shape)}, they must be [{count}]")
        wanted = {"score": "f", "class": "iu"}.get(str(label.kind), "fiu")
        given.must(labels.dtype.kind in wanted, f"gave labels of {labels.dtype} for the kind {label.kind}")
        given.must(not np.isinf(labels.astype(np.float64)).any(), "gave labels that are infinite")
        if label.classes and count:
            low, high = int(labels.min()), int(labels.max())
            given.must(low >= -1 and high < len(label.classes), f"gave classes {low} to {high} of {len(label.classes)}")
    if sizes is not None:
        fine = np.shape(sizes) == (count, 2) and np.asarray(sizes).dtype.kind in "iu" and (sizes > 0).all()
        given.must(fine, f"gave sizes {list(np.shape(sizes))}, they must be whole numbers above 0 of [{count}, 2]")
    for number, fold in enumerate(dataset.folds() or ()):
        fine = np.isin(fold, np.arange(count)).all() and len(np.unique(fold)) == len(fold)
        given.must(fine, f"gave fold {number} with positions that are not different ones from 0 to {count - 1}")
    ends = sorted({0, count - 1}) if count else []
    for index in ends:
        sample = dataset[index]
        check_sample(dataset, index, sample)
        fine = isinstance(dataset, GivenData) or digest(sample) == digest(dataset[index])  # a user's may draw at random
        given.must(fine, f"gave image {index} with other pixels the second time")
    if not ends or type(dataset).batch is Dataset.batch:
        return
    images = dataset.batch(ends)
    given.must(len(images) == len(ends), f"gave {len(images)} images of a batch of {len(ends)}")
    for index, image in zip(ends, images, strict=True):
        given.image(f"image {index} in a batch", image)
        fine = isinstance(dataset, GivenData) or torch.equal(image, dataset[index].image)
        given.must(fine, f"gave image {index} with other pixels in a batch")


def check_views(step: object, plan: ViewSpec, views: Any, index: int) -> None:
    """What a worker step makes of one image."""
    given, sides = Given(step), {side for _, side in plan.sizes}
    given.kind("its views", views, Sequence)
    for view in views:
        given.kind("a view", view, View)
        where = f"view {view.view} of image {index}"
        given.image(where, view.image)
        fine = np.shape(view.map) == (2, 3) and np.isfinite(view.map).all()
        given.must(fine, f"gave {where} a map {list(np.shape(view.map))}, it must be finite numbers of [2, 3]")
        given.must(view.index == index, f"gave {where} the index {view.index}")
        given.must(0 <= view.kind < plan.groups, f"gave {where} the kind {view.kind}, it plans {plan.groups} groups")
        found = list(view.image.shape[1:])
        given.must(None in sides or set(found) <= sides, f"gave {where} {found} pixels, it plans {sides}")
    levels = [view.level if isinstance(view.level, tuple) else (view.level,) for view in views]
    _check_order(given, plan, index, [(one.view, one.kind, level) for one, level in zip(views, levels, strict=True)])


def _check_order(given: Given, plan: ViewSpec, index: int, rows: Sequence[tuple[int, int, tuple[float, ...]]]) -> None:
    """Number, numbering and levels of the views of one image, each with its number, kind and level."""
    numbers, most = [number for number, _, _ in rows], plan.views
    fine = 0 < len(rows) <= most if plan.fewer else len(rows) == most
    given.must(fine, f"gave {len(rows)} views of image {index}, it plans {'at most ' * plan.fewer}{most}")
    given.must(len(set(numbers)) == len(rows), f"gave views of image {index} with the numbers {numbers}, two are alike")
    finite = all(math.isfinite(number) for *_, level in rows for number in level)
    given.must(finite, f"gave image {index} a level that is not finite")
    columns = {len(level) for *_, level in rows}
    fine = len(columns) == 1 and (plan.levels == "grid" or columns == {1})
    given.must(fine, f"gave levels of {columns} columns, it plans {plan.levels}")
    alike = len({(kind, level) for _, kind, level in rows}) == len({kind for _, kind, _ in rows})
    fine = plan.levels != "equal" or alike
    given.must(fine, f"gave the views of image {index} different levels, it plans equal ones")


def check_batch(step: object, plan: ViewSpec, before: Batch, batch: Any) -> None:
    """What a device step makes of a batch: every view of every image, in the order of the stacks."""
    given = Given(step)
    given.kind("its batch", batch, Batch)
    asked, target, start = list(dict.fromkeys(before.target.index.tolist())), batch.target, 0
    given.must(len(batch.images) == len(plan.sizes), f"gave {len(batch.images)} stacks, it plans {len(plan.sizes)}")
    for stack, (count, side) in zip(batch.images, plan.sizes, strict=True):
        own, rows = target.index[start : start + len(stack)].tolist(), len(asked) * count
        fine = len(own) == rows or (plan.fewer and len(own) < rows)
        given.must(fine, f"gave a stack of {len(own)} views, not {rows}")
        given.tensor("a stack", stack, [len(own), 3, side, side], before.images[0].device)
        low, high = float(stack.min()), float(stack.max())
        given.must(low >= 0 and high <= 1, f"gave pixels from {low:g} to {high:g}, not 0 to 1")
        order = [one for number, one in enumerate(own) if number == 0 or own[number - 1] != one]
        given.must(order == asked, "gave rows in another order of images than they came in, or not side by side")
        start += len(stack)
    kind = torch.zeros_like(target.index) if target.kind is None else target.kind
    given.must(((kind >= 0) & (kind < plan.groups)).all(), f"gave kinds outside of its {plan.groups} groups")
    fine = torch.equal(target.group, target.index * plan.groups + kind)
    given.must(fine, "gave groups that are not index * groups + kind")
    given.must(target.level.is_floating_point(), f"gave levels of {target.level.dtype}, they must be floating point")
    levels = target.level.reshape(len(batch), -1).tolist()
    rows_of: dict[int, list[tuple[int, int, tuple[float, ...]]]] = {}
    ids = torch.stack([target.index, target.view, kind], dim=1).tolist()
    for (index, number, group), level in zip(ids, levels, strict=True):
        rows_of.setdefault(index, []).append((number, group, tuple(level)))
    for index, found in rows_of.items():
        _check_order(given, plan, index, found)


def check_answers(predict: object, answers: Any, images: int, forward: Forward) -> None:
    """What ``predict`` gives for so many images."""
    given = Given(predict, finite=False)
    given.kind("its answers", answers, Mapping)
    given.names("the answers", answers, ["backbone", *forward.outputs])
    for name, rows in answers.items():
        spec = forward.outputs.get(name)
        shape = [forward.features.width] if spec is None else ROWS[spec.kind](spec)
        given.must(len(rows) == images, f"gave {name} of {len(rows)} images, there are {images}")
        for one in [rows] if isinstance(rows, Tensor) else rows:
            given.tensor(name, one, [images, *shape] if isinstance(rows, Tensor) else shape)


def check_found(evaluator: Evaluator, result: Any) -> None:
    """What an evaluator found for one row of the report."""
    given, first = Given(evaluator), next(iter(evaluator.headline()))
    given.kind("its result", result, EvaluationResult)
    given.kind("metrics", result.metrics, Mapping)
    for name, value in result.metrics.items():
        fine = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        given.must(fine, f"gave the metric {name!r} as {value!r}, it must be a number")
    said = f"has the headline {first!r} and gave no such metric; it gave {', '.join(result.metrics) or 'none'}"
    given.must(first in result.metrics, said)
    given.must(not isinstance(result.notes, str), "gave its notes as one text, they must be a list of sentences")
    for name, picture in result.pictures.items():
        fine = isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape[2:] == (3,)
        given.must(fine, f"gave the picture {name!r}, which is no array [H, W, 3] uint8")


def digest(value: Any) -> int:
    """A checksum of what may be shared: tensors, arrays, points, and what holds them."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().flatten().view(torch.uint8).numpy()
    if isinstance(value, np.ndarray):
        return zlib.crc32(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    if isinstance(value, Sample | View | Batch | RankTarget | MovingLabels | Features):
        value = [getattr(value, name) for name in type(value).__slots__]
    if isinstance(value, Mapping):
        value = [*value.values()]
    return hash(tuple(map(digest, value)) if isinstance(value, list | tuple) else repr(value))
