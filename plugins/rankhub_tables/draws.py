"""What is drawn by lot among images: each draw a pure function of their names, the seed and what it is for."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import UserError

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def held_out_units(units: Sequence[str], held_out: float, seed: int) -> frozenset[str]:
    """The units that are held out.

    Args:
        units: Name of the unit of each image: of its reference, or of itself. Images of one unit stay together.
        held_out: Below 1 a share of the units, rounded (half up); else a number of them.
        seed: Another seed holds out others. A smaller number of one seed is part of a larger one.

    Returns:
        Possibly none, or all, where there are few units.
    """
    order = in_random_order(units, seed, "held out")
    count = int(held_out) if held_out >= 1 else math.floor(held_out * len(order) + 0.5)
    return frozenset(order[:count])


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


def few_labels(names: Sequence[str], labels: int, seed: int) -> Bools:
    """[n] which of the labeled images to train on keep their labels.

    Args:
        names: [n] of the images, all different.
        labels: How many keep them.
        seed: Another seed chooses others. A smaller number of one seed is part of a larger one.

    Raises:
        UserError: There are fewer.
    """
    if labels > len(names):
        raise UserError(f"`labels: {labels:,}` of {len(names):,} annotated images to train on; take at most so many")
    kept = frozenset(in_random_order(names, seed, "labels")[:labels])
    return np.array([name in kept for name in names], dtype=bool)


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
