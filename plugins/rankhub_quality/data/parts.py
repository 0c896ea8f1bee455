"""Which of a set's images are served: the options ``part``, ``held_out``, ``folds``, ``fold``, ``seed``, ``share``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub_data.tables.split import Ints, check_folds, folds_of, held_out_units, thinned
from rankhub_quality.data.table import Row

Part = Literal["all", "train", "held_out"]


@dataclass(frozen=True, slots=True)
class Units:
    """What must stay together when images are split.

    Attributes:
        names: [n] name of each image's unit.
        what: What the units are: ``references`` or ``images``.
        others: Units of images that row filters leave out. Splits are drawn among them too: were they drawn among what
            is left, two entries of one table with different filters would split it differently.
    """

    names: Sequence[str]
    what: Literal["references", "images"]
    others: Sequence[str] = ()

    @property
    def drawn(self) -> list[str]:
        """[n + others] the units among which splits are drawn; the first n are those of the images."""
        return [*self.names, *self.others]

    @property
    def count(self) -> int:
        """Number of different units among which splits are drawn."""
        return len(set(self.drawn))


@dataclass(frozen=True, slots=True)
class Parts:
    """The choice of a part; see :class:`~rankhub_quality.data.base.ScoredImages` for the options.

    Raises:
        Objection: The options contradict each other.
    """

    part: Part
    held_out: float
    folds: int | None
    fold: int | None
    seed: int
    share: float

    def __post_init__(self) -> None:
        check_folds(self.part, self.folds, self.fold)

    @property
    def splits(self) -> bool:
        """Whether a split is drawn."""
        return self.part != "all" or self.folds is not None

    @property
    def thins(self) -> bool:
        """Whether ``share`` leaves images out; what is held out is always whole, also with the options of its train."""
        return self.share < 1 and self.part != "held_out"

    def fold_numbers(self, units: Units) -> Ints | None:
        """[n] the fold of each image, None without ``folds``.

        Raises:
            UserError: There are fewer units than folds.
        """
        if self.folds is None:
            return None
        if self.folds > units.count:
            raise UserError(f"`folds: {self.folds}` cannot be made of {units.count} {units.what}")
        return folds_of(units.drawn, self.folds, self.seed)[: len(units.names)]

    def rows(self, units: Units, folds: Ints | None, table: Sequence[Row]) -> Ints:
        """Rows of the images that are served, ascending: wanted rows of the part, thinned out by ``share``.

        Args:
            units: Of the n images.
            folds: [n] what :meth:`fold_numbers` gives.
            table: [n] the rows of the images.

        Raises:
            UserError: None is, or the row filters leave no image of a fold.
        """
        chosen = np.array([row.wanted for row in table], dtype=bool)
        if self.part != "all":
            inside = self._held_out(units) if folds is None else folds == self.fold
            chosen &= inside if self.part == "held_out" else ~inside
        rows = np.flatnonzero(chosen)
        if not len(rows):
            raise UserError(
                f"the row filters (such as `kinds`) leave no image of the {units.what} of part {self.part}, which was "
                f"drawn among all {units.count} {units.what} with seed {self.seed}; loosen them, or change `seed`"
            )
        if self.part == "all" and folds is not None and (empty := set(range(self.folds or 0)) - set(folds[rows])):
            raise UserError(
                f"the row filters (such as `kinds`) leave no image of fold {min(empty)} of {self.folds}, as folds are "
                f"made of all {units.count} {units.what}; loosen them, or take fewer `folds`"
            )
        if self.thins:
            names, kinds = [table[row].path for row in rows.tolist()], [table[row].kind for row in rows.tolist()]
            rows = rows[thinned(names, kinds, self.share, self.seed)]
        return rows

    def _held_out(self, units: Units) -> npt.NDArray[np.bool_]:
        """[n] whether each image is held out."""
        out = held_out_units(units.drawn, self.held_out, self.seed)
        if len(out) == (0 if self.part == "held_out" else units.count):
            raise UserError(
                f"none of the {units.count} {units.what} falls to part {self.part} with `held_out: {self.held_out:g}`; "
                "change `held_out`"
            )
        return np.array([unit in out for unit in units.names], dtype=bool)

    def notes(self, units: Units, rows: Ints) -> Iterator[str]:
        """How the rows that are served came about, as sentences."""
        if self.part != "all":
            served = len({units.names[row] for row in rows})
            how = f"fold {self.fold} of {self.folds}" if self.folds else f"{self.held_out:g} held out"
            yield f"part {self.part}: {served:,} of {units.count:,} {units.what} ({how}, seed {self.seed})"
        elif self.folds is not None:
            yield f"{self.folds} folds of {units.count:,} {units.what} (seed {self.seed})"
        if self.thins:
            yield f"{len(rows):,} images keep their label: share {self.share:g}, evenly over the kinds"
