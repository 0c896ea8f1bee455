"""Outputs of a network for images and for their views, a block at a time; the source that evaluators read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from rankhub.catalog.blame import called
from rankhub.engine.device import Compute
from rankhub.engine.feed import Chain, check_images
from rankhub.engine.network import Network, Outputs
from rankhub.interfaces.data import Dataset, GivenData
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationResult, Evaluator, OutputTable
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.guard import Check, Guard
from rankhub.interfaces.model import Head, OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.predict import Answers, Forward, Predict
from rankhub.interfaces.processes import ALONE, Processes

T = TypeVar("T")

BLOCK = 256
"""Images that are decoded and predicted at a time."""

VIEWED = 64
"""Images whose views are made and predicted at a time."""

Progress = Callable[[int, int, str], None]


class NetworkForward:
    """A network, switched to evaluation mode; see :class:`rankhub.interfaces.predict.Forward`."""

    def __init__(self, network: Network, compute: Compute) -> None:
        self.network, self.compute = network.eval(), compute
        self.features = network.backbone.spec
        self.outputs: Mapping[str, OutputSpec] = {
            f"{name}.{output}": spec
            for name, head in network.heads.items()
            for output, spec in cast(Head, head).outputs.items()
        }

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        """``backbone`` and ``HEAD.OUTPUT`` -> [n, ...]."""
        with self.compute.autocast():
            outputs: Outputs = self.network([self.compute.images(images)], list(self.network.heads))
        return outputs


@dataclass(frozen=True, slots=True)
class ImageOutputs:
    """What a network says of images by a recipe's test time; raises a UserError if that cannot take some of them."""

    forward: Forward
    predict: Predict
    dataset: Dataset  # open
    device: torch.device  # that of the network
    user: str  # what takes the images, for a sentence
    rows: Sequence[int] | None = None  # which images; None = all
    guards: Sequence[Guard] = ()

    def __post_init__(self) -> None:
        check_images(self.user, self.dataset, [self.predict], self.rows)

    def __call__(self, rows: Sequence[int]) -> Answers:
        """Of one block of images, by their positions: float32 on the CPU, one row an image."""
        return self.of([self.dataset[row].image for row in rows])

    def of(self, images: Sequence[Tensor]) -> Answers:
        """Of images that are decoded already."""
        handed = [image.to(self.device) for image in images]
        predict, forward = self.predict, self.forward
        said = called(self.guards, predict, lambda those: predict(those, forward), handed, forward)
        return {
            name: rows.float().cpu() if isinstance(rows, Tensor) else [one.float().cpu() for one in rows]
            for name, rows in said.items()
        }


@dataclass(frozen=True, slots=True)
class ViewOutputs:
    """What a network says of every view that a stream's generator makes of images, as :class:`ImageOutputs`."""

    forward: Forward
    chain: Chain
    dataset: Dataset
    device: torch.device
    user: str

    def __post_init__(self) -> None:
        check_images(self.user, self.dataset, self.chain.own_size)

    def __call__(self, rows: Sequence[int], draw: int) -> tuple[dict[str, Tensor], RankTarget]:
        """Of one block of images, by their positions; another number ``draw`` draws other views.

        Returns:
            Name -> [views, ...] float32, without maps, which are of no use view by view; and what the views are.
        """
        views = self.chain.batch((self.dataset[row] for row in rows), draw, self.dataset.label)
        batch = self.chain.on_device(views.to(self.device), draw)
        stacks = [self.forward(stack) for stack in batch.images]
        plain = [name for name, rows in stacks[0].items() if rows.ndim < 3]
        values = {name: torch.cat([stack[name].float().cpu() for stack in stacks]) for name in plain}
        return values, batch.target.to(torch.device("cpu"))


def blocks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, ``size`` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


