"""What one part of a recipe tells another: shared by the check, before any data is read, and by the engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain

from rankhub.catalog.nearest import suggestion
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


def used_data(recipe: Recipe) -> set[str]:
    """The data sets that a stream or an evaluator names. Others, such as a shared block's, need not be there."""
    found = {stream.data for _, _, stream in streams(recipe)}
    options = [list(spec.options.values()) for spec in [*recipe.evaluate, *recipe.callbacks]]
    named = {value for values in options for value in values if isinstance(value, str)}
    return found | (named & set(recipe.data))


def label_for_head(recipe: Recipe, head: str, labels: Mapping[str, LabelSpec]) -> LabelSpec:
    """The labels of the first stream with labels that trains ``head``; kind None if there is none."""
    trains = ((stream.data, [objective.head for objective in stream.objectives]) for _, _, stream in streams(recipe))
    return first_label(trains, head, labels)


def first_label(
    trains: Iterable[tuple[str, Collection[object]]], head: str, labels: Mapping[str, LabelSpec]
) -> LabelSpec:
    """The labels of the first labeled data set whose stream trains ``head``; ``trains`` has (data, heads) pairs."""
    specs = (labels.get(data, LabelSpec()) for data, heads in trains if head in heads)
    return next((spec for spec in specs if spec.kind is not None), LabelSpec())


def objective_outputs(objective: Objective, outputs: Mapping[str, OutputSpec]) -> dict[str, OutputSpec]:
    """The outputs of its head that an objective uses: all, or the one it names.

    Raises:
        Objection: The head has no output of that name.
    """
    return chosen_outputs(objective.head, objective.output, outputs)


def chosen_outputs(head: str, output: str | None, outputs: Mapping[str, OutputSpec]) -> dict[str, OutputSpec]:
    """The outputs of ``head``: all, or the one called ``output``.

    Raises:
        Objection: There is no output of that name.
    """
    if output is None:
        return dict(outputs)
    if output not in outputs:
        raise Objection(f"head {head!r} has no output {output!r}{suggestion(output, outputs)}")
    return {output: outputs[output]}


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


def numbers_of(heads: Mapping[str, Mapping[str, OutputSpec]]) -> dict[str, float]:
    """``HEAD.OUTPUT`` that is one number a view -> one standardised unit of it; scores and counts come first."""
    every = {f"{head}.{name}": spec for head, outputs in heads.items() for name, spec in outputs.items()}
    kinds = [("score", "count"), ("pooled",)]
    return {name: spec.std for wanted in kinds for name, spec in every.items() if spec.kind in wanted}


def evaluator_label(use: str, labels: Collection[str]) -> str:
    """The label under which an evaluator is reported, beside those that are taken: ``knn``, then ``knn 2``."""
    name = use.rpartition("/")[2]
    number = 1 + sum(label.partition(" ")[0] == name for label in labels)
    return name if number == 1 else f"{name} {number}"


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """The names of parameters that a recipe's pattern means: a shell pattern, or a whole part such as ``heads.score``.

    Parameters are called ``backbone.*``, ``heads.HEAD.*`` and ``losses.PHASE.STREAM.NUMBER.*``.
    """
    return [name for name in names if fnmatchcase(name, pattern) or name.startswith(f"{pattern.rstrip('.*')}.")]
