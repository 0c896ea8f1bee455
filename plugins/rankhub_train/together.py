"""What verbs do as one of several processes that a launcher has started: the first one decides, writes and speaks."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import rankhub
from rankhub import Catalog, UserError

if TYPE_CHECKING:
    from rankhub.interfaces.processes import Processes

T = TypeVar("T")


@contextmanager
def joined(catalog: Catalog | None = None) -> Iterator[Processes]:
    """This process among those that work together, connected while the block is active; mostly it is alone."""
    import torch

    processes = (catalog or rankhub.Catalog.discover()).processes()
    with processes.joined(torch.device("cuda" if torch.cuda.is_available() else "cpu")):
        yield processes


def by_first(processes: Processes, work: Callable[[], T]) -> T:
    """What the first process finds, for all; a UserError that it raises is raised by all."""
    if processes.count == 1:
        return work()
    found: tuple[T | None, str] = (None, "")
    if processes.first:
        try:
            found = (work(), "")
        except UserError as error:
            found = (None, str(error))
    value, wrong = processes.from_first(found)
    if wrong:
        raise UserError(wrong)
    return value  # type: ignore[return-value]  # that of the first process


def gathered(processes: Processes, own: T) -> list[T]:
    """What each process has, by rank, for all."""
    if processes.count == 1:
        return [own]
    import torch

    data = torch.frombuffer(bytearray(pickle.dumps(own)), dtype=torch.uint8)
    lengths = processes.gather(torch.tensor([len(data)])).tolist()
    parts = processes.gather(data, even=False).split(lengths)
    return [pickle.loads(part.numpy().tobytes()) for part in parts]
