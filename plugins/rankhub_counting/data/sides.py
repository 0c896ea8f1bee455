"""Which images are for training, which are held out, and which keep their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import Objection, UserError
from rankhub_data.tables.split import Ints, folds_of, in_random_order

Part = Literal["all", "train", "held_out", "unlabeled"]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sides:
    """How n images are divided.

    Attributes:
        train: [n] those to train on, with or without labels.
        held_out: [n] those held out. An image may be on neither side, never on both.
        folds: [n] the fold of each image, if there are folds.
        how: How it came about, as a part of a sentence.
    """

    train: Bools
    held_out: Bools
    folds: Ints | None
    how: str


def check_held_out(held_out: float) -> None:
    """Refuse a number of images that is not whole.

    Raises:
        Objection: It is not.
    """
    if held_out >= 1 and held_out != int(held_out):
        raise Objection(f"`held_out` is a share below 1 or a whole number of images, not {held_out:g}")


def drawn(units: Sequence[str], annotated: Bools, held_out: float, seed: int) -> Sides:
    """Hold out a share or a number of the annotated images.

    Args:
        units: [n] name of each image, the same for copies of one, which stay together.
        annotated: [n] the others train without labels, unless they are copies of one that is held out.
        held_out: Below 1 a share of the units, rounded (half up); else a number of them.
        seed: Another seed holds out others. A smaller number of one seed is part of a larger one.

    Raises:
        UserError: A side would be empty.
    """
    order = in_random_order([unit for unit, has in zip(units, annotated, strict=True) if has], seed, "held out")
    count = int(held_out) if held_out >= 1 else math.floor(held_out * len(order) + 0.5)
    if not 0 < count < len(order):
        raise UserError(
            f"`held_out: {held_out:g}` takes {count:,} of {len(order):,} annotated images, which leaves one side "
            "empty; change `held_out`"
        )
    chosen = frozenset(order[:count])
    out = np.array([unit in chosen for unit in units], dtype=bool)
    return Sides(~out, out & annotated, None, f"{count:,} of {len(order):,} held out, seed {seed}")


def drawn_folds(units: Sequence[str], annotated: Bools, folds: int, fold: int | None, seed: int) -> Sides:
    """Deal the annotated images out into folds.

    Args:
        units: [n] name of each image, the same for copies of one, which stay together.
        annotated: [n] the others are in fold -1, unless they are copies of one that is not.
        folds: How many.
        fold: The one that is held out; None = none is.
        seed: Another seed deals otherwise.

    Raises:
        UserError: There are fewer images than folds.
    """
    names = [unit for unit, has in zip(units, annotated, strict=True) if has]
    if folds > len(set(names)):
        raise UserError(f"`folds: {folds}` cannot be made of {len(set(names)):,} annotated images; take fewer")
    of = dict(zip(names, folds_of(names, folds, seed).tolist(), strict=True))
    return by_fold(
        np.array([of.get(unit, -1) for unit in units], dtype=np.int64), annotated, folds, fold, f"seed {seed}"
    )


def by_fold(numbers: Ints, annotated: Bools, folds: int, fold: int | None, how: str) -> Sides:
    """Hold out one fold.

    Args:
        numbers: [n] the fold of each image.
        annotated: [n] only such images are held out.
        folds: How many there are.
        fold: The one that is held out; None = none is.
        how: How the folds came about.
    """
    out = np.zeros(len(numbers), dtype=bool) if fold is None else numbers == fold
    said = f"{folds} folds" if fold is None else f"fold {fold} of {folds} held out"
    return Sides(~out, out & annotated, numbers, f"{said}, {how}")


def keep_labels(paths: Sequence[str], labels: int, seed: int) -> Bools:
    """[n] which images of the training part keep their labels.

    Args:
        paths: [n] of the annotated images of that part, all different.
        labels: How many keep them.
        seed: Another seed chooses others. A smaller number of one seed is part of a larger one.

    Raises:
        UserError: There are fewer.
    """
    if labels > len(paths):
        raise UserError(f"`labels: {labels:,}` of {len(paths):,} annotated images to train on; take at most so many")
    kept = frozenset(in_random_order(paths, seed, "labels")[:labels])
    return np.array([path in kept for path in paths], dtype=bool)
