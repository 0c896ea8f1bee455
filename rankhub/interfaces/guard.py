"""Guards see that components keep their contracts, and say whose fault it is where something fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from rankhub.interfaces.batch import Batch
    from rankhub.interfaces.callback import RunInfo
    from rankhub.interfaces.data import Dataset
    from rankhub.interfaces.errors import ComponentError
    from rankhub.interfaces.generator import Generator
    from rankhub.interfaces.kinds import Kind
    from rankhub.interfaces.loss import Loss
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

    What it is handed a guard leaves as it is.
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

    def not_finite(self, step: BrokenStep) -> tuple[str, str] | None:
        """Where NaN or infinity first arose, and what to do; None where this guard cannot tell."""

    def changes(self, folder: Path, datasets: Mapping[str, Dataset]) -> Iterable[str]:
        """In what a run that is to go on differs from what it began as, in sentences for one list, without an end.

        Asked before its data are open, with none, and then again. Where there is one, the user must allow changes.
        """
        return ()

    def begins(self, run: RunInfo, datasets: Mapping[str, Dataset], changes: Sequence[str]) -> Iterable[str]:
        """A run begins, or goes on after ``run.step`` steps in spite of ``changes``; its folder is written.

        What is returned, sentences on what it went on with before, stands in its report. The first process asks.
        """
        return ()

    def answering(self, folder: Path) -> None:
        """The network of the run in a folder is about to answer."""

    def blame(
        self, error: BaseException, plugins: Mapping[str, str], kinds: Mapping[str, Kind]
    ) -> ComponentError | None:
        """Whose fault an exception is, as a sentence on a component of these kinds, or on a plugin.

        ``plugins``: package -> its plugin's title.
        """
