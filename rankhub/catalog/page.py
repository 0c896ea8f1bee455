"""What there is to say of a component: a record for programs, a page for people."""

from __future__ import annotations

from dataclasses import dataclass

from rankhub.catalog.catalog import Catalog, Entry
from rankhub.interfaces.kinds import KINDS, Wired


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
class ComponentInfo:
    """A component in a list, with its plugin and the version of the plugin's distribution.

    ``name`` is what a recipe writes after ``use:``: ``owner/name`` where two plugins give one of that name.
    """

    kind: str
    name: str
    owner: str
    version: str
    summary: str


@dataclass(frozen=True, slots=True)
class ComponentPage:
    """All that a recipe's author needs to know of a component.

    Attributes:
        info: Its line in lists.
        text: Its docstring without the options.
        options: What a recipe may write beside ``use``.
        wired: What the engine hands to it.
        place: Where a recipe names one.
        target: ``module:attribute`` of its class.
    """

    info: ComponentInfo
    text: str
    options: tuple[OptionInfo, ...]
    wired: tuple[Wired, ...]
    place: str
    target: str


def info_of(catalog: Catalog, entry: Entry) -> ComponentInfo:
    """A component's line."""
    component = entry.component
    clashes = (component.kind, component.name) in catalog.clashes()
    name = entry.full_name if clashes else component.name
    return ComponentInfo(component.kind, name, entry.owner, entry.version, component.summary)


def page_of(catalog: Catalog, kind: str, name: str) -> ComponentPage:
    """A component's page. Imports the component; CatalogError if there is none, or it cannot be imported."""
    from rankhub.catalog.complaints import show
    from rankhub.catalog.docs import docs_of
    from rankhub.catalog.hints import fields_of, words

    entry = catalog.find(kind, name)
    cls, model = catalog.load(entry), catalog.options(entry)
    hints = fields_of(model) or {}
    options = []
    for attribute, field in model.model_fields.items():
        own = field.alias or attribute
        default = None if field.is_required() else show(field.default)
        options.append(OptionInfo(own, words(hints[own]), default, field.description or ""))
    row = KINDS[kind]
    info = info_of(catalog, entry)
    return ComponentPage(info, docs_of(cls).body, tuple(options), row.wired, row.place, entry.component.target)
