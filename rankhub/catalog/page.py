"""The description of a component: its text, options and what the engine passes to it."""

from collections.abc import Mapping
from dataclasses import dataclass

from rankhub.catalog.catalog import Catalog, ComponentInfo
from rankhub.interfaces.kinds import HANDED


@dataclass(frozen=True, slots=True)
class OptionInfo:
    """One option of a component: what it takes, in words, and its default as a recipe would write it.

    Without a default it must be given.
    """

    name: str
    takes: str
    default: str | None
    meaning: str


@dataclass(frozen=True, slots=True)
class ComponentPage:
    """All that a recipe's author needs to know of a component.

    Attributes:
        info: Its line in lists.
        text: Its docstring without the options.
        options: What a recipe may write beside ``use``.
        wired: What the engine hands to it: name -> what that is.
        address: Where a recipe names one; "" if none does.
        target: ``module:attribute`` of its class.
    """

    info: ComponentInfo
    text: str
    options: tuple[OptionInfo, ...]
    wired: Mapping[str, str]
    address: str
    target: str


def describe(kind: str, name: str, catalog: Catalog | None = None) -> ComponentPage:
    """A component with its options, read from the component itself.

    Raises:
        UserError: There is no such component, or it cannot be imported.
    """
    from rankhub.catalog.complaints import show
    from rankhub.catalog.hints import fields_of, words
    from rankhub.catalog.options import docs_of

    catalog = catalog or Catalog.discover()
    entry = catalog.find(kind, name)
    cls, model = catalog.load(entry), catalog.options(entry)
    hints = fields_of(model) or {}
    options = []
    for attribute, field in model.model_fields.items():
        own = field.alias or attribute
        default = None if field.is_required() else show(field.default)
        options.append(OptionInfo(own, words(hints[own]), default, field.description or ""))
    row = catalog.kinds[kind]
    wired = {name: HANDED[name] for name in row.wired}
    return ComponentPage(entry, docs_of(cls).body, tuple(options), wired, row.address, entry.component.target)
