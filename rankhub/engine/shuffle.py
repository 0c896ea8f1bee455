"""The order of an epoch as a function: a seeded permutation of [0, n), computed where it is asked, without a table.

A generalised Feistel network over a * b >= n with cycle walking (Black and Rogaway, "Ciphers with arbitrary finite
domains", CT-RSA 2002, methods 2 and 3): its halves count modulo a and b, both near the root of n, so that few numbers
fall outside and walk on.
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.draws import Draws, Ints, mixed

ROUNDS = 6

Words = npt.NDArray[np.uint64]


def _permuted(numbers: Words, count: int, keys: Words, tweak: Words | np.uint64) -> Words:
    """Where numbers in [0, ``count``) go; of every ``tweak``, one a number or one for all, another permutation."""
    a = isqrt(count - 1) + 1  # the rounded-up root
    halves = np.uint64(a), np.uint64(-(-count // a))
    left, right = np.divmod(numbers, halves[1])
    for number, key in enumerate(keys):
        with np.errstate(over="ignore"):
            left, right = right, (left + (mixed(right ^ key ^ tweak) >> np.uint64(1))) % halves[number % 2]
    found: Words = left * halves[1] + right  # an even number of rounds leaves the halves in their places
    outside = np.flatnonzero(found >= count)
    if len(outside):
        tweak = tweak[outside] if isinstance(tweak, np.ndarray) else tweak
        found[outside] = _permuted(found[outside], count, keys, tweak)
    return found


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A permutation of [0, ``count``), a function of its address.

    Args:
        count: How many numbers, from 1 to 2**60.
        draws: The address.
        block: So many neighbours stay together: blocks come in a permuted order, each permuted in itself. 1 shuffles
            all; a larger one reads faster from a slow disk, but a batch holds more images that lie near each other.
    """

    count: int
    draws: Draws
    block: int = 1

    def __call__(self, positions: npt.ArrayLike) -> Ints:
        """The numbers at ``positions``, an array of integers in [0, ``count``)."""
        keys = self.draws.at(0, 0).bits("order", 2 * ROUNDS)[0]
        block = min(self.block, self.count)
        blocks = -(-self.count // block)
        found = np.asarray(positions, dtype=np.int64).view(np.uint64).copy()
        todo = np.arange(len(found))
        while len(todo):  # the last block may be short: what falls behind its end walks on
            which, inside = np.divmod(found[todo], np.uint64(block))
            which = _permuted(which, blocks, keys[:ROUNDS], np.uint64(0))
            if block > 1:
                inside = _permuted(inside, block, keys[ROUNDS:], mixed(which))
            found[todo] = which * np.uint64(block) + inside
            todo = todo[found[todo] >= self.count]
        return found.view(np.int64)
