"""One walk over a recipe: which component stands where, what is wired into it, and the component itself.

The check before any data are read and the engine both go this way. They differ in their :class:`Builder`: the engine's
raises what fails, the check's notes it and goes on without.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Self, TypeVar

import torch
from torch import nn

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.hints import KeyPath, walk
from rankhub.catalog.nearest import suggestion
from rankhub.catalog.spec import Uses
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import DeviceGenerator, Generator, StreamSpec, ViewSpec, WorkerGenerator
from rankhub.interfaces.guard import Guard
from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub.interfaces.schedule import Clock
from rankhub.recipe.address import labels_of
from rankhub.recipe.reader import at, list_at, mapping_at
from rankhub.recipe.schema import Recipe, shape_of

T = TypeVar("T")
Outputs = Mapping[str, OutputSpec]

START = Clock(0, 1, 1)
"""The beginning of a phase, when its optimizer is made."""


class Builder:
    """Makes components and asks them; what fails is raised."""

    def make(self, steps: KeyPath, kind: str, call: Callable[[], Any]) -> Any:
        """The component at ``steps``, made by ``call``; None where it cannot be had."""
        return call()

    def attempt(self, steps: KeyPath, call: Callable[[], T]) -> T | None:
        """The result of ``call``, which asks the component at ``steps``; None where it fails and that is noted."""
        return call()


@dataclass
class Assembly:
    """The components of a recipe, each made once, when it or what it is wired to is first asked for.

    ``labels``: data set -> what its labels are; of those that are not in it, what the data sets say before they open.
    """

    data: Mapping[str, Any]  # the recipe in its long form
    catalog: Catalog
    builder: Builder = field(default_factory=Builder)
    labels: dict[str, LabelSpec] = field(default_factory=dict)
    _made: dict[KeyPath, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, recipe: Recipe, catalog: Catalog, labels: Mapping[str, LabelSpec] | None = None) -> Self:
        """Of a checked recipe; a component that cannot be made is an error."""
        return cls(recipe.model_dump(mode="json"), catalog, labels=dict(labels or {}))

    @cached_property
    def sites(self) -> Mapping[KeyPath, str]:
        """Where components stand -> their kinds, in the order of the recipe's keys."""
        spots = (spot for spot in walk(shape_of(self.catalog.kinds), self.data) if isinstance(spot.mark, Uses))
        return {spot.steps: spot.mark.kind for spot in spots if isinstance(spot.value, Mapping)}

    def get(self, *steps: str | int) -> Any:
        """The component at an address; None if there is none, or it cannot be made."""
        if steps not in self._made:
            kind = self.sites.get(steps)
            wired = [] if kind is None else self.handed(steps, self.catalog.kinds[kind].wired)
            lacks = kind is None or any(value is None for value in wired)
            self._made[steps] = None if lacks else self.new(*steps, wired=wired)
        return self._made[steps]

    def new(self, *steps: str | int, wired: Sequence[Any]) -> Any:
        """Another component from what stands at an address, with something else wired in."""
        kind = self.sites[steps]
        # An optimizer's constructor takes numbers; before each step they are set anew.
        clock = START if kind == "optimizer" else None
        return self.builder.make(steps, kind, lambda: self.catalog.build(kind, self._spec(steps), *wired, clock=clock))

    def options(self, *steps: str | int) -> dict[str, Any]:
        """The options of the component at an address as its constructor takes them, with schedules made."""
        return self.catalog.arguments(self.sites[steps], self._spec(steps))

    def _spec(self, steps: KeyPath) -> dict[str, Any]:
        """The component at an address without the keys beside it that are the recipe's own."""
        reserved = self.catalog.kinds[self.sites[steps]].reserved
        return {name: value for name, value in self.at(*steps).items() if name not in reserved}

    def handed(self, steps: KeyPath, names: Sequence[str]) -> list[Any]:
        """What a component at an address is handed, see :data:`rankhub.interfaces.kinds.HANDED`; None if unknown."""
        return [_WIRES[name](self, steps) for name in names]

    def again(self) -> Self:
        """The same recipe, of which nothing is made yet."""
        return type(self)(self.data, self.catalog, self.builder, self.labels)

    def number(self, *steps: str | int) -> Any:
        """The number at an address, or the schedule that stands for one."""
        return self.get(*steps) if isinstance(self.at(*steps), Mapping) else self.at(*steps)

    def at(self, *steps: str | int) -> Any:
        """What stands at an address; None if nothing does."""
        return at(self.data, steps)

    def names(self, *steps: str | int) -> list[str]:
        """The keys of the mapping at an address."""
        return list(mapping_at(self.data, *steps))

    def addresses(self, *steps: str | int) -> list[KeyPath]:
        """The addresses of the items of the list at an address."""
        return [(*steps, number) for number in range(len(list_at(self.data, *steps)))]

    def listed(self, *steps: str | int) -> list[tuple[str, KeyPath]]:
        """The items of the list at an address, each with its label."""
        return list(zip(labels_of(list_at(self.data, *steps)), self.addresses(*steps), strict=True))

    def label(self, data: Any) -> LabelSpec | None:
        """What the labels of a data set are; None if that cannot be told."""
        if isinstance(data, str) and data not in self.labels:
            dataset: Dataset | None = self.get("data", data)
            return None if dataset is None else dataset.label
        return self.labels.get(data) if isinstance(data, str) else None

    def head_label(self, head: str) -> LabelSpec | None:
        """The labels of the first stream with labels that trains a head: of kind None without one; None if unknown."""
        used = dict.fromkeys(name for phase in self.addresses("phases") for name in self.names(*phase, "streams"))
        labels = [
            self.label(self.at("streams", name, "data"))
            for name in used
            if any(self.at(*address, "head") == head for address in self.addresses("streams", name, "objectives"))
        ]
        if None in labels:
            return None
        return next((label for label in labels if label is not None and label.kind is not None), LabelSpec())

    def features(self) -> FeatureSpec | None:
        """The shapes of the backbone's features; None if it could not be built."""
        backbone = self.get("backbone")
        return None if backbone is None else backbone.spec

    def outputs(self, head: Any) -> Outputs | None:
        """Output -> its kind and width, of a head; None if it could not be built."""
        made = self.get("heads", head) if isinstance(head, str) else None
        return None if made is None else self.builder.attempt(("heads", head), lambda: dict(made.outputs))

    def all_outputs(self) -> Outputs:
        """``HEAD.OUTPUT`` -> what it is, of the heads that could be made."""
        heads = {head: self.outputs(head) or {} for head in self.names("heads")}
        return {f"{head}.{name}": spec for head, outputs in heads.items() for name, spec in outputs.items()}

    def numbers(self) -> dict[str, float]:
        """``HEAD.OUTPUT`` that is one number a view -> one standardized unit of it; scores and counts come first."""
        kinds = [("score", "count"), ("pooled",)]
        return {name: spec.std for wanted in kinds for name, spec in self.all_outputs().items() if spec.kind in wanted}

    def used(self, objective: KeyPath) -> Outputs | None:
        """The outputs of its head that an objective uses: all, or the one that it names."""
        head, output = self.at(*objective, "head"), self.at(*objective, "output")
        outputs = self.outputs(head)
        if outputs is None:
            return None
        return self.builder.attempt((*objective, "output"), lambda: _chosen(head, output, outputs))

    def chain(self, stream: str) -> tuple[list[Generator], ViewSpec] | None:
        """The generator of a stream, step by step, and what it makes of one image."""
        steps: list[Generator] = []
        views = ViewSpec()
        for address in self.addresses("streams", stream, "generator"):
            steps.append(self.get(*address))
            plan = partial(plan_chain, steps, self.catalog.guards)
            planned = None if steps[-1] is None else self.builder.attempt(address, plan)
            if planned is None:
                return None
            views = planned
        return steps, views

    def streams(self) -> dict[str, StreamSpec]:
        """What the streams make of an image and train; one that could not be made is left out."""
        found: dict[str, StreamSpec] = {}
        for name in self.names("streams"):
            chain, addresses = self.chain(name), self.addresses("streams", name, "objectives")
            trained = [
                f"{self.at(*address, 'head')}.{output}" for address in addresses for output in self.used(address) or ()
            ]
            if chain is not None:
                found[name] = StreamSpec(chain[1], tuple(dict.fromkeys(trained)))
        return found


