"""Guards see that components keep their contracts, and say whose fault it is where something fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from rankhub.interfaces.batch import Batch
    from rankhub.interfaces.data import Dataset
    from rankhub.interfaces.errors import ComponentError
    from rankhub.interfaces.generator import Generator
    from rankhub.interfaces.kinds import Kind
    from rankhub.interfaces.loss import Loss
    from rankhub.interfaces.optim import Optimizer
    from rankhub.interfaces.order import RankTarget
    from rankhub.interfaces.predict import Forward, Predict
    from rankhub.interfaces.schedule import Clock, Schedule

Check = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class BrokenStep:
    """A step whose loss or gradient is not finite; the weights are as before it."""

    network: nn.Module
    clock: Clock
    batches: Mapping[str, Batch]  # stream -> its views
    losses: Sequence[tuple[Loss, str]]  # each with its stream
    weights: Mapping[str, Sequence[float | Schedule]]  # objective -> numbers whose product is its weight
    again: Callable[[], None]  # does the step once more without its end, with every part of the network looked at
    title: Callable[[type], str]  # what a component of a class is called


class Guard:
    """Every method may be left out. What does not fit it raises as :class:`~rankhub.interfaces.errors.ComponentError`.

    What it is handed a guard leaves as it is. ``drawn`` to ``answered`` are told of copies, on a phase's trial step.
    """

    def made(self, kind: Kind, component: Any) -> None:
        """A component is made, and nothing relies yet on what it says of itself."""

    def planned(self, generator: Generator, views: Any) -> None:
        """A step of a generator has said what it makes of one image."""

    def opened(self, dataset: Dataset) -> None:
        """A data set is open."""

    def calling(self, component: Any, handed: Any, beside: Any = None) -> Check | None:
        """A component is about to be called; what is returned is called with what it gives.

        Always an evaluator, ``handed`` its source, and a ``predict``, images ``beside`` a forward. On the trial step,
        and in every step of a strict run: a data set, the position of an image; a step of a generator, views or a batch
        ``beside`` the plan of what it makes. Before the trial step a loss that counts, a target.
        """

    def sharing(self, name: str, value: Any) -> Check | None:
        """Evaluators are handed the same ``value``; what is returned is called with each after it is done."""

    def watch(self, part: nn.Module, thorough: Callable[[], bool]) -> None:
        """Backbone, head or loss is about to train; ``thorough`` says whether a step is a trial or the run strict."""

    def scheduled(self, schedule: Schedule, start: Clock, low: float, high: float) -> None:
        """A schedule gives a number from ``low`` to ``high`` in the phase that is at its ``start``."""

    def drawn(self, dataset: Dataset, steps: Sequence[Generator], batch: Batch, alone: Callable[[int], Batch]) -> None:
        """A generator has made a batch; ``alone`` makes the views of one image of it by itself."""

    def summed(self, loss: Loss, outputs: Mapping[str, Tensor], target: RankTarget, taught: bool) -> None:
        """A loss is about to be relied on as the sum that it announces; ``taught``: with a teacher."""

    def optimized(self, optimizer: Optimizer) -> None:
        """An optimizer has done a step, with gradients that are still there."""

    def answered(self, predict: Predict, datasets: Iterable[Dataset], forward: Forward, device: torch.device) -> None:
        """Test time will answer for the images of these data sets, on a device."""

    def not_finite(self, step: BrokenStep) -> tuple[str, str] | None:
        """Where NaN or infinity first arose, and what to do; None where this guard cannot tell."""

    def identity(self, dataset: Dataset) -> Mapping[str, Any]:
        """By what an open data set can be known again when a run goes on, as plain data; it is kept in its folder."""
        return {}

    def changes(self, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
        """In what a data set differs from what it was by ``identity``, of all guards together, as ends of sentences."""
        return ()

    def blame(
        self, error: BaseException, plugins: Mapping[str, str], kinds: Mapping[str, Kind]
    ) -> ComponentError | None:
        """Whose fault an exception is, as a sentence on a component of these kinds, or on a plugin.

        ``plugins``: package -> its plugin's title.
        """
