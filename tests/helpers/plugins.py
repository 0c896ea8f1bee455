"""Makes plugins on the spot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import rankhub
from rankhub import Component, Verb
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.discovery import PluginSource, ask_all


def plugin(
    *components: Component,
    verbs: Sequence[Any] | None = None,
    recipes: Sequence[Any] | None = None,
    kinds: Sequence[Any] | None = None,
    **attributes: Any,
) -> SimpleNamespace:
    """An object that answers the hooks, with further attributes as a module may have them."""

    @rankhub.hookimpl
    def rankhub_components():
        return list(components)

    @rankhub.hookimpl
    def rankhub_verbs():
        return verbs

    @rankhub.hookimpl
    def rankhub_recipes():
        return recipes

    @rankhub.hookimpl
    def rankhub_kinds():
        return kinds

    hooks = {"rankhub_components": rankhub_components}
    hooks |= {} if verbs is None else {"rankhub_verbs": rankhub_verbs}
    hooks |= {} if recipes is None else {"rankhub_recipes": rankhub_recipes}
    hooks |= {} if kinds is None else {"rankhub_kinds": rankhub_kinds}
    return SimpleNamespace(**hooks, **attributes)


def component(name: str, target: str = "helpers.fakes:Pull", kind: str = "loss") -> Component:
    """A component record; by default a loss that can be loaded."""
    return Component(kind, name, target, f"The {kind} {name}.")


def verb(name: str, target: str = "helpers.plugins:spoken") -> Verb:
    """A verb record; by default one that can be called."""
    return Verb(name, target, f"The verb {name}.")


def spoken(word: str = "nothing") -> None:
    """Say a word."""
    print(f"spoken: {word}")


def catalog_of(*plugins: tuple[str, str, object]) -> Catalog:
    """A catalog of plugins that came with distributions: (owner, distribution, plugin)."""

    def give(one: object) -> Any:
        return lambda: one

    return Catalog(ask_all(PluginSource(owner, distribution, "1", give(one)) for owner, distribution, one in plugins))


def renamed(catalog: Catalog, names: Mapping[tuple[str, str], str]) -> Catalog:
    """The same catalog with other names: (kind, name) -> new name. Shows that nobody relies on a name."""

    def rename(component: Component) -> Component:
        return replace(component, name=names.get((component.kind, component.name), component.name))

    answers = [replace(plugin, components=tuple(map(rename, plugin.components))) for plugin in catalog.plugins]
    return Catalog([*answers, *catalog.broken])


def package(folder: Path, name: str, files: Mapping[str, str], code: str = "") -> str:
    """A package on disk that holds files; its name, to be found once ``folder`` is on the path."""
    for path, text in {"__init__.py": code, **files}.items():
        file = folder / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return name


def sources_of(*plugins: tuple[str, Any]) -> Iterable[PluginSource]:
    """Plugins that are loaded by calling what stands beside their names."""
    return [PluginSource(owner, f"{owner}-dist", "1", load) for owner, load in plugins]
