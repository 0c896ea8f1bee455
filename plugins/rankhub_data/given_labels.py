"""Labels as Python programs hold them: class numbers or names, scores, points."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.data import LabelKind, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_data.meaning import measured
from rankhub_data.placed import Floats, doubts, placed

KINDS = "class numbers or names, scores, or arrays [n, 2] of points"

Sizes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GivenLabels:
    """The labels of n images, checked.

    Attributes:
        spec: What they are, measured.
        values: [n] class numbers (-1 where missing), turned scores (NaN where missing), or numbers of points.
        points: [k, 3] of each image, as :class:`~rankhub.interfaces.data.Sample` has them; None for other kinds.
    """

    spec: LabelSpec
    values: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    points: Sequence[Floats] | None = None

    def label(self, number: int) -> int | float | Floats:
        """The label of one image."""
        return self.values[number].item() if self.points is None else self.points[number]

    @property
    def note(self) -> str:
        """What there is, as a sentence."""
        if self.points is not None:
            return f"{int(self.values.sum()):,} points"
        missing = int((self.values < 0).sum()) if self.spec.kind == "class" else int(np.isnan(self.values).sum())
        without = f", {missing:,} images have none" if missing else ""
        if self.spec.kind == "class":
            return f"{len(np.unique(self.values[self.values >= 0]))} classes{without}"
        return f"{len(self.values) - missing:,} scores{without}"


def as_list(labels: Any, count: int) -> list[Any]:
    """Labels that were given beside n images, one an item.

    Raises:
        UserError: They are not as many, or no list.
    """
    if isinstance(labels, Tensor):
        labels = labels.detach().cpu().numpy()
    if isinstance(labels, str | bytes | Mapping | set) or not hasattr(labels, "__len__"):
        raise UserError(
            f"labels cannot be taken from a {type(labels).__name__}; a pair is (images, labels), where labels are a "
            f"list of {KINDS}; two images are a list"
        )
    listed = list(labels)
    if len(listed) != count:
        raise UserError(f"there are {count:,} images and {len(listed):,} labels; give as many")
    return listed


def kind_of(label: Any, expected: LabelKind | None, name: str) -> LabelKind:
    """What a label is: a whole number or a name a class, another number a score, an array points.

    Args:
        label: One that is not missing.
        expected: What is expected where a number may be either.
        name: For a sentence.

    Raises:
        UserError: It is none of these.
    """
    label = plain(label)
    if isinstance(label, str):
        return "class"
    if isinstance(label, numbers.Integral):
        return "score" if expected == "score" else "class"
    if isinstance(label, numbers.Real):
        return "class" if expected == "class" else "score"
    if isinstance(label, np.ndarray | list | tuple):
        return "points"
    raise UserError(f"{name} is a {type(label).__name__}; expected {KINDS}")


def is_missing(label: Any) -> bool:
    """Whether a label is not there: None, or no number."""
    label = plain(label)
    return label is None or (isinstance(label, float) and label != label)


def first_kind(labels: Sequence[Any], expected: LabelKind | None, name: str = "labels") -> LabelKind:
    """What labels are, by the first that is there.

    Raises:
        UserError: None is there, or it is none of these.
    """
    for number, label in enumerate(labels):
        if not is_missing(label):
            return kind_of(label, expected, f"{name}[{number}]")
    raise UserError("no label is there; leave the labels out")


def read_labels(labels: Sequence[Any], spec: LabelSpec) -> GivenLabels:
    """Class numbers, or scores turned and measured; points are laid into their images by :func:`lay_points`.

    Args:
        labels: n labels, ``None`` or NaN where missing.
        spec: What they are, not yet measured.

    Raises:
        UserError: One cannot be taken; says which.
    """
    known = [None if is_missing(label) else plain(label) for label in labels]
    if spec.kind == "class":
        return _classes(known, spec)
    scores = spec.turned(np.array([_score(label, number, spec) for number, label in enumerate(known)]))
    return GivenLabels(measured(spec, scores), scores)


def _classes(labels: Sequence[Any], spec: LabelSpec) -> GivenLabels:
    known = [(number, label) for number, label in enumerate(labels) if label is not None]
    named = [(number, label) for number, label in known if isinstance(label, str)]
    if named and len(named) < len(known):
        number, label = next(each for each in known if each not in named)
        raise UserError(
            f"labels[{number}] is {_shown(label)}, labels[{named[0][0]}] {named[0][1]!r}; give names or numbers"
        )
    classes = tuple(sorted({label for _, label in named}))
    number_of = {name: number for number, name in enumerate(classes)}
    values = np.full(len(labels), -1, dtype=np.int64)
    for number, label in known:
        values[number] = number_of[label] if classes else _class(label, number)
    return GivenLabels(replace(spec, classes=classes), values)


def _class(label: Any, number: int) -> int:
    whole = isinstance(label, numbers.Real) and float(label).is_integer()
    if not whole or label < -1:
        raise UserError(f"labels[{number}] is {_shown(label)}; expected a class: a whole number from 0, or a name")
    return int(label)


def _score(label: Any, number: int, spec: LabelSpec) -> float:
    if label is None:
        return float("nan")
    if not isinstance(label, numbers.Real) or not np.isfinite(float(label)):
        raise UserError(
            f"labels[{number}] is {_shown(label)}; expected a score: a finite number, or None where unknown"
        )
    low, high = spec.range or (-np.inf, np.inf)
    if not low <= float(label) <= high:
        raise UserError(
            f"labels[{number}] is {label}, outside the range of the scores, {low:g} to {high:g}; scores stand on the "
            "scale of the data set that they replace: its direction, range and unit"
        )
    return float(label)


def lay_points(
    labels: Sequence[Any], spec: LabelSpec, sizes: Sizes, served: Sizes, names: Sequence[str]
) -> GivenLabels:
    """Points in their images as they are served, measured.

    Args:
        labels: n arrays [k, 2] of x and y in pixels.
        spec: What they are, not yet measured.
        sizes: [n, 2] height and width of the images as they were given, upright.
        served: The same after shrinking.
        names: What the images are called in sentences.

    Raises:
        UserError: Some are no points, cannot be what was meant, or lie more than a pixel outside their image.
    """
    written = [_points(label, number) for number, label in enumerate(labels)]
    for number, said in doubts(written).items():
        raise UserError(f"labels[{number}], of {names[number]}: {said}")
    laid: list[Floats] = []
    for number, (points, size, new) in enumerate(zip(written, sizes.tolist(), served.tolist(), strict=True)):
        found = placed(points, tuple(size), tuple(new))
        if len(found.outside):
            (x, y), swapped = found.outside[0].tolist(), "; write x, the column, before y, the row"
            raise UserError(
                f"labels[{number}]: the point ({x:g}, {y:g}) lies outside {names[number]} of {size[1]} x {size[0]} "
                f"pixels{swapped if found.swapped else ''}"
            )
        laid.append(found.points)
    counts = np.array([len(points) for points in laid], dtype=np.float64)
    density = float(counts.sum() / served.prod(axis=1).sum())
    return GivenLabels(replace(measured(spec, counts), density=density), counts, laid)


def _points(label: Any, number: int) -> Floats:
    if label is None:
        raise UserError(
            f"labels[{number}] is None; an image without points has an empty list, one of unknown points is left out"
        )
    try:
        points = np.array(plain(label), dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"labels[{number}] is {_shown(label)}; expected points: an array [n, 2] of x and y") from None
    if points.shape == (0,):
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise UserError(
            f"labels[{number}] has the shape {list(points.shape)}; expected points: an array [n, 2] of x, y"
        )
    if not np.isfinite(points).all():
        raise UserError(f"labels[{number}] holds points that are not finite")
    return points


def plain(label: Any) -> Any:
    """A label out of its array or tensor, if it is a single one."""
    if isinstance(label, Tensor):
        label = label.detach().cpu().numpy()
    return label.item() if isinstance(label, np.ndarray | np.generic) and label.ndim == 0 else label


def _shown(label: Any) -> str:
    return repr(label) if isinstance(label, str | numbers.Number) or label is None else f"a {type(label).__name__}"
