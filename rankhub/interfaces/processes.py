"""What a run knows of the world around it: the processes that it shares its work with, and whether it is to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

T = TypeVar("T")


@dataclass(slots=True)
class Interrupt:
    """Whether a run is asked to end; see ``rankhub_signals``, without which a run knows only Ctrl-C, at once."""

    asked: str | None = None  # the signal that asks, one of :data:`rankhub.interfaces.errors.ENDING`
    waits: bool = False  # whether the run looks at ``asked`` after each step; while not, it is to be ended by Signalled


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of its run: alone, so that every call is the identity.

    A plugin that brings several (``rankhub_processes``) overrides all but ``first`` and ``share``. These calls are made
    by every process in the same order, and build no graph.
    """

    rank: int = 0  # number of this process
    count: int = 1  # how many there are
    local_rank: int = 0  # number of this process on its machine

    @property
    def first(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    def share(self, items: int) -> slice:
        """Which of ``items`` are this process's: equal parts in order, the first longer by one where they must be."""
        each, more = divmod(items, self.count)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    def joined(self, device: torch.device) -> AbstractContextManager[None]:
        """Connect the processes while the block is active; tensors lie on the CPU or on ``device``."""
        return nullcontext()

    def gather(self, rows: Tensor, even: bool = True) -> Tensor:
        """The rows of all processes by rank, [n, ...] -> [sum of n, ...]; ``even``: each has as many."""
        return rows.detach()

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        return values

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """For each flag whether some process has set it."""
        return list(flags)

    def from_first(self, value: T) -> T:
        """The value that the first process has; the others' are not looked at."""
        return value

    def first_before_others(self, work: Callable[[], T]) -> T:
        """Let the first process do ``work``, then the others, who find what it has left (a cache)."""
        return work()

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each parameter's gradient by the sum over the processes; one that has none on any stays without."""

    def mean_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by the mean over the processes."""

    def same_weights(self, module: nn.Module) -> None:
        """Give every process the first one's parameters and buffers."""


ALONE = Processes()
"""A run on one process."""
