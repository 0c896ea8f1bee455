"""Evaluators: from features or predictions to metrics, tables and pictures."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.predict import Forward


@dataclass(frozen=True, slots=True)
class OutputTable:
    """One output for each image of a data set (or each view of a stream).

    Attributes:
        values: [n, ...] float32 on the CPU. For a map n tensors [1, h, w], since images may differ in size; the cells
            of each are spread evenly over its image.
        labels: [n] class numbers, scores or numbers of points, or None.
        target: For views of a stream: what they are. None for a data set.
    """

    values: Tensor | Sequence[Tensor]
    labels: npt.NDArray[Any] | None = None
    target: RankTarget | None = None


class EvaluationSource(Protocol):
    """The outputs that evaluators read, for one row of the report (raw pixels, before training, after).

    Tables are computed once a row and shared by all evaluators.

    Attributes:
        row: Name of the row.
        pictures: Whether pictures are wanted for this row.
    """

    row: str
    pictures: bool

    @property
    def device(self) -> torch.device:
        """Where heavy computation may run."""

    def outputs(self, data: str, output: str) -> OutputTable:
        """One row an image of data set ``data``, by the recipe's ``predict``."""

    def views(self, stream: str, data: str, output: str, limit: int) -> OutputTable:
        """One row a view of at most ``limit`` images of ``data``, made by the generator of ``stream``.

        The views are drawn at an address of their own, so training never saw them; they are the same for every
        row of the report. ``target`` says which view is whose.
        """

    def view_spec(self, stream: str) -> ViewSpec:
        """What the generator of ``stream`` makes of one image; its ``kinds`` name the numbers in ``target.kind``."""

    def dataset(self, data: str) -> Dataset:
        """The open data set."""


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What an evaluator found for one row.

    Attributes:
        metrics: Name -> number. Fractions stay fractions.
        tables: Name -> rows, written to the run folder as CSV.
        pictures: Name -> [H, W, 3] uint8.
        notes: Sentences for the reader ("17 of 500 test images are also in the bank").
    """

    metrics: Mapping[str, float]
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    pictures: Mapping[str, npt.NDArray[np.uint8]] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """A row of the report that training must beat.

    Attributes:
        row: Its name.
        forward: From a run's :class:`rankhub.Parts`, before its first step, to what is measured: a network in a
            :class:`rankhub.NetworkForward`, or what stands in for one, which only has features.
    """

    row: str
    forward: Callable[[Any], Forward]


class Evaluator(ABC):
    """Measures a network on data that the recipe names.

    Options annotated ``DataName``, ``StreamName`` or ``OutputName`` are checked against the recipe.

    Attributes:
        needs_labels: Whether the data must have labels.
        lower_is_better: Metrics of which the lower value is the better.
        judges_training: Whether a trained network ought to beat raw pixels and the untrained network; no for a
            figure that must not be compared between them (a rank grows with the width of the features).
        needs_heads: Whether it judges what a head says, so that there is nothing to judge in raw pixels.
    """

    needs_labels: bool = True
    lower_is_better: frozenset[str] = frozenset()
    judges_training: bool = True
    needs_heads: bool = False

    def sign(self, metric: str) -> float:
        """1 where the higher value of ``metric`` is the better, else -1."""
        return -1.0 if metric in self.lower_is_better else 1.0

    def check(self, data: Mapping[str, LabelSpec]) -> Iterable[str]:
        """Sentences against the data sets that the options name; none if fine."""
        return ()

    def requires(self) -> str | None:
        """One sentence if something outside the recipe is missing (a library); None if all is there."""
        return None

    @abstractmethod
    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """Measure one row."""

    @abstractmethod
    def headline(self) -> Sequence[str]:
        """The metrics that stand in the run's closing table, the most telling one first.

        Higher is better, but for those in ``lower_is_better``.
        """
