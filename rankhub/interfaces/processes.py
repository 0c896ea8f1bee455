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

Backward = Callable[..., None]
"""Takes tensors back, and gradients at them, as :func:`torch.autograd.backward` does."""


@dataclass(slots=True)
class Interrupt:
    """Whether a run is asked to end; see ``rankhub_signals``, without which a run knows only Ctrl-C, at once."""

    asked: str | None = None  # the signal that asks, one of :data:`rankhub.interfaces.errors.ENDING`
    waits: bool = False  # whether the run looks at ``asked`` after each step; while not, it is to be ended by Signalled


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of its run: alone, so that every call is the identity.

    A plugin that brings several (``rankhub_processes``) overrides all but ``first``, ``share`` and, unless it can sum
    gradients sooner, ``last_backward``. These calls are made by every process in the same order, and build no graph.
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

    def last_backward(self, parameters: Sequence[nn.Parameter]) -> Backward:
        """What does the last backward pass of a step, asked for before the first one.

        It leaves in each of the parameters, which are in the order of the network, the sum over all passes and
        processes; one that none of them has reached stays without a gradient. Here sums are taken after the pass.
        """
        import torch

        def backward(tensors: Sequence[Tensor], gradients: Sequence[Tensor | None] | None = None) -> None:
            torch.autograd.backward(tensors, gradients)
            reached = self.any([parameter.grad is not None for parameter in parameters])
            for parameter in (one for one, some in zip(parameters, reached, strict=True) if some):
                parameter.grad = self.sum(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)

        return backward

    def same_weights(self, module: nn.Module) -> None:
        """Give every process the first one's parameters and buffers."""


ALONE = Processes()
"""A run on one process."""
