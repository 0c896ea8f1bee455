"""The same image gets the same answer in any company: stacks of one number of rows, whoever stands in them.

How a matrix product is divided among threads and registers depends on its number of rows, and on where a row stands,
and so do its last bits: of 7 rows of a linear layer with one output the last three differ from the others, of 16 none
does; with 513 inputs they differ in any number of rows. A way to predict that passes several images together is
therefore shown to the network in stacks of a fixed multiple of 16 views, the last one filled up; or, where equal views
in such a stack do not get equal answers, a view at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub.interfaces.predict import Answers, Forward, Predict

if TYPE_CHECKING:
    from rankhub import Run

MULTIPLE = 16
"""Of which the number of views in a stack is one."""

TRIED = 2
"""Views of noise with which it is seen whether the place in a stack matters."""


def steady(run: Run, batch_size: int) -> Run:
    """Let a run answer bitwise the same for an image whichever others are asked for, at this number of images a block.

    True of any order and number of images for networks that in evaluation treat each view of a stack by itself, on one
    device at one number of threads. Another number of either changes last bits only.

    Args:
        run: Its ``predictor`` is replaced; a run that is steady already takes the new number.
        batch_size: The most images that are handed to it at a time.

    Returns:
        The run itself.
    """
    own = run.predictor.inner if isinstance(run.predictor, Steady) else run.predictor
    # Under the name of what it stands for: what is wrong with the answers is said of the component that gave them.
    named = type(type(own).__name__, (Steady,), {"__module__": type(own).__module__})
    run.predictor = named(own, batch_size)
    return run


class Steady(Predict):
    """A way to predict that shows the network stacks of one size only.

    Args:
        inner: What it does.
        batch_size: Images that it is handed at a time, at most.
    """

    def __init__(self, inner: Predict, batch_size: int) -> None:
        self.inner, self.batch_size = inner, batch_size
        self._known = False
        self._rows: int | None = None

    def __call__(self, images: Sequence[Tensor], forward: Forward) -> Answers:
        """One row an image."""
        if not self._known and len(images):
            self._rows, self._known = stack_rows(self.inner, forward, images[0], self.batch_size), True
        return self.inner(images, forward if self._rows is None else FixedStacks(forward, self._rows))

    def remarks(self, outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> Iterable[str]:
        """Those of what it does."""
        return self.inner.remarks(outputs, features)

    def check(self, outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> Iterable[str]:
        """As above."""
        return self.inner.check(outputs, features)

    def check_images(self, sizes: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.bool_]] | None:
        """As above."""
        return self.inner.check_images(sizes)


class FixedStacks:
    """A network that only ever sees stacks of ``rows`` views; see :class:`rankhub.interfaces.predict.Forward`."""

    def __init__(self, forward: Forward, rows: int) -> None:
        self.features, self.outputs = forward.features, forward.outputs
        self.forward, self.rows = forward, rows

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        """The outputs for the views [n, 3, H, W] alone."""
        parts = [self._part(part) for part in images.split(self.rows)]
        return parts[0] if len(parts) == 1 else {name: torch.cat([one[name] for one in parts]) for name in parts[0]}

    def _part(self, part: Tensor) -> Mapping[str, Tensor]:
        given, missing = len(part), self.rows - len(part)
        if missing:
            part = torch.cat([part, part[:1].expand(missing, *part.shape[1:])])
        return {name: rows[:given] for name, rows in self.forward(part).items()}


def stack_rows(predict: Predict, forward: Forward, image: Tensor, batch_size: int) -> int | None:
    """How many views a stack must have for ``batch_size`` images; None if those of different images never mix.

    Whether they mix is found out with copies of one image and no network; whether the place in a stack matters to the
    network, with noise.
    """
    alone = _stacks(predict, forward, [image])
    if _stacks(predict, forward, [image] * 2) == 2 * alone or batch_size == 1:
        return None
    most = max(rows for rows, _ in _stacks(predict, forward, [image] * batch_size))
    rows = math.ceil(most / MULTIPLE) * MULTIPLE
    return rows if _place_is_nothing(forward, alone[0][1], rows, image.device) else 1


def _place_is_nothing(forward: Forward, shape: torch.Size, rows: int, device: torch.device) -> bool:
    """Whether equal views in a stack get equal answers, bit for bit; the same noise each time, so the same verdict."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(TRIED):
        view = torch.rand(shape, generator=generator).to(device)
        said = forward(view.expand(rows, *shape).contiguous())
        if any(not torch.equal(values, values[:1].expand_as(values)) for values in said.values()):
            return False
    return True


def _stacks(predict: Predict, forward: Forward, images: Sequence[Tensor]) -> list[tuple[int, torch.Size]]:
    """Number of views and shape of a view of each stack that passes."""
    counter = _Counter(forward.features)
    predict(images, counter)
    return counter.seen


class _Counter:
    """Takes the place of a network, and counts the views of each stack."""

    outputs: Mapping[str, OutputSpec] = MappingProxyType({})

    def __init__(self, features: FeatureSpec) -> None:
        self.features, self.seen = features, list[tuple[int, torch.Size]]()

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        self.seen.append((len(images), images.shape[1:]))
        return {"backbone": images.new_zeros(len(images), 1)}
