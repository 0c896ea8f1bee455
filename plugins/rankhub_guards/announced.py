"""What a component says of itself, against its contract: before anything relies on it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, get_args

from rankhub import suggestion
from rankhub.interfaces.data import LabelKind, LabelSpec
from rankhub.interfaces.errors import ComponentError
from rankhub.interfaces.generator import Generator, Levels, ViewSpec
from rankhub.interfaces.guard import Guard
from rankhub.interfaces.kinds import Kind
from rankhub.interfaces.loss import Scope
from rankhub.interfaces.model import FeatureSpec, OutputKind, OutputSpec

_NEAR = 0.85
"""How alike a method's name and one of the contract must be to take the first for a misspelled second."""


def _methods(kind: Kind, cls: type) -> Iterator[str]:
    """A method that looks like one of the contract and is never called, such as ``after_steps``."""
    module, _, name = kind.protocol.partition(":")
    protocol = getattr(import_module(module), name)
    package = cls.__module__.partition(".")[0]
    # A base of another package, such as one for trackers, has a contract of its own.
    offered = [base for base in cls.__mro__ if issubclass(base, protocol) and base.__module__.split(".")[0] != package]
    named = [*dir(protocol), *(name for base in offered for name in vars(base))]
    known = [one for one in dict.fromkeys(named) if not one.startswith("_")]
    bases = [base for base in cls.__mro__ if not base.__module__.startswith(("rankhub.interfaces", "torch.", "abc"))]
    for own in dict.fromkeys(key for base in bases for key, value in vars(base).items() if callable(value)):
        if own.startswith("_") or own in known:
            continue
        # Whatever a callback does it does because it is told; other components may be asked by their own plugin.
        if kind.name == "callback" or difflib.get_close_matches(own.lower(), known, 1, _NEAR):
            yield f"has a method {own!r} that nothing calls{suggestion(own, known)}"


def _nothing(component: Any) -> Iterator[str]:
    yield from ()


def _dataset(data: Any) -> Iterator[str]:
    label = data.label
    if not isinstance(label, LabelSpec):
        yield f"has the label {label!r}, it must be a LabelSpec"
    elif label.kind not in (None, *get_args(LabelKind)):
        yield f"has labels of kind {label.kind!r}, it must be one of {', '.join(get_args(LabelKind))}, or None"
    elif not (math.isfinite(label.mean) and 0 < label.std < math.inf):
        yield f"has labels of mean {label.mean} and std {label.std}, they must be finite and std above 0"


def _backbone(backbone: Any) -> Iterator[str]:
    spec = getattr(backbone, "spec", None)
    if not isinstance(spec, FeatureSpec):
        yield f"has the spec {spec!r}, it must be a FeatureSpec"
    elif spec.width < 1 or min(spec.map_channels, spec.map_stride) < 0:
        yield f"announces {spec}, its width must be at least 1 and nothing below 0"


def _head(head: Any) -> Iterator[str]:
    outputs = head.outputs
    if not isinstance(outputs, Mapping) or not outputs:
        yield f"announces the outputs {outputs!r}, they must be a mapping with at least one"
        return
    for name, spec in outputs.items():
        if not isinstance(spec, OutputSpec) or spec.kind not in get_args(OutputKind):
            kinds = ", ".join(get_args(OutputKind))
            yield f"announces its output {name!r} as {spec!r}, it must be an OutputSpec of a kind among {kinds}"
        elif spec.dim < 1 or not (math.isfinite(spec.mean) and 0 < spec.std < math.inf):
            yield f"announces its output {name!r} as {spec}, dim must be at least 1, std finite and above 0"


def _loss(loss: Any) -> Iterator[str]:
    scope = getattr(loss, "scope", None)
    if scope not in get_args(Scope):
        yield f"announces the scope {scope!r}, it must be one of {', '.join(get_args(Scope))}"
    elif loss.per_query and scope != "batch":
        yield f"is per_query with the scope {scope!r}, only one of scope 'batch' can be"


def _evaluator(evaluator: Any) -> Iterator[str]:
    names = evaluator.headline()
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        yield f"has the headline {names!r}, it must be a list of at least one name"
    elif isinstance(evaluator.lower_is_better, str):
        yield f"has lower_is_better {evaluator.lower_is_better!r}, it must be a set of names"


_SAYS: Mapping[str, Callable[[Any], Iterator[str]]] = MappingProxyType(
    {
        "dataset": _dataset,
        "backbone": _backbone,
        "head": _head,
        "loss": _loss,
        "evaluator": _evaluator,
    }
)


class Announcements(Guard):
    """Looks at what components say of themselves."""

    def made(self, kind: Kind, component: Any) -> None:
        """It says of itself what the contract of its kind asks for."""
        for said in (*_methods(kind, type(component)), *_SAYS.get(kind.name, _nothing)(component)):
            raise ComponentError(component, said)

    def planned(self, generator: Generator, views: Any) -> None:
        """What it plans to make of an image is possible."""
        if not isinstance(views, ViewSpec):
            raise ComponentError(generator, f"plans {views!r}, it must be a ViewSpec")
        counts, kinds, levels = [count for count, _ in views.sizes] or [0], len(views.kinds), get_args(Levels)
        wrong = {
            f"{views.views} views, it must be at least 1": views.views < 1,
            f"{views.groups} groups, it must be at least 1": views.groups < 1,
            f"levels {views.levels!r}, they must be one of {', '.join(levels)}": views.levels not in levels,
            f"stacks of {counts} views, together they must be {views.views}": sum(counts) != views.views
            or min(counts) < 1,
            f"{kinds} names of kinds for {views.groups} groups": kinds not in (0, views.groups),
        }
        for text in (text for text, found in wrong.items() if found):
            raise ComponentError(generator, f"plans {text}")
