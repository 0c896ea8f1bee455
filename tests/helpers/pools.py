"""A pool in memory, in place of a trained network and its images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from rankhub.interfaces.evaluate import OutputTable
from rankhub.interfaces.generator import StreamSpec, ViewSpec
from rankhub.interfaces.order import RankTarget
from rankhub_active.acquire import PoolSource, Rows

CPU = torch.device("cpu")
RANKED = StreamSpec(ViewSpec(4, 1, "ordered"), ("head.score",))
PLAIN = StreamSpec(ViewSpec(2, 1, "equal"), ("head.embedding",))


@dataclass(frozen=True)
class Seen:
    """The views of one image by one draw: kind of change, level and prediction of each."""

    kinds: Sequence[int]
    levels: Sequence[float] | Sequence[Sequence[float]]
    predicted: Sequence[float]


@dataclass
class MemoryPool:
    """Answers by name, and views by (row, draw).

    Attributes:
        answers: Output -> [n, ...] of the whole pool.
        seen: Row -> draw -> views.
        block: Images whose views are given at a time.
        asked: What was asked for, in order.
    """

    answers: Mapping[str, torch.Tensor | Sequence[torch.Tensor]] = field(default_factory=dict)
    seen: Sequence[Sequence[Seen]] = ()
    seed: int = 0
    streams: Mapping[str, StreamSpec] = field(default_factory=lambda: {"plain": PLAIN, "ranked": RANKED})
    numbers: Mapping[str, float] = field(default_factory=lambda: {"head.score": 1.0})
    device: torch.device = CPU
    block: int = 3
    ensemble: Sequence[torch.Tensor] = ()
    asked: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return max([len(self.seen), *(len(values) for values in self.answers.values())])

    def outputs(self, output: str, rows: Rows) -> OutputTable:
        self.asked.append(output)
        values = self.answers[output]
        if isinstance(values, torch.Tensor):
            return OutputTable(values[torch.from_numpy(rows)])
        return OutputTable([values[row] for row in rows.tolist()])

    def views(self, stream: str, output: str, rows: Rows, draws: int) -> Iterator[OutputTable]:
        self.asked.append(f"{stream} {output}")
        for start in range(0, len(rows), self.block):
            for draw in range(draws):
                yield self._table(rows[start : start + self.block].tolist(), draw)

    def _table(self, rows: Sequence[int], draw: int) -> OutputTable:
        index, kinds, levels, predicted = [], [], [], []
        for row in rows:
            seen = self.seen[row][draw]
            index += [row] * len(seen.kinds)
            kinds += seen.kinds
            levels += seen.levels
            predicted += seen.predicted
        at = np.random.default_rng((draw, *rows)).permutation(len(index))  # nothing says in which order views stand
        rows_, kind = torch.tensor(index)[at], torch.tensor(kinds)[at]
        level = torch.tensor(levels, dtype=torch.float32)[at]
        target = RankTarget(rows_, torch.from_numpy(at), rows_ * 100 + kind, level, kind=kind)
        return OutputTable(torch.tensor(predicted, dtype=torch.float32)[at], target=target)

    def members(self) -> Sequence[PoolSource]:
        return [replace(self, answers={"head.score": one}) for one in self.ensemble]

    def dropped(self, number: int) -> PoolSource | None:
        return self.members()[number] if number < len(self.ensemble) else None
