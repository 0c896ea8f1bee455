"""Which images are to train on and which are held out: by lot, by folds, or as a release says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rankhub.interfaces.errors import Objection, UserError
from rankhub_tables.draws import Bools, Ints, folds_of, held_out_units


@dataclass(frozen=True, slots=True)
class Units:
    """What must stay together when images are split.

    Attributes:
        names: [n] name of each image's unit.
        what: What the units are: ``references``, ``images``.
        labeled: [n] only such images are held out, and splits are drawn among their units alone; the others are to
            train on, or where they are of a unit that is held out on no side. None = all are labeled.
        others: Units of images that row filters leave out. Splits are drawn among them too: were they drawn among what
            is left, two entries of one table with different filters would split it differently.
    """

    names: Sequence[str]
    what: str
    labeled: Bools | None = None
    others: Sequence[str] = ()

    @property
    def drawn(self) -> frozenset[str]:
        """Those among which splits are drawn."""
        has = [True] * len(self.names) if self.labeled is None else self.labeled.tolist()
        return frozenset([*(name for name, one in zip(self.names, has, strict=True) if one), *self.others])


@dataclass(frozen=True, slots=True)
class Sides:
    """How n images are divided.

    Attributes:
        train: [n] those to train on, with or without labels.
        held_out: [n] those held out. An image may be on neither side, never on both.
        folds: [n] the fold of each image, -1 for one in none; None = there are no folds.
        how: How it came about, as a part of a sentence.
        units: What was drawn; None where nothing was.
    """

    train: Bools
    held_out: Bools
    folds: Ints | None
    how: str
    units: Units | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """A split by lot: the options ``part``, ``held_out``, ``folds``, ``fold`` and ``seed`` of a data set.

    Attributes:
        part: ``all``, or the side that is served.
        held_out: Below 1 a share of the units, rounded (half up); else a number of them.
        folds: Deal the units into so many folds in place of ``held_out``.
        fold: The one that is held out; None = none is.
        seed: Another seed splits otherwise. A split is a pure function of the names of the units and the seed.

    Raises:
        Objection: The options contradict each other.
    """

    part: str
    held_out: float
    folds: int | None
    fold: int | None
    seed: int

    def __post_init__(self) -> None:
        if self.held_out >= 1 and self.held_out != int(self.held_out):
            raise Objection(f"`held_out` is a share below 1 or a whole number of images, not {self.held_out:g}")
        if self.fold is not None and self.folds is None:
            raise Objection("`fold` is one of the `folds`, and how many there are is not said; set `folds`")
        if self.fold is not None and self.folds is not None and self.fold >= self.folds:
            raise Objection(f"`fold: {self.fold}` is not among {self.folds} folds, which are counted from 0")
        if self.part == "all" and self.fold is not None:
            raise Objection("`fold` says what is held out, but `part: all` takes all; set `part: train` or `held_out`")
        if self.part != "all" and self.folds is not None and self.fold is None:
            raise Objection(f"`part: {self.part}` of {self.folds} folds needs `fold`, the one that is held out")

    @property
    def divides(self) -> bool:
        """Whether anything is divided."""
        return self.part != "all" or self.folds is not None

    def sides(self, units: Units) -> Sides:
        """Divide images.

        Raises:
            UserError: A side is empty, or there are fewer units than folds.
        """
        if self.folds is not None:
            return self._folds(units, self.folds)
        labeled = _labeled(units)
        if not self.divides:
            return Sides(labeled, np.zeros(len(labeled), dtype=bool), None, "not divided", units)
        drawn = units.drawn
        chosen = held_out_units(list(drawn), self.held_out, self.seed)
        said = f"{len(chosen):,} of {len(drawn):,}"
        if not 0 < len(chosen) < len(drawn):
            raise UserError(
                f"`held_out: {self.held_out:g}` takes {said} {units.what}, which leaves one side empty; "
                "change `held_out`"
            )
        out = np.array([name in chosen for name in units.names], dtype=bool)
        return Sides(~out, out & labeled, None, f"{said} held out, seed {self.seed}", units)

    def _folds(self, units: Units, folds: int) -> Sides:
        drawn = list(units.drawn)
        if folds > len(drawn):
            raise UserError(f"`folds: {folds}` cannot be made of {len(drawn):,} {units.what}; take fewer")
        of = dict(zip(drawn, folds_of(drawn, folds, self.seed).tolist(), strict=True))
        numbers = np.array([of.get(name, -1) for name in units.names], dtype=np.int64)
        return replace(by_fold(numbers, _labeled(units), self, f"seed {self.seed}"), units=units)


def by_fold(numbers: Ints, labeled: Bools, split: Split, how: str) -> Sides:
    """Hold out one fold.

    Args:
        numbers: [n] the fold of each image.
        labeled: [n] only such images are held out.
        split: Says how many folds there are, and which is held out.
        how: How the folds came about.
    """
    out = np.zeros(len(numbers), dtype=bool) if split.fold is None else numbers == split.fold
    said = f"{split.folds} folds" if split.fold is None else f"fold {split.fold} of {split.folds} held out"
    return Sides(~out, out & labeled, numbers, f"{said}, {how}")


def _labeled(units: Units) -> Bools:
    return np.ones(len(units.names), dtype=bool) if units.labeled is None else units.labeled
