"""A stream's batches. Which images stand in a batch, and how they look, follows from its position alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from rankhub.engine.collate import collate, first_view
from rankhub.engine.processes import ALONE, Processes
from rankhub.interfaces.batch import Batch, View
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import DeviceGenerator, Generator, ViewSpec, WorkerGenerator


@dataclass(frozen=True, slots=True)
class Chain:
    """A stream's generator: what becomes of its images.

    Attributes:
        steps: Worker steps, then device steps.
        views: What comes out for one image.
        seed: The recipe's seed.
        address: The name under which views are drawn.
    """

    steps: Sequence[Generator]
    views: ViewSpec
    seed: int
    address: str

    def drawn(self, purpose: str, seed: int | None = None) -> Chain:
        """The same generator, which draws other views: for a purpose other than training, perhaps by another seed."""
        return replace(self, address=f"{purpose}/{self.address}", seed=self.seed if seed is None else seed)

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
        for number, step in enumerate(self.steps):
            if isinstance(step, WorkerGenerator):
                views = step.apply(views, Draws(self.seed, self.address, epoch, number))
        return views

    @torch.no_grad()
    def on_device(self, batch: Batch, epoch: int) -> Batch:
        """The device steps on a batch; without any, the views as floats in [0, 1]."""
        for number, step in enumerate(self.steps):
            if isinstance(step, DeviceGenerator):
                batch = step.apply(batch, Draws(self.seed, self.address, epoch, number))
        images = tuple(stack if stack.is_floating_point() else stack.float().div_(255) for stack in batch.images)
        return Batch(images, batch.sizes, batch.maps, batch.target)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a stream a batch stands."""

    epoch: int
    number: int


class Feed:
    """Batches of one stream, from any position on.

    Args:
        name: For messages.
        dataset: Open.
        chain: What becomes of the images.
        batch_size: Images a batch.
        workers: Processes that fetch and run the worker steps; 0 = a thread of this process.
        processes: Those of the run, which share the images of each batch.

    Raises:
        UserError: Fewer images than a batch.
    """

    def __init__(
        self,
        name: str,
        dataset: Dataset,
        chain: Chain,
        batch_size: int,
        workers: int,
        processes: Processes = ALONE,
    ) -> None:
        if len(dataset) < batch_size:
            raise UserError(
                f"stream {name!r} takes {batch_size} images a step, its data have only {len(dataset)}; "
                f"lower batch_size to at most {len(dataset)} or add images"
            )
        self.dataset, self.chain, self.batch_size, self.workers = dataset, chain, batch_size, workers
        self.batches_per_epoch = len(dataset) // batch_size
        self.share = processes.share(batch_size)
        self._shuffled: tuple[int, npt.NDArray[np.int64]] | None = None

    def place(self, position: int) -> Place:
        """Epoch, and number inside it, of the batch at ``position`` (batches since the phase began)."""
        return Place(*divmod(position, self.batches_per_epoch))

    def indices(self, place: Place) -> npt.NDArray[np.int64]:
        """This process's images of a batch: a part of the epoch's own shuffle; what is left over at its end is unused.

        The batch of a step is the same for any number of processes.
        """
        order = self._order(place.epoch)
        return order[place.number * self.batch_size : (place.number + 1) * self.batch_size][self.share]

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        if self._shuffled is None or self._shuffled[0] != epoch:
            self._shuffled = (epoch, Draws(self.chain.seed, self.chain.address, epoch).shuffled(len(self.dataset)))
        return self._shuffled[1]

    def fetch(self, place: Place) -> Batch:
        """One batch on the CPU, the worker steps done."""
        views: list[View] = []
        for index in self.indices(place).tolist():
            views += self.chain.in_worker([first_view(self.dataset[index])], place.epoch)
        return collate(views, self.chain.views.groups, self.dataset.label)

    def batches(self, position: int, stop: int, *, pin: bool = False) -> Iterator[tuple[Place, Batch]]:
        """The batches from ``position`` on, before ``stop``, fetched ahead of their use."""
        places = [self.place(p) for p in range(position, stop)]
        if self.workers:
            loader = DataLoader(
                _Places(self, places),
                batch_size=None,
                num_workers=self.workers,
                pin_memory=False,
                multiprocessing_context="fork",
                prefetch_factor=2,
            )
            fetched: Iterator[Batch] = iter(loader)
        else:
            fetched = _ahead(self, places)
        for place, batch in zip(places, fetched, strict=True):
            yield place, _pinned(batch) if pin else batch


class _Places(TorchDataset[Batch]):
    """A feed's batches as torch's loader wants them."""

    def __init__(self, feed: Feed, places: Sequence[Place]) -> None:
        self.feed, self.places = feed, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> Batch:
        torch.set_num_threads(1)
        return self.feed.fetch(self.places[number])


def _ahead(feed: Feed, places: Sequence[Place]) -> Iterator[Batch]:
    """Fetch the next batch in a thread while this one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="feed") as pool:
        pending = [pool.submit(feed.fetch, place) for place in places[:1]]
        for following in [*places[1:], None]:
            batch = pending.pop().result()
            if following is not None:
                pending.append(pool.submit(feed.fetch, following))
            yield batch


def _pinned(batch: Batch) -> Batch:
    return Batch(tuple(stack.pin_memory() for stack in batch.images), batch.sizes, batch.maps, batch.target)
