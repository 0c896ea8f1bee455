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


_ROWS = (
    Kind("dataset", "Images, with labels or without.", "rankhub.interfaces.data:Dataset", (), "data.*"),
    Kind(
        "generator",
        "One step from an image to its views and their order.",
        "rankhub.interfaces.generator:Generator",
        (),
        "streams.*.generator[]",
    ),
    Kind("backbone", "Images to features.", "rankhub.interfaces.model:Backbone", (), "backbone"),
    Kind(
        "head",
        "Features to named outputs.",
        "rankhub.interfaces.model:Head",
        (
            Wired("features", "FeatureSpec: width of the pooled features, channels and stride of the maps"),
            Wired("label", "LabelSpec of the labeled stream that trains this head; kind None without labels"),
        ),
        "heads.*",
    ),
    Kind(
        "loss",
        "Outputs and their order to a number.",
        "rankhub.interfaces.loss:Loss",
        (Wired("outputs", "name -> OutputSpec of the head's outputs that the objective uses"),),
        "streams.*.objectives[]",
        reserved=("head", "output", "weight"),
    ),
    Kind(
        "optimizer",
        "Gradients to a step.",
        "rankhub.interfaces.optim:Optimizer",
        (Wired("params", "parameter groups; a group with `vector: True` holds biases and norm weights"),),
        "optimizer",
    ),
    Kind("schedule", "A number that changes in training.", "rankhub.interfaces.schedule:Schedule", (), "schedule"),
    Kind(
        "predict", "How one image becomes one answer at test time.", "rankhub.interfaces.predict:Predict", (), "predict"
    ),
    Kind(
        "evaluator",
        "Features or predictions to metrics, tables and pictures.",
        "rankhub.interfaces.evaluate:Evaluator",
        (),
        "evaluate[]",
        reserved=("optional", "during_training"),
    ),
    Kind("acquirer", "Which images of a pool to label next.", "rankhub.interfaces.acquire:Acquirer", (), "acquire"),
    Kind(
        "callback",
        "Watches a run; may ask to stop, save or evaluate.",
        "rankhub.interfaces.callback:Callback",
        (),
        "callbacks[]",
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({row.name: row for row in _ROWS})
