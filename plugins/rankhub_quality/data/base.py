"""What all sets of scored images share: parts, folds, and labels turned so that higher is better."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext, Sample
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.options import Ge, Gt, Le, Lt
from rankhub_data.named import NamedImages, read_named
from rankhub_data.tables.presence import absent
from rankhub_quality.data.choose import of_kinds, without_references
from rankhub_quality.data.parts import Part, Parts, Units
from rankhub_quality.data.report import Opened, report
from rankhub_quality.data.table import ScoreTable, check_references, check_table, places

Cache = Literal["auto", "always"]


class ScoredImages(Dataset):
    """Images that people scored.

    Labels are served turned where the data set's own scale says that lower is better, so that higher is always
    better; ``label`` keeps the scale's direction, and reports turn back. ``train`` and ``held_out`` are told apart by
    the reference (pristine) image: all versions of one reference are on one side, and a split is a pure function of
    the names of the table's references and the seed. Where no references are known, images are split one by one, exact
    copies together.

    The split is drawn among all references of the table but those that are left out by ``leave_out``; filters of rows
    (``kinds``, ``share``, and what a data set has of its own) act after it. So two entries that agree in ``root``,
    ``leave_out``, ``held_out`` or ``folds`` and ``fold``, and ``seed`` share no reference between ``train`` and
    ``held_out``, however their filters differ; ``{like: OTHER, part: held_out}`` makes such a pair. Without references,
    the images that filters leave out are decoded as well wherever there is a split, since copies are found by their
    pixels.

    An image that is missing or cannot be read stops the run: its score would have no image.

    Args:
        root: The folder of the data set. Relative paths start at the current directory.
        part: All images, or those to train on, or those held out.
        held_out: Share of the references (where there are none: of the images) that is held out, rounded.
        folds: Split the references into so many folds in place of ``held_out``: with ``fold``, ``train`` is what lies
            outside that fold and ``held_out`` what lies in it. As many folds as references leave one reference out.
        fold: Which of the folds, from 0.
        seed: Another seed splits otherwise; repeated splits are a list of seeds.
        share: Keep only this share of the images of ``train`` (or ``all``), evenly over the kinds of distortion, for
            trials with few labels; taken after the split and ``kinds``. A smaller share is part of a larger one;
            ``held_out`` is always whole.
        resize: Shorter side in pixels to which images are shrunk (antialiased) when they are decoded. Shrinking
            changes the quality that was scored.
        cache: ``auto``: decoded images are written to the recipe's ``loader.cache`` folder only where memory does
            not hold them; ``always``: in any case, so that later runs need not decode again.
    """

    title: ClassVar[str]
    """The data set's name in sentences."""
    scale: LabelSpec
    """What its scores are, on its own scale."""
    references: ClassVar[int | None] = None
    """How many references it has as released, with those of ``excluded``; None where it has none, or any number."""
    excluded: ClassVar[tuple[str, ...]] = ()
    """References that the usual protocol leaves out."""
    obtained: ClassVar[str]
    """Who hands the data set out, as a part of a sentence."""

    kinds: list[str] | None = None
    """Of distortion: only these, if any is named."""
    leave_out: list[str] | None = None
    """References that are left out; None = those that the protocol leaves out."""

    def __init__(
        self,
        *,
        root: str,
        part: Part = "all",
        held_out: Annotated[float, Gt(0), Lt(1)] = 0.2,
        folds: Annotated[int, Ge(2)] | None = None,
        fold: Annotated[int, Ge(0)] | None = None,
        seed: Annotated[int, Ge(0)] = 0,
        share: Annotated[float, Gt(0), Le(1)] = 1.0,
        resize: Annotated[int, Ge(8)] | None = None,
        cache: Cache = "auto",
    ) -> None:
        self.root = Path(os.path.abspath(Path(root).expanduser()))
        self.parts = Parts(part=part, held_out=held_out, folds=folds, fold=fold, seed=seed, share=share)
        self.resize = resize
        self.cache = cache
        self.label = self.scale
        self._opened: Opened | None = None
        self._labels: npt.NDArray[np.float64] = np.empty(0)

    @property
    @abstractmethod
    def expected(self) -> Sequence[str]:
        """The files and folders below the root without which the data set cannot be read."""

    @abstractmethod
    def read_table(self) -> ScoreTable:
        """Read the annotation files: all rows, those that a filter of the data set's own leaves out as not wanted.

        Raises:
            UserError: They are not as they should be; one sentence.
        """

    def missing(self) -> str | None:
        """Which annotation file or folder of images is not there, where it was looked for, and who hands it out."""
        return absent(self.root, self.title, self.obtained, self.expected)

    def open(self, context: OpenContext) -> DataReport:
        """Read the scores and decode the images, unless another data set of this process or an earlier run has.

        Raises:
            UserError: Scores that cannot be used, another number of references than in the release, images that are
                missing or cannot be read, or an empty part.
        """
        whole = self._whole()
        # Where each image is its own unit, copies among the others can only be found by decoding these too.
        unnamed = self.parts.splits and not _names_references(whole)
        table = whole.one_each if unnamed else whole.wanted
        paths, source = [row.path for row in table.rows], table.source.name
        images = read_named(self.root, paths, self.resize, context, keep=self.cache == "always", source=source)
        units = _units(whole, table, images)
        folds = self.parts.fold_numbers(units)
        rows = self.parts.rows(units, folds, table.rows)
        self._opened = Opened(table, images, units, folds, rows)
        self._labels = self.scale.turned(table.scores[rows])
        self.label = self.scale.measured(self._labels)
        return report(self.title, self._opened, self.parts, self.scale)

    def _whole(self) -> ScoreTable:
        """All rows among which the split is drawn; those that row filters leave are marked as wanted."""
        table = self.read_table()
        check_table(table.wanted, self.scale)
        if self.references is not None:
            check_references(table, self.references)
        if self.kinds is not None:
            table = of_kinds(table, self.kinds)
        table = without_references(table, self.leave_out, self.excluded)
        if not table.wanted.rows:
            raise UserError(f"the options that choose images leave none of {table.source} together; drop one of them")
        return table

    def __len__(self) -> int:
        return 0 if self._opened is None else len(self._opened.rows)

    def __getitem__(self, index: int) -> Sample:
        """The image at ``index`` as it was decoded, its turned score, and in ``meta`` what is known of it."""
        assert self._opened is not None
        opened = self._opened
        index = range(len(opened.rows))[index]
        row = int(opened.rows[index])
        known = opened.table.rows[row]
        meta: dict[str, Any] = {name: value for name in ("reference", "kind") if (value := getattr(known, name))}
        if opened.folds is not None:
            meta["fold"] = int(opened.folds[row])
        return Sample(opened.images.image(row), index, float(self._labels[index]), opened.images.path(row), meta)

    def labels(self) -> npt.NDArray[np.float64]:
        """[len] scores, turned so that higher is better."""
        return self._labels

    def folds(self) -> list[npt.NDArray[np.int64]] | None:
        """Positions of each fold's images with ``folds`` and ``part: all``; else None."""
        if self._opened is None or self._opened.folds is None or self.parts.part != "all":
            return None
        served = self._opened.folds[self._opened.rows]
        return [np.flatnonzero(served == fold) for fold in range(self.parts.folds or 0)]

    def facts(self, name: str) -> list[str] | None:
        """[len] ``path`` below the root, ``reference`` or ``kind`` of each image; None where the set names none."""
        if self._opened is None or name not in ("path", "reference", "kind"):
            return None
        rows = self._opened.rows.tolist()
        if name == "path":
            names = self._opened.images.names
            return [names[row] for row in rows]
        values = [str(getattr(self._opened.table.rows[row], name)) for row in rows]
        return values if any(values) else None

    def sizes(self) -> npt.NDArray[np.int64] | None:
        """[len, 2] height and width after ``resize``, once the data set is open."""
        return None if self._opened is None else self._opened.images.sizes[self._opened.rows]


