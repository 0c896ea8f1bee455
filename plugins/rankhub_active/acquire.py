"""The contract of acquirers: which images of a pool to label next. Other plugins may bring some of their own."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from rankhub.interfaces.evaluate import OutputTable
from rankhub.interfaces.generator import StreamSpec

Rows = npt.NDArray[np.int64]


class PoolSource(Protocol):
    """A trained network and the images of a pool, by their rows.

    Attributes:
        seed: Differs from round to round, and for another seed of the recipe.
        streams: Those of the recipe; of streams of one name, the first phase's.
        numbers: ``HEAD.OUTPUT`` -> one standardized unit of it, of every output that is one number an image; scores and
            counts come before means of maps.
    """

    seed: int
    streams: Mapping[str, StreamSpec]
    numbers: Mapping[str, float]

    @property
    def device(self) -> torch.device:
        """Where heavy computation may run."""

    def __len__(self) -> int:
        """Images of the pool, labeled ones too."""

    def outputs(self, output: str, rows: Rows) -> OutputTable:
        """One row an image of the pool, by the recipe's ``predict``; computed once.

        ``output`` is ``HEAD.OUTPUT``, or ``backbone``, the pooled features.
        """

    def views(self, stream: str, output: str, rows: Rows, draws: int) -> Iterator[OutputTable]:
        """Views of images, made by the generator of ``stream``, a block of images and one draw at a time.

        They are a pure function of the seed, the row of the pool and the number of the draw, whatever else is asked
        for. Each image is drawn anew ``draws`` times, at least once. A table has one row a view, ``target.index`` is
        the row of the pool. All views of an image by one draw stand in one table; each draw has groups of its own.
        """

    def members(self) -> Sequence["PoolSource"]:
        """The same pool as the run's other kept checkpoints see it, the oldest first, this one last."""

    def dropped(self, number: int) -> "PoolSource | None":
        """The same pool as the network sees it with dropout at work, seeded by ``number``; None if it has none."""


@dataclass(frozen=True, slots=True)
class Acquired:
    """What an acquirer chose.

    Attributes:
        rows: [k] of the pool, the first to be labeled first.
        scores: [n] of the candidates, in their order; a higher one says label it sooner. NaN where it was not computed.
        notes: Sentences for the reader ("all 100 pairs of every image are in order").
    """

    rows: Rows
    scores: npt.NDArray[np.float64]
    notes: Sequence[str] = field(default=())


class Acquirer(ABC):
    """Chooses the images whose labels would teach a network the most.

    Options annotated ``StreamName`` or ``OutputName`` are checked against the recipe.
    """

    def check(self, streams: Mapping[str, StreamSpec], numbers: Mapping[str, float]) -> Iterable[str]:
        """Sentences against the recipe's streams and the outputs that are one number an image; none if fine."""
        return ()

    @abstractmethod
    def __call__(self, source: PoolSource, labeled: Rows, candidates: Rows, count: int) -> Acquired:
        """Choose.

        Args:
            source: The pool.
            labeled: [l] ascending, images whose labels are known or already asked for.
            candidates: [n] ascending, images that may be chosen; none is labeled.
            count: How many, at most n.

        Raises:
            UserError: The network lacks the outputs for it; one sentence.
        """
