"""Data sets: images, and what is known of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.order import MovingLabels

LabelKind = Literal["class", "score", "points"]


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """What a data set's labels are, known before any file is read.

    Attributes:
        kind: ``class`` (int, -1 where missing), ``score`` (float, NaN where missing), ``points`` ([n, 2] x, y
            from 0), or None: no labels.
        higher_is_better: For scores, the way the data set's own scale runs. Inside the engine higher is
            always better; the data set turns its labels, reports turn them back.
        range: Lowest and highest score of the data set's own scale, where it states one.
        unit: What a label counts or measures ("DMOS", "people").
        classes: Names of the classes in the order of their numbers; empty until the data set is open.
        mean: Of the scores as they are served, that is turned, or of the numbers of points an image; 0 until the data
            set is open.
        std: Their standard deviation, above 0; 1 until the data set is open.
        density: Of points: how many there are to a pixel, over all images; 0 until the data set is open.
    """

    kind: LabelKind | None = None
    higher_is_better: bool = True
    range: tuple[float, float] | None = None
    unit: str = ""
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0
    density: float = 0.0

    def turned(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Scores of the data set's own scale as the engine takes them, and back: negated if lower is better."""
        return scores if self.higher_is_better else -scores

    def moving(self, labels: Sequence[Any], sizes: Tensor) -> MovingLabels:
        """Points of whole images of ``sizes`` [N, 2], height and width, as what follows into views; derived classes do.

        Raises:
            UserError: This one does not say how.
        """
        raise UserError(f"labels of kind {self.kind} need a LabelSpec that moves them: rankhub_points.PointLabels")


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a data set.

    Attributes:
        image: [3, H, W] uint8, RGB.
        index: Position in the data set.
        label: A class number, a score, points, or None. Points are [n, 2] float64: x and y in pixels, from the left and
            the top edge of the image, so that the first pixel's centre is (0.5, 0.5); or [n, 3] with the size of what
            stands there in pixels too, NaN where it is unknown.
        path: The file it came from, where there is one.
        meta: Further facts: ``reference``, ``kind``, ``fold``.
    """

    image: Tensor
    index: int
    label: int | float | npt.NDArray[np.float64] | None = None
    path: Path | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenContext:
    """What the engine lends a data set while it opens.

    Attributes:
        cache: Folder for what is worth keeping between runs (decoded images); made when needed.
        memory_limit: Bytes of decoded images that may be held in memory; above it they go to a memory-mapped
            file under ``cache``.
        progress: ``progress(done, total, what)``, called now and then from one thread.
    """

    cache: Path
    memory_limit: int
    progress: Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a data set found while it opened, for the user and for the run folder.

    Attributes:
        notes: Sentences to print ("3 of 120 files could not be read and were skipped").
        tables: name -> rows, written to the run folder as ``data/<data set>_<name>.csv``.
    """

    notes: Sequence[str] = ()
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


class Dataset(ABC):
    """Images with or without labels.

    The constructor only keeps its options and sets ``label``: it reads nothing, so that a recipe can be
    checked before any data is read. The engine then calls :meth:`missing`, and :meth:`open` once.
    """

    label: LabelSpec = LabelSpec()
    forks: bool = True
    """Whether it may be read in forked workers; they are spawned otherwise, and it is copied to them."""

    def missing(self) -> str | None:
        """One sentence if the data are not there: the absolute folder looked in, and the command that gets them."""
        return None

    @abstractmethod
    def open(self, context: OpenContext) -> DataReport:
        """Read what is needed to serve samples.

        Raises:
            UserError: The data are there but cannot be used; one sentence.
        """

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """The image at ``index``, decoded. Must give the same bytes every time, and be safe in workers."""

    def batch(self, indices: Sequence[int]) -> Tensor | Sequence[Tensor]:
        """The same images as one by one: a uint8 tensor [n, 3, H, W] that the caller may keep, or a list of images.

        May be left out. Where a class says how, a stream whose views are all made on the device reads so, with labels
        by :meth:`labels` or :meth:`points`; not through a derived class that has only another ``__getitem__``.
        """
        return [self[index].image for index in indices]

    def pinned(self) -> Mapping[str, Any]:
        """Options, once it is open, by which a run keeps to the images of now when there are others: a version."""
        return {}

    def labels(self) -> npt.NDArray[np.int64] | npt.NDArray[np.float64] | None:
        """[len] class numbers, scores or numbers of points without decoding an image; None where there are none."""
        return None

    def points(self) -> Sequence[npt.NDArray[np.float64]] | None:
        """The points of each image as in :class:`Sample`, without decoding it; None where the labels are no points."""
        return None

    def folds(self) -> Sequence[npt.NDArray[np.int64]] | None:
        """Positions of each fold's images, where the data set's protocol has folds, once it is open; else None."""
        return None

    def facts(self, name: str) -> Sequence[str] | None:
        """What ``Sample.meta`` says under ``name`` of each image, without decoding it.

        [len], empty where nothing is known; None where the data set does not know such a thing. Names in use: ``path``
        (relative to the data set's folder), ``reference`` (the pristine image), ``kind`` (of distortion).
        """
        return None

    def sizes(self) -> npt.NDArray[np.int64] | None:
        """[len, 2] height and width of each image as it is served, once it is open; None if they are not known."""
        return None

    def digests(self) -> npt.NDArray[np.uint64] | None:
        """[len] a hash of each image, its file or its pixels, once the data set is open; None if that takes long.

        By these a run sees that it goes on with the images that it began with; without them it looks at a few pixels.
        """
        return None


class GivenData(Dataset):
    """Images that are handed over in Python, and not read from a path that a recipe names.

    A component of this protocol has the role ``given``. Until it has images it is missing; from then on they can be had
    without :meth:`open`, each read when it is asked for; :meth:`open` reads labels, and files once for all.

    Attributes:
        one: Whether an image was given by itself, and not as a list of one.
    """

    one: bool = False

    @classmethod
    @abstractmethod
    def take(
        cls,
        value: Any,
        options: Mapping[str, Any],
        build: Callable[[Mapping[str, Any]], Any],
        *,
        labeled: bool = False,
        first: int = 0,
    ) -> tuple[Dataset, Mapping[str, Any]]:
        """A data set of what is handed over, and ``use`` and options by which a recipe writes it.

        Args:
            value: A data set, a folder, or images, one or several, in the forms that the component takes. What is given
                is never written to, and must not change while it is in use.
            options: Of the data set in whose place it is put; those that it has too are taken over. What labels mean is
                said as in :class:`LabelSpec`: ``kind`` (where labels leave it open), ``higher_is_better``, ``range``
                and ``unit``.
            build: Makes a data set of ``use`` and options.
            labeled: Whether labels are taken, of items or of a pair ``(images, labels)``.
            first: Position of the first image, for messages.

        Raises:
            UserError: It cannot be taken; one sentence with the position of the first image that cannot.
        """
