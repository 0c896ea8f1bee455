"""Outputs of a run's network for the images of a pool, as acquirers ask for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from rankhub import Run, UserError
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.draws import seeded
from rankhub.interfaces.evaluate import OutputTable
from rankhub.interfaces.generator import StreamSpec
from rankhub.interfaces.predict import Answers
from rankhub_active.acquire import PoolSource, Rows

BLOCK, VIEWED = 256, 64
"""Images that are decoded and predicted at a time, and images whose views are."""

WHERE = " on the pool"

_DROPS = re.compile(r"Drop(out|path)", re.IGNORECASE)
"""Classes of modules that drop something in training: torch's Dropout and Dropout2d, timm's DropPath."""


@dataclass(slots=True)
class NetworkPool:
    """See :class:`rankhub_active.acquire.PoolSource`.

    Attributes:
        run: Whose network sees the pool.
        images: The pool, open.
        seed: Of the round.
        progress: Told now and then.
        dropout: Number of the draw of what is dropped; None = nothing is.
    """

    run: Run
    images: Dataset
    seed: int
    progress: Callable[[int, int, str], None]
    dropout: int | None = None
    streams: Mapping[str, StreamSpec] = field(init=False)
    numbers: Mapping[str, float] = field(init=False)
    _predicted: Callable[[Sequence[int]], Answers] = field(init=False)
    _positions: Rows = field(init=False)
    """[n] of each image its row in the outputs that are known, -1 where they are not."""
    _known: dict[str, list[Tensor]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.streams, self.numbers = self.run.assembly.streams(), self.run.assembly.numbers()
        self._predicted = self.run.outputs(self.images, WHERE)
        self._positions = np.full(len(self.images), -1, dtype=np.int64)

    @property
    def device(self) -> torch.device:
        """Where heavy computation may run."""
        return self.run.device

    def __len__(self) -> int:
        return len(self.images)

    def outputs(self, output: str, rows: Rows) -> OutputTable:
        """One row an image, by the recipe's ``predict``; maps are not kept."""
        new = rows[self._positions[rows] < 0]
        if len(new):
            self._predict(new)
        if output not in self._known:
            there = ", ".join(self._known)
            raise UserError(f"output {output!r} is not there, or is a map; there are {there}")
        # One block is most of what is ever known; it is joined when it is asked for.
        if len(self._known[output]) > 1:
            self._known[output] = [torch.cat(self._known[output])]
        return OutputTable(self._known[output][0][torch.from_numpy(self._positions[rows])])

    def _predict(self, rows: Rows) -> None:
        before = int(self._positions.max()) + 1
        self._positions[rows] = np.arange(before, before + len(rows))
        for part in self._blocks(rows, BLOCK, "predict"):
            with self._dropping(f"{part[0]}"):
                answers = self._predicted(part)
            for name, values in answers.items():
                if isinstance(values, Tensor) and values.ndim < 3:
                    self._known.setdefault(name, []).append(values)

    def _blocks(self, rows: Rows, size: int, what: str) -> Iterator[list[int]]:
        """So many rows at a time; each block is told once it is done with."""
        for start in range(0, len(rows), size):
            part = rows[start : start + size].tolist()
            yield part
            self.progress(start + len(part), len(rows), f"pool: {what}")

    @contextmanager
    def _dropping(self, block: str) -> Iterator[None]:
        """What is dropped depends on the block of images, not on the past; training's own draws stay as they are."""
        if self.dropout is None:
            yield
            return
        modules = list(drops(self.run.network))
        with torch.random.fork_rng():
            torch.manual_seed(seeded(self.seed, f"dropout {self.dropout} {block}"))
            try:
                for module in modules:
                    module.train()
                yield
            finally:
                for module in modules:
                    module.eval()

    def views(self, stream: str, output: str, rows: Rows, draws: int) -> Iterator[OutputTable]:
        """Views of images, a block of images and one draw at a time; drawn where neither training nor evaluation was.

        Raises:
            UserError: There is no such stream or output, or an image does not suit the generator.
        """
        viewed = self.run.views(stream, self.images, "acquire", self.seed, WHERE)
        for part in self._blocks(rows, VIEWED, f"views of {stream}"):
            for draw in range(draws):
                with self._dropping(f"{stream} {part[0]} {draw}"):
                    values, target = viewed(part, draw)
                if output not in values:
                    raise UserError(f"output {output!r} is not there, or is a map; there are {', '.join(values)}")
                yield OutputTable(values[output], None, target)

    def members(self) -> Sequence[PoolSource]:
        """The pool as each of the run's kept checkpoints sees it, the oldest first, this one last."""
        return [*(replace(self, run=run) for run in self.run.others()), self]

    def dropped(self, number: int) -> PoolSource | None:
        """The pool as the network sees it with dropout at work; None if it has none."""
        return replace(self, dropout=number) if any(True for _ in drops(self.run.network)) else None


@dataclass(slots=True)
class NoNetwork:
    """A pool that no network has seen; see :class:`rankhub_active.acquire.PoolSource`."""

    count: int
    seed: int
    streams: Mapping[str, StreamSpec] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __len__(self) -> int:
        return self.count

    def outputs(self, output: str, rows: Rows) -> OutputTable:
        """There are none."""
        raise UserError("there is no network yet that could choose; the first round is drawn at random")

    def views(self, stream: str, output: str, rows: Rows, draws: int) -> Iterator[OutputTable]:
        """There are none."""
        raise UserError("there is no network yet that could choose; the first round is drawn at random")

    def members(self) -> Sequence[PoolSource]:
        """There are none."""
        return []

    def dropped(self, number: int) -> PoolSource | None:
        """There is none."""
        return None


def drops(network: nn.Module) -> Iterator[nn.Module]:
    """The modules of a network that drop something in training, at a rate above 0: torch's Dropout, timm's DropPath."""
    for module in network.modules():
        rate = getattr(module, "p", None) or getattr(module, "drop_prob", None)
        if _DROPS.search(type(module).__name__) and rate:
            yield module