def _chosen(head: str, output: Any, outputs: Outputs) -> Outputs:
    if output is not None and output not in outputs:
        raise Objection(f"head {head!r} has no output {output!r}{suggestion(str(output), outputs)}")
    return outputs if output is None else {output: outputs[output]}


def plan_chain(generators: Sequence[Generator], guards: Sequence[Guard] = ()) -> ViewSpec:
    """What a whole chain makes of one image; an Objection where a step cannot take what comes to it."""
    views, device = ViewSpec(), False
    for generator in generators:
        if device and isinstance(generator, WorkerGenerator):
            raise Objection("steps on original pixels come before the steps on the device; move it up")
        device = device or isinstance(generator, DeviceGenerator)
        planned = generator.plan(views)
        for guard in guards:
            guard.planned(generator, planned)
        views = replace(planned, fewer=planned.fewer or views.fewer)
    return views


_WIRES: Mapping[str, Callable[[Assembly, KeyPath], Any]] = MappingProxyType(
    {
        "features": lambda assembly, steps: assembly.features(),
        "label": lambda assembly, steps: assembly.head_label(str(steps[-1])),
        "outputs": lambda assembly, steps: assembly.used(steps),
        # Groups to make an optimizer with before there is a network.
        "params": lambda assembly, steps: [
            {"params": [nn.Parameter(torch.zeros(2, 2))], "vector": False, "lr_scale": 1.0},
            {"params": [nn.Parameter(torch.zeros(2))], "vector": True, "lr_scale": 1.0},
        ],
        "streams": lambda assembly, steps: assembly.streams(),
        "numbers": lambda assembly, steps: assembly.numbers(),
    }
)
"""What a component can be handed, by the names that its kind's row has."""
