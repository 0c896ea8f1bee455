"""What acquirers ask for: how a run's network sees the images of a pool."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from rankhub.engine.feed import Chain
from rankhub.engine.fitting import check_images
from rankhub.engine.parts import Progress, evaluation_chains
from rankhub.engine.seeds import seeded
from rankhub.engine.source import BLOCK, VIEWED, NetworkForward
from rankhub.engine.trained import Run
from rankhub.engine.views import blocks, see
from rankhub.interfaces.acquire import PoolSource, PoolStream, Rows
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub.recipe.assembly import numbers_of, pool_streams

_DROPS = re.compile(r"Drop(out|path)", re.IGNORECASE)
"""Classes of modules that drop something in training: torch's Dropout and Dropout2d, timm's DropPath."""


@dataclass(slots=True)
class NetworkPool:
    """See :class:`rankhub.interfaces.acquire.PoolSource`.

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
    progress: Progress
    dropout: int | None = None
    streams: Mapping[str, PoolStream] = field(init=False)
    numbers: Mapping[str, float] = field(init=False)
    _chains: Mapping[str, Chain] = field(init=False)
    _forward: NetworkForward = field(init=False)
    _places: Rows = field(init=False)
    """[n] of each image its row in the outputs that are known, -1 where they are not."""
    _known: dict[str, list[Tensor]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        assembly = self.run.assembly
        self._chains = evaluation_chains(self.run.recipe.recipe, assembly)
        self.streams, self.numbers = pool_streams(assembly), numbers_of(assembly.all_outputs())
        self._forward = self.run.forward()
        self._places = np.full(len(self.images), -1, dtype=np.int64)
        check_images("predict on the pool", self.images, [self.run.predictor])

    @property
    def device(self) -> torch.device:
        """Where heavy computation may run."""
        return self.run.device

    def __len__(self) -> int:
        return len(self.images)

    def outputs(self, output: str, rows: Rows) -> OutputTable:
        """One row an image, by the recipe's ``predict``; maps are not kept."""
        new = rows[self._places[rows] < 0]
        if len(new):
            self._predict(new)
        if output not in self._known:
            there = ", ".join(self._known)
            raise UserError(f"output {output!r} is not there, or is a map; there are {there}")
        # One block is most of what is ever known; it is joined when it is asked for.
        if len(self._known[output]) > 1:
            self._known[output] = [torch.cat(self._known[output])]
        return OutputTable(self._known[output][0][torch.from_numpy(self._places[rows])])

    def _predict(self, rows: Rows) -> None:
        before = int(self._places.max()) + 1
        self._places[rows] = np.arange(before, before + len(rows))
        done = 0
        for part in blocks(rows.tolist(), BLOCK):
            images = [self.images[index].image.to(self.device) for index in part]
            with self._dropping(f"{part[0]}"):
                answers = self.run.predictor(images, self._forward)
            for name, values in answers.items():
                if isinstance(values, Tensor) and values.ndim < 3:
                    self._known.setdefault(name, []).append(values.float().cpu())
            done += len(part)
            self.progress(done, len(rows), "pool: predict")

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
        if stream not in self._chains:
            raise UserError(f"the recipe has no stream {stream!r}; there are {', '.join(self.streams)}")
        chain = self._chains[stream]
        check_images(f"stream {stream!r} on the pool", self.images, chain.own_size)
        chain = Chain(chain.steps, chain.views, self.seed, f"acquire/{chain.address}")
        done = 0
        for part in blocks(rows.tolist(), VIEWED):
            for draw in range(draws):
                with self._dropping(f"{stream} {part[0]} {draw}"):
                    values, target = see(self._forward, chain, self.images, part, draw, self.device)
                if output not in values:
                    raise UserError(f"output {output!r} is not there, or is a map; there are {', '.join(values)}")
                yield OutputTable(values[output], None, target)
            done += len(part)
            self.progress(done, len(rows), f"pool: views of {stream}")

    def members(self) -> Sequence[PoolSource]:
        """The pool as each of the run's kept checkpoints sees it, the oldest first, this one last."""
        return [*(replace(self, run=run) for run in self.run.others()), self]

    def dropped(self, number: int) -> PoolSource | None:
        """The pool as the network sees it with dropout at work; None if it has none."""
        return replace(self, dropout=number) if any(True for _ in drops(self.run.network)) else None


def drops(network: nn.Module) -> Iterator[nn.Module]:
    """The modules of a network that drop something in training, at a rate above 0: torch's Dropout, timm's DropPath."""
    for module in network.modules():
        rate = getattr(module, "p", None) or getattr(module, "drop_prob", None)
        if _DROPS.search(type(module).__name__) and rate:
            yield module
