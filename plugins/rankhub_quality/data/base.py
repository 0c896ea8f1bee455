"""What all sets of scored images share: parts, folds, and labels turned so that higher is better."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import DataReport, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.options import Ge, Gt, Le, Lt
from rankhub_data.labeled_images import LabeledImages
from rankhub_data.meaning import measured
from rankhub_data.opened import Listed, Opened
from rankhub_data.reading import Folder
from rankhub_quality.data.choose import of_kinds, served, without_references
from rankhub_quality.data.report import report
from rankhub_quality.data.table import ScoredRow, ScoreTable, check_references, check_table, locations
from rankhub_tables.draws import Ints
from rankhub_tables.split import Sides, Split, Units


class ScoredImages(LabeledImages[ScoredRow]):
    """Images that people scored.

    Higher labels are always better: scores of a scale on which lower is better are served negated, and reports negate
    them back by ``label``. The split into ``train`` and ``held_out`` is one of reference (pristine) images: all
    versions of a reference are on one side, and the side is a pure function of the names of all references and the
    seed. Where no references are known, images are split one by one, exact
    copies together.

    The split is drawn among all references of the table but those that are left out by ``leave_out``; filters of rows
    (``kinds``, ``share``, and what a data set has of its own) act after it. So two entries that agree in ``root``,
    ``leave_out``, ``held_out`` or ``folds`` and ``fold``, and ``seed`` share no reference between ``train`` and
    ``held_out``, however their filters differ; ``{like: OTHER, part: held_out}`` makes such a pair. Without references,
    the images that filters leave out are decoded as well wherever there is a split, since copies are found by their
    pixels.

    Args:
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
    """

    known: ClassVar[tuple[str, ...]] = ("reference", "kind")
    scale: LabelSpec
    """Range, direction and unit of the scores as the data set gives them."""
    references: ClassVar[int | None] = None
    """How many references it has as released, with those of ``excluded``; None where it has none, or any number."""
    excluded: ClassVar[tuple[str, ...]] = ()
    """References that the usual protocol leaves out."""

    kinds: list[str] | None = None
    """Kinds of distortion that are served; None = all."""
    leave_out: list[str] | None = None
    """References that are left out; None = those that the protocol leaves out."""

    def __init__(
        self,
        *,
        root: str,
        part: Literal["all", "train", "held_out"] = "all",
        held_out: Annotated[float, Gt(0), Lt(1)] = 0.2,
        folds: Annotated[int, Ge(2)] | None = None,
        fold: Annotated[int, Ge(0)] | None = None,
        share: Annotated[float, Gt(0), Le(1)] = 1.0,
        resize: Annotated[int, Ge(8)] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(root=root, **options)
        self.part = part
        self.split = Split(part, held_out, folds, fold, self.seed)
        self.share = share
        self.resize = resize
        self.label = self.scale

    @abstractmethod
    def read_table(self) -> ScoreTable:
        """Read the annotation files: all rows, those that a filter of the data set's own leaves out as not wanted.

        Raises:
            UserError: They are not as they should be; one sentence.
        """

    def list_images(self) -> Listed[ScoredRow]:
        """The rows that pass the filters; without references all rows, since copies can only be found among all.

        Raises:
            UserError: Scores that cannot be used, another number of references than in the release, or no row.
        """
        whole = self._whole()
        if any(row.reference for row in whole.rows):  # asked of the whole, so that filters do not change what is split
            table = whole.wanted
            if without := [row for row in table.rows if not row.reference]:
                raise UserError(
                    f"{table.source} names no reference for {len(without):,} of its {len(table.rows):,} images "
                    f"({locations(without)}); name one for each, or for none"
                )
            others = [row.reference for row in whole.rows if row.reference and not row.wanted]
            return Listed(table.rows, table.source.name, table.notes, others)
        # Where each image is its own unit, copies among the others can only be found by decoding these too.
        table = whole.one_each if self.split.divides else whole.wanted
        return Listed(table.rows, table.source.name, table.notes)

    def arrange(self, listed: Listed[ScoredRow], images: Folder) -> tuple[Sides, Ints]:
        """Wanted rows of the part; the versions of a reference stay together, or else the copies of an image."""
        if listed.rows[0].reference:
            units = Units([row.reference for row in listed.rows], "references", others=listed.others)
        else:
            units = Units([listed.rows[original].path for original in images.originals.tolist()], "images")
        sides = self.split.sides(units)
        return sides, served(listed.rows, sides, self.split, self.share)

    def read_labels(self, opened: Opened[ScoredRow]) -> tuple[list[float], DataReport]:
        """The scores, negated where lower is better, and the report."""
        turned = self.scale.turned(np.array([row.score for row in opened.served_rows], dtype=np.float64))
        self.label = measured(self.scale, turned)
        return turned.tolist(), report(self.title, opened, self.split, self.share, self.scale)

    def _whole(self) -> ScoreTable:
        """All rows among which the split is drawn; those that pass the filters are marked as wanted."""
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

    def labels(self) -> npt.NDArray[np.float64]:
        """[len] scores, turned so that higher is better."""
        return np.array(self._labels or (), dtype=np.float64)


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
