"""The one table of every kind of component.

The command line, the documentation, the recipe's schema and the checks are made from it. A new kind is a
new row here, its protocol beside it, and its address in the recipe.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Wired:
    """A positional-only constructor parameter that the engine fills in, the same for all of a kind."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of component.

    Attributes:
        name: What stands in :class:`~rankhub.interfaces.component.Component`.
        summary: One line that says what such a component does.
        protocol: ``"module:attribute"`` of the class that a component of this kind derives from.
        wired: The positional-only parameters that the engine hands to the constructor, in order.
        address: Where a recipe names one, with ``*`` for a name and ``[]`` for a list's item. A place at the
            recipe's top that its schema does not know (``NAME``, ``NAME[]``, ``NAME.*``) becomes a key of it.
        reserved: Keys that stand beside ``use`` and are the recipe's own; no constructor may have such an option.
    """

    name: str
    summary: str
    protocol: str
    wired: tuple[Wired, ...]
    address: str
    reserved: tuple[str, ...] = ()


def _kind(name: str, summary: str, protocol: str, address: str, *wired: Wired, reserved: tuple[str, ...] = ()) -> Kind:
    return Kind(name, summary, f"rankhub.interfaces.{protocol}", wired, address, reserved)


_FEATURES = Wired("features", "FeatureSpec: width of the pooled features, channels and stride of the maps")
_LABEL = Wired("label", "LabelSpec of the labeled stream that trains this head; kind None without labels")
_OUTPUTS = Wired("outputs", "name -> OutputSpec of the head's outputs that the objective uses")
_PARAMS = Wired("params", "parameter groups; a group with `vector: True` holds biases and norm weights")

_ROWS = (
    _kind("dataset", "Images, with labels or without.", "data:Dataset", "data.*"),
    _kind(
        "generator",
        "One step from an image to its views and their order.",
        "generator:Generator",
        "streams.*.generator[]",
    ),
    _kind("backbone", "Images to features.", "model:Backbone", "backbone"),
    _kind("head", "Features to named outputs.", "model:Head", "heads.*", _FEATURES, _LABEL),
    _kind(
        "loss",
        "Outputs and their order to a number.",
        "loss:Loss",
        "streams.*.objectives[]",
        _OUTPUTS,
        reserved=("head", "output", "weight"),
    ),
    _kind("optimizer", "Gradients to a step.", "optim:Optimizer", "optimizer", _PARAMS),
    _kind("schedule", "A number that changes in training.", "schedule:Schedule", "schedule"),
    _kind("predict", "How one image becomes one answer at test time.", "predict:Predict", "predict"),
    _kind(
        "evaluator",
        "Features or predictions to metrics, tables and pictures.",
        "evaluate:Evaluator",
        "evaluate[]",
        reserved=("optional", "during_training"),
    ),
    _kind("acquirer", "Which images of a pool to label next.", "acquire:Acquirer", "acquire"),
    _kind("callback", "Watches a run; may ask to stop, save or evaluate.", "callback:Callback", "callbacks[]"),
)

KINDS: Mapping[str, Kind] = MappingProxyType({row.name: row for row in _ROWS})
