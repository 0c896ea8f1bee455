"""Rank generators: from an image to views and the order among them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.batch import Batch, View
from rankhub.interfaces.draws import Draws

Levels = Literal["equal", "ordered", "grid"]


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """What a chain makes of one image, known before any data is read.

    Attributes:
        views: Views of one image.
        groups: Groups (kinds of change) of one image.
        levels: ``equal`` (only the group matters), ``ordered`` (one column), ``grid`` (several columns).
        sizes: (number of views, side in pixels) of each stack; the side is None while views keep the size
            of their image.
        kinds: Names of the groups in the order of their numbers; empty where they have none.
        fewer: Whether an image may have fewer views, such as one of which two degrees of distortion look alike; steps
            that follow need not say it again.
    """

    views: int = 1
    groups: int = 1
    levels: Levels = "equal"
    sizes: tuple[tuple[int, int | None], ...] = ((1, None),)
    kinds: tuple[str, ...] = ()
    fewer: bool = False


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """A stream of the recipe, as far as others need to know it.

    Attributes:
        views: What its generator makes of one image.
        outputs: ``HEAD.OUTPUT`` that its objectives train, in their order.
    """

    views: ViewSpec
    outputs: tuple[str, ...]


class Generator(ABC):
    """One step of a stream's chain. Derive from :class:`WorkerGenerator` or :class:`DeviceGenerator`."""

    @abstractmethod
    def plan(self, views: ViewSpec) -> ViewSpec:
        """What comes out, given what comes in.

        Raises:
            Objection: The step cannot take such views; one sentence.
        """

    def check_images(self, sizes: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.bool_]] | None:
        """What is wrong with images of these sizes [n, 2], height and width; None if all can be taken.

        Else the end of a sentence on the images ("are smaller than the crop of 96 pixels; ...") and [n] which ones.
        Asked once the data are open and before training, of steps to which images come in their own size.
        """
        return None


class WorkerGenerator(Generator):
    """A step on the original pixels of one image, run in the data workers."""

    @abstractmethod
    def apply(self, views: Sequence[View], draws: Draws) -> list[View]:
        """The views that ``views`` (all of one sample) become. Random numbers come from ``draws`` only."""


class DeviceGenerator(Generator):
    """A step on a whole batch, run on the training device. All of them come after the worker steps."""

    @abstractmethod
    def apply(self, batch: Batch, draws: Draws) -> Batch:
        """The batch that ``batch`` becomes. Random numbers come from ``draws`` only, on the CPU."""
