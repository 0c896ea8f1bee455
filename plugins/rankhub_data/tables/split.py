"""Parts of a set of annotated images: whole references held out, folds of references, a share of the labels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection

Ints = npt.NDArray[np.int64]


def check_folds(part: str, folds: int | None, fold: int | None) -> None:
    """Refuse options of folds that contradict each other.

    Args:
        part: ``all``, or the side of a split.
        folds: How many there are; None = no folds.
        fold: The one that is held out.

    Raises:
        Objection: They do.
    """
    if fold is not None and folds is None:
        raise Objection("`fold` is one of the `folds`, and how many there are is not said; set `folds`")
    if fold is not None and folds is not None and fold >= folds:
        raise Objection(f"`fold: {fold}` is not among {folds} folds, which are counted from 0")
    if part == "all" and fold is not None:
        raise Objection("`fold` says what is held out, but `part: all` takes all; set `part: train` or `held_out`")
    if part != "all" and folds is not None and fold is None:
        raise Objection(f"`part: {part}` of {folds} folds needs `fold`, the one that is held out")


def held_out_units(units: Sequence[str], share: float, seed: int) -> frozenset[str]:
    """The units that are held out: exactly ``share`` of them, rounded (half up).

    Args:
        units: Name of the unit of each image: of its reference, or of itself. Images of one unit stay together.
        share: In (0, 1).
        seed: Another seed holds out others. A split is a pure function of the names and the seed.

    Returns:
        Possibly none, or all, where there are few units.
    """
    order = in_random_order(units, seed, "held out")
    return frozenset(order[: math.floor(share * len(order) + 0.5)])


def folds_of(units: Sequence[str], folds: int, seed: int) -> Ints:
    """[n] the fold of each image, from 0: units are dealt out in a random order, so folds differ by one unit at most.

    Args:
        units: Name of the unit of each image.
        folds: How many, at most as many as there are units.
        seed: Another seed deals otherwise.
    """
    fold = {unit: rank % folds for rank, unit in enumerate(in_random_order(units, seed, "folds"))}
    return np.array([fold[unit] for unit in units], dtype=np.int64)


def thinned(names: Sequence[str], kinds: Sequence[str], share: float, seed: int) -> Ints:
    """Rows of a share of the images, ascending, spread evenly over the kinds.

    Within each kind the images stand in a random order; each share takes the first ones of every kind, so a smaller
    share is part of a larger one and kinds keep their proportions to within one image.

    Args:
        names: [n] of the images, all different.
        kinds: [n] of distortion.
        share: In (0, 1]; at least one image is kept.
        seed: Another seed keeps others.
    """
    draw = _draw(names, seed, "share of labels")
    quantile = np.empty(len(names))
    for kind in sorted(set(kinds)):
        rows = np.flatnonzero(np.array([kind == other for other in kinds]))
        quantile[rows[np.argsort(draw[rows], kind="stable")]] = (np.arange(len(rows)) + 0.5) / len(rows)
    count = max(1, math.floor(share * len(names) + 0.5))
    return np.sort(np.lexsort((draw, quantile))[:count]).astype(np.int64)


def in_random_order(units: Sequence[str], seed: int, what: str) -> list[str]:
    """The different units in an order drawn from their names, the seed and what the order is for."""
    different = sorted(set(units))
    return [different[rank] for rank in np.argsort(_draw(different, seed, what), kind="stable")]


def _draw(names: Sequence[str], seed: int, what: str) -> npt.NDArray[np.float64]:
    """[n] uniform numbers, each a pure function of a name and the seed."""
    words = [
        int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")
        for name in names
    ]
    address = np.array(words, dtype=np.uint64).view(np.int64)
    return Draws(seed, f"scored images {what}", 0).at(address, 0).uniform(what)
