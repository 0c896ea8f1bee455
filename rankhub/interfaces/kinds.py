"""The core's kinds of components, and what a kind is.

The command line, the documentation, the recipe's schema and the checks are made from such rows. A plugin brings kinds
of its own by the hook ``rankhub_kinds``; :attr:`rankhub.Catalog.kinds` has all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rankhub.interfaces.component import check_record

HANDED: Mapping[str, str] = MappingProxyType(
    {
        "features": "FeatureSpec: width of the pooled features, channels and stride of the maps",
        "label": "LabelSpec of the labeled stream that trains this head; kind None without labels",
        "outputs": "name -> OutputSpec of the head's outputs that the objective uses",
        "params": "parameter groups; a group with `vector: True` holds biases and norm weights",
        "streams": "name -> StreamSpec: what each stream makes of an image, and which outputs it trains",
        "numbers": "HEAD.OUTPUT that is one number an image -> one standardized unit; scores and counts come first",
    }
)
"""What components can be handed, and what it is."""

ANYWHERE = ("features", "streams", "numbers")
"""Of these what does not depend on the place in the recipe: components of a plugin's kind can be handed them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of component; a ValueError where a name is not of its form.

    Attributes:
        name: What stands in :class:`~rankhub.interfaces.component.Component`.
        summary: One line that says what such a component does.
        protocol: ``"module:attribute"`` of the class that a component of this kind derives from.
        address: Where a recipe names one, with ``*`` for a name and ``[]`` for a list's item; "" = nowhere. That of a
            plugin's kind is ``NAME``, ``NAME[]`` or ``NAME.*``, which becomes a key at the recipe's top.
        wired: The positional-only parameters that the engine hands to the constructor, in order, see :data:`HANDED`.
        told: What the protocol's method ``check`` is handed, in order, once nothing else is wrong with a recipe that
            names the component; it returns sentences of what is wrong with that. Empty: it is not asked.
        reserved: Keys that stand beside ``use`` and are the recipe's own; no constructor may have such an option.
    """

    name: str
    summary: str
    protocol: str
    address: str = ""
    wired: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_record("kind", self.name, self.protocol)


def _kind(name: str, summary: str, module: str, address: str, *wired: str, reserved: tuple[str, ...] = ()) -> Kind:
    protocol = f"rankhub.interfaces.{module}:{name.capitalize()}"
    return Kind(name, summary, protocol, address, wired, reserved=reserved)


_ROWS = (
    _kind("dataset", "Images, with labels or without.", "data", "data.*"),
    _kind("generator", "One step from an image to its views and their order.", "generator", "streams.*.generator[]"),
    _kind("backbone", "Images to features.", "model", "backbone"),
    _kind("head", "Features to named outputs.", "model", "heads.*", "features", "label"),
    _kind(
        "loss",
        "Outputs and their order to a number.",
        "loss",
        "streams.*.objectives[]",
        "outputs",
        reserved=("head", "output", "weight"),
    ),
    _kind("optimizer", "Gradients to a step.", "optim", "optimizer", "params"),
    _kind("schedule", "A number that changes in training.", "schedule", "schedule"),
    _kind("predict", "How one image becomes one answer at test time.", "predict", "predict"),
    _kind(
        "evaluator",
        "Features or predictions to metrics, tables and pictures.",
        "evaluate",
        "evaluate[]",
        reserved=("optional", "during_training"),
    ),
    _kind("callback", "Watches a run; may ask to stop, save or evaluate.", "callback", "callbacks[]"),
)

KINDS: Mapping[str, Kind] = MappingProxyType({row.name: row for row in _ROWS})