class ScoredVersions(ScoredImages):
    """Scored versions of pristine images, distorted in known ways.

    Args:
        kinds: Only images with these kinds of distortion; the split does not depend on them.
        leave_out: References that are left out before the split is drawn, by name (folder and ending may be dropped):
            held-out references and folds are drawn among the others, so ``train`` and ``held_out`` take the same ones.
            None = those that the data set's protocol leaves out.
    """

    def __init__(
        self, *, root: str, kinds: list[str] | None = None, leave_out: list[str] | None = None, **options: Any
    ) -> None:
        super().__init__(root=root, **options)
        self.kinds = kinds
        self.leave_out = leave_out


def _names_references(table: ScoreTable) -> bool:
    """Whether some row does; asked of the whole table, so that filters do not change what is split."""
    return any(row.reference for row in table.rows)


def _units(whole: ScoreTable, table: ScoreTable, images: NamedImages) -> Units:
    """What must stay together: the versions of a reference, or where there are none, the copies of an image.

    Args:
        whole: All rows among which the split is drawn.
        table: Those whose images were read.
        images: One for each row of ``table``.
    """
    if not _names_references(whole):
        return Units([table.rows[original].path for original in images.originals], "images")
    if without := [row for row in table.rows if not row.reference]:
        raise UserError(
            f"{table.source} names no reference for {len(without):,} of its {len(table.rows):,} images "
            f"({places(without)}); name one for each, or for none"
        )
    others = [row.reference for row in whole.rows if row.reference and not row.wanted]
    return Units([row.reference for row in table.rows], "references", others)
