"""The ranked versions of all photos, made once, and the pairs that can be drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.engine.feed import Chain, first_view
from rankhub.interfaces.batch import View
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.generator import WorkerGenerator
from rankhub.interfaces.order import RankTarget

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PhotoVersions:
    """All versions of all photos, so that no method waits for distortions: only crops are left to be made.

    Attributes:
        chain: The stream's generator: its first step made the versions, the others cut them.
        views: One a version.
        index: [R] which photo.
        kind: [R] which kind of distortion.
        level: [R, K] the higher the better.
    """

    chain: Chain
    views: Sequence[View]
    index: Rows
    kind: Rows
    level: npt.NDArray[np.float64]

    @classmethod
    def of(cls, dataset: Dataset, chain: Chain, progress: Callable[[int, int], None]) -> PhotoVersions:
        """Make, or read from the cache, the versions of every photo; all steps of the chain are worker steps."""
        first, found = chain.steps[0], []
        assert isinstance(first, WorkerGenerator)
        for number in range(len(dataset)):
            found += first.apply([first_view(dataset[number])], Draws(chain.seed, chain.address, 0))
            progress(number + 1, len(dataset))
        index = np.array([view.index for view in found])
        kind = np.array([view.kind for view in found])
        return cls(chain, found, index, kind, np.array([np.atleast_1d(view.level) for view in found], dtype=np.float64))

    @property
    def photos(self) -> int:
        """Number of photos."""
        return int(self.index.max()) + 1

    @property
    def group(self) -> Rows:
        """[R] one id for each photo and kind."""
        return self.index * (int(self.kind.max()) + 1) + self.kind

    def of_photos(self, photos: Rows) -> Rows:
        """The rows of all versions of these photos."""
        return np.flatnonzero(np.isin(self.index, photos))

    def above(self, a: Rows, b: Rows) -> npt.NDArray[np.bool_]:
        """[n] whether row a[i] ranks above row b[i] by their levels."""
        return np.logical_and((self.level[a] >= self.level[b]).all(1), (self.level[a] > self.level[b]).any(1))

    def crops(self, rows: Rows, first: int, address: str = "crops") -> Tensor:
        """[n, 3, side, side] in [0, 1]: a crop of each row.

        Each is cut alone, at the same cost for every method, and anew each time a row occurs: the crop number
        ``first`` + i of a row is always the same.
        """
        images = []
        for number, row in enumerate(rows.tolist(), first):
            views = [self.views[row]]
            for step, cut in enumerate(self.chain.steps[1:], 1):
                assert isinstance(cut, WorkerGenerator)
                views = cut.apply(views, Draws(self.chain.seed, address, number, step))
            images.append(views[0].image)
        return torch.stack(images).float().div_(255)

    def target(self, rows: Rows) -> RankTarget:
        """The order among these rows."""
        ids = (torch.from_numpy(column[rows]) for column in (self.index, self.group, self.kind))
        index, group, kind = ids
        return RankTarget(index, torch.from_numpy(rows), group, torch.from_numpy(self.level[rows]).float(), kind=kind)


def target_of_pairs(count: int) -> RankTarget:
    """The order of ``count`` better views, then their worse partners: each pair is a group and kind of its own."""
    pair = torch.arange(count).repeat(2)
    level = torch.tensor([1.0, 0.0]).repeat_interleave(count)
    return RankTarget(pair, torch.arange(2 * count), pair, level, kind=pair)


class PairDraws:
    """Pairs at random, with the expected loss of a batch of all pairs.

    A batch of m photos has a share of 1 / m of its pairs within a photo and the rest across photos of one kind of
    distortion (m C(L, 2) to C(m, 2) L (L - 1) pairs of L versions each), if the loss pairs across photos at all. Drawn
    with the same shares, a random pair has the loss of all pairs on average; only its spread is larger.

    ``within`` is the share of pairs whose members come from one photo.
    """

    def __init__(self, pool: PhotoVersions, within: float, random: np.random.Generator) -> None:
        self.pool, self.within, self.random = pool, within, random
        self._groups, self._kinds = _Members(pool.group), _Members(pool.kind)

    def draw(self, count: int) -> tuple[Rows, Rows]:
        """(upper, lower): [count] rows of the pool each; upper[i] ranks above lower[i]."""
        inside = int(self.random.binomial(count, self.within))
        upper, lower = zip(self._some(inside, across=False), self._some(count - inside, across=True), strict=True)
        return np.concatenate(upper), np.concatenate(lower)

    def _some(self, count: int, *, across: bool) -> tuple[Rows, Rows]:
        """Pairs across or within photos, each as likely as any other: candidates are drawn until enough are pairs."""
        members, pool = self._kinds if across else self._groups, self.pool
        upper, lower = np.empty(0, np.int64), np.empty(0, np.int64)
        while len(upper) < count:
            one = self.random.integers(len(pool.views), size=2 * count)
            two = members.partner(one, self.random)
            above = pool.above(one, two)
            keep = above | pool.above(two, one)
            if across:
                keep &= pool.index[one] != pool.index[two]
            upper = np.concatenate([upper, np.where(above, one, two)[keep]])
            lower = np.concatenate([lower, np.where(above, two, one)[keep]])
        return upper[:count], lower[:count]


class _Members:
    """Rows by an id, to draw one with the id of a given row."""

    def __init__(self, ids: Rows) -> None:
        _, own, sizes = np.unique(ids, return_inverse=True, return_counts=True)
        self.order = np.argsort(own, kind="stable")
        self.size, self.start = sizes[own], (np.cumsum(sizes) - sizes)[own]

    def partner(self, rows: Rows, random: np.random.Generator) -> Rows:
        picked = self.start[rows] + (random.random(len(rows)) * self.size[rows]).astype(np.int64)
        partners: Rows = self.order[picked]
        return partners
