"""Losses: a function of a head's outputs and of the order among the views."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor, nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget

Scope = Literal["sample", "group", "batch"]


@dataclass(frozen=True, slots=True)
class LossContext:
    """What a loss may use beside outputs and order.

    Attributes:
        progress: Share of the phase that is done, in [0, 1].
        queries: [N] bool on the CPU, the rows whose terms this process computes; None = all. Only ``per_query`` losses
            are handed a part.
        teacher: The same outputs of the averaged network, without a graph; None unless the recipe's
            ``average`` is used as a teacher.
        log: Whether ``parts`` will be written; diagnostics that cost time are made only then.
    """

    progress: float = 0.0
    queries: Tensor | None = None
    teacher: Mapping[str, Tensor] | None = None
    log: bool = False


@dataclass(frozen=True, slots=True)
class LossResult:
    """A loss before it is averaged.

    Attributes:
        total: Scalar with a graph: the *sum* over samples, groups or queries. The engine divides it by the
            global :meth:`Loss.count`.
        parts: Name -> scalar for the log, already averaged, without a graph.
    """

    total: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)


class Loss(nn.Module, ABC):
    """A loss over the N views of a batch, each of which passed the network once.

    The first positional-only constructor parameter is ``outputs``: name -> OutputSpec of the outputs that the
    objective uses. A loss may own parameters (prototypes) and buffers (queue, centre).

    Attributes:
        scope: ``sample``: a sum over views; ``group``: a sum over groups, so a micro-batch must not cut one;
            ``batch``: the value depends on the whole global batch, so it cannot be accumulated by parts.
        per_query: For scope ``batch``: the loss is a sum over queries, and with ``context.queries`` it
            computes only those.
        teacher_views: Of the teacher's outputs only those of views numbered below this are looked at, so that the
            teacher need not see the others, whose rows may then be 0; None = all.
    """

    scope: Scope
    per_query: ClassVar[bool] = False
    teacher_views: int | None = None

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """Sentences against what the stream brings (number of views, kind of level, kind of label); none if fine."""
        return ()

    def collapse(self) -> str | None:
        """Why a network that answers every view alike is a minimum of this loss, as a sentence; None where it is none.

        The recipe's check refuses such a loss where nothing holds the network: no labels in the phase, no weights that
        are loaded.
        """
        return None

    @abstractmethod
    def count(self, target: RankTarget) -> Tensor:
        """Scalar: by how much the sum is to be divided (views, groups, or queries with a positive).

        A function of the order alone, so that the engine knows the global count *before* the first backward
        and accumulation stays exact with several objectives.
        """

    @abstractmethod
    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """The sum, and what to log.

        With scope ``batch`` it is called once a step, by every process, on the outputs of the whole global batch in an
        order of rows that does not depend on the number of processes or micro-batches; torch's random numbers are then
        the same on every process.
        """

    def after_step(self) -> None:
        """Called once after each optimizer step: move queues, centres, normalize prototypes."""


def single_output(outputs: Mapping[str, OutputSpec], kind: str, owner: str) -> str:
    """The name of the one output of ``kind``; an Objection that lists what the head has if there is not just one."""
    names = [name for name, spec in outputs.items() if spec.kind == kind]
    if len(names) != 1:
        have = ", ".join(f"{name} ({spec.kind})" for name, spec in outputs.items()) or "none"
        advice = "name one with `output:`" if names else "use a head that has one"
        raise Objection(f"{owner} needs one output of kind {kind}, the head gives: {have}; {advice}")
    return names[0]
