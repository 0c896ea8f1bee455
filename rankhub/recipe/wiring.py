"""What one part of a recipe tells another: shared by the check, before any data is read, and by the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import DeviceGenerator, Generator, ViewSpec, WorkerGenerator
from rankhub.interfaces.model import OutputSpec
from rankhub.recipe.schema import Objective, Recipe, Stream


def streams(recipe: Recipe) -> Iterator[tuple[int, str, Stream]]:
    """Every stream with the number of its phase and its name."""
    for number, phase in enumerate(recipe.phases):
        for name, stream in phase.streams.items():
            yield number, name, stream


def label_for_head(recipe: Recipe, head: str, labels: Mapping[str, LabelSpec]) -> LabelSpec:
    """The labels of the first stream with labels that trains ``head``; kind None if there is none."""
    for _, _, stream in streams(recipe):
        if any(objective.head == head for objective in stream.objectives):
            spec = labels.get(stream.data, LabelSpec())
            if spec.kind is not None:
                return spec
    return LabelSpec()


def objective_outputs(objective: Objective, outputs: Mapping[str, OutputSpec]) -> dict[str, OutputSpec]:
    """The outputs of its head that an objective uses: all, or the one it names.

    Raises:
        Objection: The head has no output of that name.
    """
    if objective.output is None:
        return dict(outputs)
    if objective.output not in outputs:
        raise Objection(f"head {objective.head!r} has no output {objective.output!r}; it has {', '.join(outputs)}")
    return {objective.output: outputs[objective.output]}


def plan_chain(generators: Sequence[Generator]) -> ViewSpec:
    """What a whole chain makes of one image.

    Raises:
        Objection: A worker step stands after a device step, or a step cannot take what comes to it.
    """
    views, device = ViewSpec(), False
    for generator in generators:
        if device and isinstance(generator, WorkerGenerator):
            raise Objection("steps on original pixels come before the steps on the device; move it up")
        device = device or isinstance(generator, DeviceGenerator)
        views = generator.plan(views)
    return views


def output_names(heads: Mapping[str, Mapping[str, OutputSpec]]) -> list[str]:
    """What an evaluator may name as an output: the pooled features and each head's outputs."""
    return ["backbone", *chain.from_iterable([f"{head}.{name}" for name in outs] for head, outs in heads.items())]
