"""Random numbers that are a pure function of their address.

A view's parameters must not depend on the batch size, on the number of workers or processes, or on what was drawn
before: so there is no generator state. Each number is a hash of (seed, stream, epoch, step of the chain, index, view,
slot): the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) applied to each word of the address in turn.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ORDER = 2
"""Version of the order of images, kept with a run: one begun under another would see images twice."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A hash of 64-bit words, word for word: the finaliser of SplitMix64."""
    with np.errstate(over="ignore"):
        state = state + _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * _MIX_1
        state = (state ^ (state >> np.uint64(27))) * _MIX_2
        return state ^ (state >> np.uint64(31))


def _word(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def seeded(seed: int, purpose: str) -> int:
    """A seed in [0, 2**63) for one purpose of a run, such as to seed a generator of torch: a function of both."""
    return int(_word(f"{seed}/{purpose}")) >> 1


def _absorb(state: npt.NDArray[np.uint64], words: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    return mixed(state ^ mixed(np.asarray(words, dtype=np.int64).view(np.uint64)))


@dataclass(frozen=True, slots=True)
class Draws:
    """The part of the address that all views of a batch share.

    Args:
        seed: The recipe's seed.
        stream: Name of the stream, or of another use ("evaluate").
        epoch: The stream's own epoch, from 0.
        step: Position of the generator in its chain, from 0.
    """

    seed: int
    stream: str
    epoch: int
    step: int = 0

    def at(self, index: npt.ArrayLike, view: npt.ArrayLike) -> "ViewDraws":
        """The draws of the views at ``index`` and ``view`` (broadcast against each other), in their order."""
        state = _absorb(np.zeros(1, np.uint64), self.seed)
        state = mixed(state ^ _word(self.stream))
        state = _absorb(_absorb(state, self.epoch), self.step)
        index_, view_ = np.broadcast_arrays(np.atleast_1d(np.asarray(index)), np.atleast_1d(np.asarray(view)))
        return ViewDraws(_absorb(_absorb(state, np.ascontiguousarray(index_)), np.ascontiguousarray(view_)))

    def shuffled(self, count: int) -> Ints:
        """The numbers from 0 to ``count`` - 1 in an order of this address."""
        order: Ints = self.at(0, 0).generators("order")[0].permutation(count)
        return order


@dataclass(frozen=True, slots=True)
class ViewDraws:
    """Draws for N views; every method gives N rows, and the same slot always gives the same numbers.

    Attributes:
        state: [N] uint64, the hashed address of each view.
    """

    state: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.state)

    def bits(self, slot: str, count: int = 1) -> npt.NDArray[np.uint64]:
        """[N, count] uniform 64-bit words for the parameter named ``slot``."""
        keyed = mixed(self.state ^ _word(slot))
        return _absorb(keyed[:, None], np.arange(count))

    def uniform(self, slot: str, low: float = 0.0, high: float = 1.0) -> Floats:
        """[N] uniform in [low, high)."""
        return self.uniforms(slot, 1, low, high)[:, 0]

    def uniforms(self, slot: str, count: int, low: float = 0.0, high: float = 1.0) -> Floats:
        """[N, count] uniform in [low, high)."""
        unit = (self.bits(slot, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return low + unit * (high - low)

    def integers(self, slot: str, count: npt.ArrayLike) -> Ints:
        """[N] integers in [0, count); ``count`` may differ from view to view."""
        numbers: Ints = np.floor(self.uniform(slot) * np.asarray(count)).astype(np.int64)
        return numbers

    def chance(self, slot: str, probability: float) -> npt.NDArray[np.bool_]:
        """[N] true with the given probability."""
        return self.uniform(slot) < probability

    def permutations(self, slot: str, count: int) -> Ints:
        """[N, count] one permutation of 0..count-1 a row."""
        return np.argsort(self.bits(slot, count), axis=1, kind="stable")

    def generators(self, slot: str) -> list[np.random.Generator]:
        """One numpy generator a view, for draws of unknown number such as a field of noise."""
        return [np.random.Generator(np.random.Philox(key=int(word))) for word in self.bits(slot)[:, 0]]
