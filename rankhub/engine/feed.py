"""A stream's batches. Which images a batch holds, and how their views are drawn, follows from its position alone."""

import copy
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pickle import PicklingError
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from rankhub.catalog.blame import called, culprit, during
from rankhub.engine.shuffle import Shuffle
from rankhub.interfaces.batch import Batch, View
from rankhub.interfaces.data import Dataset, LabelSpec, Sample
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import DeviceGenerator, Generator, ViewSpec, WorkerGenerator
from rankhub.interfaces.guard import Guard
from rankhub.interfaces.order import Label, RankTarget
from rankhub.interfaces.predict import Predict
from rankhub.interfaces.processes import ALONE, Processes
from rankhub.recipe.assembly import plan_chain
from rankhub.recipe.schema import Loader


def first_view(sample: Sample) -> View:
    """The view that a chain starts from: the whole image, of its own, since a data set may hold the sample's."""
    return View(sample.image.clone(), sample.index, label=sample.label, meta=sample.meta)


def stack_images(images: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Images of any size, padded at the right and the bottom to [n, 3, H, W], and [n, 2] their heights and widths."""
    sizes = torch.tensor([image.shape[-2:] for image in images], dtype=torch.int64).reshape(-1, 2)
    height, width = sizes.max(dim=0).values.tolist()
    # By numpy: a stack is made in the feed's thread, where torch would start a second team of threads that spins.
    stack = np.zeros((len(images), images[0].shape[0], height, width), dtype=images[0].numpy().dtype)
    for row, image in zip(stack, images, strict=True):
        row[:, : image.shape[-2], : image.shape[-1]] = image.numpy()
    return torch.from_numpy(stack), sizes


def _labels(views: Sequence[View], sizes: Tensor, maps: Tensor, label: LabelSpec) -> Label | None:
    if label.kind is None:
        return None
    if label.kind == "points":
        return label.moving([view.label for view in views], sizes).moved(maps, sizes)
    kept: list[Any] = [view.label for view in views]
    if label.kind == "class":
        return torch.tensor([-1 if value is None else int(value) for value in kept], dtype=torch.int64)
    return torch.tensor([float("nan") if value is None else float(value) for value in kept], dtype=torch.float32)


def collate(views: Sequence[View], groups: int, label: LabelSpec, stack: Tensor | None = None) -> Batch:
    """One batch of one stack from views; a sample's views stand together. Group id: index * ``groups`` + kind.

    ``stack``: where their images are one already.
    """
    if stack is None:
        stack, sizes = stack_images([view.image for view in views])
    else:
        sizes = torch.tensor([list(stack.shape[-2:])]).repeat(len(stack), 1)
    index = torch.tensor([view.index for view in views], dtype=torch.int64)
    kind = torch.tensor([view.kind for view in views], dtype=torch.int64)
    maps = torch.from_numpy(np.stack([view.map for view in views]))
    target = RankTarget(
        index=index,
        view=torch.tensor([view.view for view in views], dtype=torch.int64),
        group=index * groups + kind,
        level=torch.tensor([view.level for view in views], dtype=torch.float32),
        label=_labels(views, sizes, maps, label),
        kind=kind,
    )
    return Batch((stack,), sizes, maps, target)


def check_images(
    user: str, dataset: Dataset, users: Sequence[Generator | Predict], rows: Sequence[int] | None = None
) -> None:
    """See that all images of an open data set suit what takes them (``user`` in the message), before any is taken.

    ``rows``: those that are to be taken, if not all.
    """
    sizes = dataset.sizes()
    if sizes is None or not len(sizes):
        return
    for step in users:
        objection = step.check_images(sizes)
        if objection is None:
            continue
        why, which = objection
        which = which if rows is None else which & np.isin(np.arange(len(which)), rows)
        if not which.any():
            continue
        first = int(which.argmax())
        path, (height, width) = dataset[first].path, sizes[first].tolist()
        raise UserError(
            f"{user}: {int(which.sum())} of {len(sizes)} images {why}; the first is "
            f"{path or f'number {first}'} with {width} x {height} pixels"
        )


@dataclass(frozen=True, slots=True)
class Chain:
    """A stream's generator: the steps that turn an image into views."""

    steps: Sequence[Generator]  # worker steps, then device steps
    views: ViewSpec  # what comes out for one image
    seed: int
    address: str  # the name under which views are drawn
    guards: Sequence[Guard] = ()  # asked whose fault a failure is
    guarded: bool = False  # whether they look at every image and at every step
    repeat: int | None = None  # training's views are those of so many epochs, in turn

    def drawn(self, purpose: str, seed: int | None = None) -> Self:
        """The same generator, which draws other views: for a purpose other than training, perhaps by another seed."""
        seed = self.seed if seed is None else seed
        return replace(self, address=f"{purpose}/{self.address}", seed=seed, repeat=None)

    @property
    def own_size(self) -> list[Generator]:
        """The steps to which images come in their own size: those up to the first that gives views a size."""
        views, found = ViewSpec(), []
        for step in self.steps:
            found.append(step)
            views = step.plan(views)
            if any(side is not None for _, side in views.sizes):
                break
        return found

    def in_worker(self, views: list[View], epoch: int) -> list[View]:
        """The worker steps on the views of one sample."""
        with during(f"image {views[0].index}"):
            for number, step in enumerate(self.steps):
                if isinstance(step, WorkerGenerator):
                    views = self._apply(step, views, Draws(self.seed, self.address, epoch, number))
            return views

    def _apply(self, step: Any, handed: Any, draws: Draws) -> Any:
        if self.repeat is not None:
            draws = replace(draws, epoch=draws.epoch % self.repeat)
        if not self.guarded:
            return step.apply(handed, draws)
        plan = plan_chain(self.steps[: draws.step + 1], self.guards)
        return called(self.guards, step, lambda views: step.apply(views, draws), handed, plan)

    def batch(self, samples: Iterable[Sample], epoch: int, label: LabelSpec) -> Batch:
        """The views of samples on the CPU, the worker steps done."""
        views = [view for sample in samples for view in self.in_worker([first_view(sample)], epoch)]
        return collate(views, self.views.groups, label)

    @torch.no_grad()
    def on_device(self, batch: Batch, epoch: int) -> Batch:
        """The device steps on a batch; without any, the views as floats in [0, 1]."""
        for number, step in enumerate(self.steps):
            if isinstance(step, DeviceGenerator):
                batch = self._apply(step, batch, Draws(self.seed, self.address, epoch, number))
        images = tuple(stack if stack.is_floating_point() else stack.float().div_(255) for stack in batch.images)
        return replace(batch, images=images)


def _serves_batches(dataset: Dataset) -> bool:
    """Whether a class of it says how, and none that is derived from that one serves other images one by one."""
    classes = type(dataset).__mro__
    batch, single = (next(cls for cls in classes if name in vars(cls)) for name in ("batch", "__getitem__"))
    return batch is not Dataset and issubclass(batch, single)


@dataclass(frozen=True, slots=True)
class EpochPosition:
    """Position of a batch in its stream: the epoch, and the batch's number in it, both from 0."""

    epoch: int
    number: int


class Feed(TorchDataset[Batch | Exception]):
    """Batches of one stream, from any position on; there are at least as many images as in a batch."""

    def __init__(
        self,
        dataset: Dataset,
        chain: Chain,
        batch_size: int,
        loader: Loader | None = None,
        processes: Processes = ALONE,
        block: int = 1,
    ) -> None:
        self.block = block  # of the shuffle
        self.dataset, self.chain, self.batch_size, self.loader = dataset, chain, batch_size, loader or Loader()
        self.batches_per_epoch = len(dataset) // batch_size
        self.share = processes.share(batch_size)  # of each batch's images
        self._labels: Sequence[Any] | None = None  # where images are read a batch at a time
        if _serves_batches(dataset) and not any(isinstance(step, WorkerGenerator) for step in chain.steps):
            kind = dataset.label.kind
            known: Any = dataset.points() if kind == "points" else dataset.labels()
            self._labels = [None] * len(dataset) if kind is None else known

    def in_epoch(self, position: int) -> EpochPosition:
        """Epoch, and number inside it, of the batch at ``position`` (batches since the phase began)."""
        return EpochPosition(*divmod(position, self.batches_per_epoch))

    def indices(self, at: EpochPosition) -> npt.NDArray[np.int64]:
        """This process's images of a batch: a part of the epoch's own shuffle; what is left over at its end is unused.

        The batch of a step is the same for any number of processes.
        """
        order = Shuffle(len(self.dataset), Draws(self.chain.seed, self.chain.address, at.epoch), self.block)
        return order(at.number * self.batch_size + np.arange(self.batch_size)[self.share])

    def fetch(self, at: EpochPosition) -> Batch:
        """One batch on the CPU, the worker steps done."""
        indices, chain, label = self.indices(at).tolist(), self.chain, self.dataset.label
        if self._labels is None or chain.guarded:
            return chain.batch(map(self._sample, indices), at.epoch, label)
        with during(f"{len(indices)} images, the first of them {indices[0]}"):
            images = self.dataset.batch(indices)
        views = [View(image, one, label=self._labels[one]) for image, one in zip(images, indices, strict=True)]
        return collate(views, chain.views.groups, label, images if isinstance(images, Tensor) else None)

    def _sample(self, index: int) -> Sample:
        with during(f"image {index}"):
            guards = self.chain.guards if self.chain.guarded else ()
            return called(guards, self.dataset, self.dataset.__getitem__, index)

    def guarded(self) -> Self:
        """The same, in which the data set and every step are held to their contracts."""
        feed = copy.copy(self)
        feed.chain = replace(self.chain, guarded=True)
        return feed

    def __getitem__(self, position: int) -> Batch | Exception:
        """In a process of torch's loader. What fails is a value: from there an exception comes back as text."""
        torch.set_num_threads(1)
        try:
            return self.fetch(self.in_epoch(position))
        except UserError as error:
            return error
        except (Exception, SystemExit) as error:
            return culprit(error, self.chain.guards) or RuntimeError(repr(error))

    def batches(self, position: int, stop: int, *, apart: bool = False) -> Iterator[tuple[EpochPosition, Batch]]:
        """The batches from ``position`` to ``stop``, fetched ahead where a core is free: always beside a GPU."""
        positions = range(position, stop)
        fetched: Iterator[Batch | Exception] = map(self.fetch, map(self.in_epoch, positions))
        if self.loader.workers:
            fetched = self._by_workers(positions)
        elif apart or torch.get_num_threads() < (os.cpu_count() or 1):  # else one more thread would hold torch's up
            fetched = self._ahead(positions)
        for at, batch in zip(map(self.in_epoch, positions), fetched, strict=True):
            if isinstance(batch, Exception):
                raise batch
            yield at, batch

    def _by_workers(self, positions: range) -> Iterator[Batch | Exception]:
        """Fetch in processes, two batches ahead in each."""
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=positions,
            num_workers=self.loader.workers,
            multiprocessing_context=self.loader.start if self.dataset.forks else "spawn",
            prefetch_factor=2,
        )
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Got pickle error")  # which is said below
                return iter(loader)
        except (PicklingError, TypeError, AttributeError) as error:
            if self.loader.start == "fork" and self.dataset.forks:
                raise
            raise UserError(
                f"processes cannot be spawned for loader.workers, as {type(self.dataset).__name__} and what makes its "
                f"views cannot be copied to them ({error}); set loader.start=fork or loader.workers=0"
            ) from error

    def _ahead(self, positions: range) -> Iterator[Batch]:
        """Fetch the next batch in a thread while this one is used."""
        with ThreadPoolExecutor(1, thread_name_prefix="feed") as pool:
            pending = [pool.submit(self.fetch, self.in_epoch(first)) for first in positions[:1]]
            for number in positions:
                batch = pending.pop().result()
                if number + 1 in positions:
                    pending.append(pool.submit(self.fetch, self.in_epoch(number + 1)))
                yield batch