@dataclass(slots=True)
class NetworkSource:
    """One row of the report; see :class:`rankhub.interfaces.evaluate.EvaluationSource`.

    What is asked for is computed once. The first process evaluates and asks; each computes its share of every table.
    """

    row: str
    forward: Forward  # the row's network, or what stands in for it
    datasets: Mapping[str, Dataset]
    chains: Mapping[str, Chain]  # by stream
    predict: Predict
    compute: Compute
    pictures: bool  # whether they are wanted
    progress: Progress
    processes: Processes = ALONE
    guards: Sequence[Guard] = ()
    _tables: dict[str, Answers] = field(default_factory=dict)
    _views: dict[tuple[str, str, int], tuple[dict[str, Tensor], RankTarget]] = field(default_factory=dict)
    _checks: list[Check] = field(default_factory=list)  # of what evaluators share

    def __post_init__(self) -> None:
        for name, dataset in self.datasets.items():
            rows = {0, len(dataset) - 1} if len(dataset) and not isinstance(dataset, GivenData) else ()
            self._share(name, [dataset[row].image for row in rows])

    def _share(self, name: str, value: T) -> T:
        """What evaluators are handed one after the other."""
        self._checks += filter(None, [guard.sharing(name, value) for guard in self.guards])
        return value

    def evaluate(self, evaluator: Evaluator) -> EvaluationResult:
        """What an evaluator finds; it leaves what it is handed to the next ones as it is."""
        found = called(self.guards, evaluator, evaluator, self)
        for check in self._checks:
            check(evaluator)
        return found

    @property
    def device(self) -> torch.device:
        """Where heavy computation may run."""
        return self.compute.device

    def dataset(self, data: str) -> Dataset:
        """The open data set."""
        return self.datasets[data]

    def outputs(self, data: str, output: str) -> OutputTable:
        """One row an image of ``data``."""
        if data not in self._tables:
            self.processes.from_first((data,))
            self._tables[data] = self._share(f"outputs of {data}", self._predict(data))
        labels = self.datasets[data].labels()
        if labels is not None:
            labels = labels.view()
            labels.setflags(write=False)
        return OutputTable(self._one(self._tables[data], output), labels)

    def views(self, stream: str, data: str, output: str, limit: int) -> OutputTable:
        """One row a view of at most ``limit`` images of ``data``, by the generator of ``stream``."""
        key = (stream, data, limit)
        if key not in self._views:
            self.processes.from_first(key)
            self._views[key] = self._share(f"views of {data} by {stream}", self._view(stream, data, limit))
        values, target = self._views[key]
        return OutputTable(self._one(values, output), None, target)

    def view_spec(self, stream: str) -> ViewSpec:
        """What the generator of ``stream`` makes of one image."""
        return self.chains[stream].views

    def serve(self) -> None:
        """In the other processes: compute their share of each table that the first one asks for, until it is done."""
        nothing: tuple[Any, ...] = ()
        while asked := self.processes.from_first(nothing):
            if len(asked) == 1:
                self._predict(*asked)
            else:
                self._view(*asked)

    def release(self) -> None:
        """In the first process: let the others go on."""
        self.processes.from_first(())

    def _one(self, values: Mapping[str, T], output: str) -> T:
        if output in values:
            return values[output]
        if set(values) == {"backbone"}:
            return values["backbone"]  # raw pixels have no heads
        raise UserError(f"output {output!r} is not there; there are {', '.join(values)}")

    def _predict(self, data: str) -> Answers:
        dataset = self.datasets[data]
        found: list[Answers] = []
        user = f"predict on data {data!r}"
        outputs = ImageOutputs(self.forward, self.predict, dataset, self.device, user, guards=self.guards)
        mine = self._part(range(len(dataset)))
        for part in blocks(mine, BLOCK):
            found.append(outputs(part))
            self.progress(mine.index(part[-1]) + 1, len(mine), f"{self.row}: {data}")
        return {name: self._answers([block[name] for block in found], len(dataset)) for name in found[0]}

    def _view(self, stream: str, data: str, limit: int) -> tuple[dict[str, Tensor], RankTarget]:
        dataset, chain = self.datasets[data], self.chains[stream]
        seen = chain.drawn("evaluate")
        outputs = ViewOutputs(self.forward, seen, dataset, self.device, f"stream {stream!r} on data {data!r}")
        shuffled = Draws(chain.seed, seen.address, 0).shuffled(len(dataset))
        picked = sorted(shuffled[:limit].tolist())
        mine = self._part(picked)
        values: list[dict[str, Tensor]] = []
        for part in blocks(mine, VIEWED):
            block, target = outputs(part, 0)
            kind = torch.zeros_like(target.index) if target.kind is None else target.kind
            ids = torch.stack([target.index, target.view, target.group, kind], dim=1)
            values.append({**block, _IDS: ids, _LEVEL: target.level})
            done = sum(len(block[_IDS]) for block in values)
            self.progress(done, len(mine) * seen.views.views, f"{self.row}: views of {data}")
        table = {name: self._rows([block[name] for block in values], len(picked)) for name in values[0]}
        ids, level = table.pop(_IDS), table.pop(_LEVEL)
        index, view, group, kind = (column.contiguous() for column in ids.unbind(1))
        return table, RankTarget(index, view, group, level, kind=kind)

    def _part(self, items: Sequence[int]) -> Sequence[int]:
        """This process's part of the items. One with nothing to do takes the first, so that it knows the columns."""
        return items[self.processes.share(len(items))] or items[:1]

    def _answers(self, blocks: Sequence[Tensor | Sequence[Tensor]], items: int) -> Tensor | Sequence[Tensor]:
        """One output of all images; maps stay apart, since images may differ in size."""
        if all(isinstance(block, Tensor) for block in blocks):
            return self._rows([block for block in blocks if isinstance(block, Tensor)], items)
        maps = [one for block in blocks for one in block]
        if self.processes.count == 1:
            return maps
        shapes = self._rows([torch.tensor([one.shape[-2:] for one in maps])], items)
        cells = [one.flatten() for one in maps]
        flat = self._rows(cells, items)
        sizes = shapes.prod(dim=1).tolist()
        return [part.view(1, *shape) for part, shape in zip(torch.split(flat, sizes), shapes.tolist(), strict=True)]

    def _rows(self, blocks: Sequence[Tensor], items: int) -> Tensor:
        """The rows of all processes in the order of the items, each item once."""
        share = self.processes.share(items)
        rows = torch.cat(list(blocks))
        return self.processes.gather(rows[:0] if share.start == share.stop else rows, even=False)


_IDS, _LEVEL = "target ids", "target level"
