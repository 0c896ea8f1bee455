"""Asks each plugin alone what it brings, so that one cannot spoil another.

pluggy stops a call at the first exception, so every plugin gets a manager of its own. What goes wrong is
a value (:class:`BrokenPlugin`), not an exception: the other plugins work, and the list of plugins shows the
reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from pluggy import HookRelay, PluginManager

from rankhub.catalog import hookspecs
from rankhub.catalog.markers import PROJECT
from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.component import API_VERSION, Component
from rankhub.interfaces.kinds import KINDS

GROUP = "rankhub.plugins"
"""The entry-point group, for official plugins and for everybody else's."""


@dataclass(frozen=True, slots=True)
class Source:
    """A plugin that has not been loaded yet.

    Attributes:
        owner: Name of the entry point: what a recipe writes before the slash in ``owner/name``.
        distribution: The installed package that the plugin came with.
        version: Version of that package.
        load: Imports and returns the plugin's module.
    """

    owner: str
    distribution: str
    version: str
    load: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that works.

    Attributes:
        owner: Name of the entry point.
        distribution: The installed package that it came with.
        version: Version of that package.
        components: What it brings.
        hooks: Calls the hooks of this plugin and of no other.
    """

    owner: str
    distribution: str
    version: str
    components: tuple[Component, ...]
    hooks: HookRelay


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that cannot be used, and why: one sentence without its owner's name."""

    owner: str
    distribution: str
    version: str
    reason: str


def installed() -> list[Source]:
    """Every installed plugin, in the order of their names. Imports none of them."""
    sources: dict[tuple[str, str], Source] = {}
    for point in entry_points(group=GROUP):
        # The same plugin seen twice (two folders on the path) is one plugin.
        sources.setdefault((point.name, point.value), _source(point))
    return [sources[key] for key in sorted(sources)]


def _source(point: EntryPoint) -> Source:
    distribution = point.dist
    name, version = (distribution.name, distribution.version) if distribution else ("unknown", "unknown")
    return Source(point.name, name, version, point.load)


def ask_all(sources: Iterable[Source]) -> Iterator[Plugin | BrokenPlugin]:
    """Each plugin's answer. Two of one name are both broken, since ``owner/name`` could not tell them apart."""
    listed = list(sources)
    for source in listed:
        others = [other.distribution for other in listed if other.owner == source.owner and other is not source]
        if others:
            reason = f"another plugin has the name {source.owner!r} too (of {', '.join(others)}); uninstall one of them"
            yield BrokenPlugin(source.owner, source.distribution, source.version, reason)
        else:
            yield ask(source)


def ask(source: Source) -> Plugin | BrokenPlugin:
    """Load one plugin and ask it for its components."""
    facts = (source.owner, source.distribution, source.version)
    try:
        module = source.load()
    except (Exception, SystemExit) as error:
        return BrokenPlugin(*facts, f"it cannot be imported: {brief(error)}")
    try:
        wanted = getattr(module, "RANKHUB_API", 1)
        if wanted != API_VERSION:
            return BrokenPlugin(
                *facts,
                f"it asks for version {wanted!r} of the plugin interface, this rankhub has version {API_VERSION}; "
                "install releases of both that fit",
            )
        hooks = _register(module, source.owner)
        components = _components(hooks)
    except _Rubbish as error:
        return BrokenPlugin(*facts, str(error))
    except (Exception, SystemExit) as error:
        return BrokenPlugin(*facts, f"it fails when asked for its components: {brief(error)}")
    return Plugin(*facts, components, hooks)


def brief(error: BaseException) -> str:
    """An exception in one line: its type and the first line of its text."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


class _Rubbish(Exception):
    """What a plugin answered is no list of components; the text is the reason."""


def _register(module: object, owner: str) -> HookRelay:
    manager = PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, owner)
    manager.check_pending()  # a misspelled hook would otherwise be passed over in silence
    if not manager.get_hookcallers(module):
        raise _Rubbish("it answers no hook; mark its function `rankhub_components` with @rankhub.hookimpl")
    return manager.hook


def _components(hooks: HookRelay) -> tuple[Component, ...]:
    if not hooks.rankhub_components.get_hookimpls():
        return ()
    answers = hooks.rankhub_components()
    if not answers:
        raise _Rubbish("its rankhub_components returned None, not a list of rankhub.Component")
    answer = answers[0]
    if not isinstance(answer, Iterable):
        raise _Rubbish(f"its rankhub_components returned {answer!r}, not a list of rankhub.Component")
    seen: dict[tuple[str, str], Component] = {}
    for component in answer:
        if not isinstance(component, Component):
            raise _Rubbish(f"its rankhub_components returned {component!r}, which is no rankhub.Component")
        if component.kind not in KINDS:
            unknown = f"its component {component.name!r} is of the unknown kind {component.kind!r}"
            raise _Rubbish(unknown + suggestion(component.kind, KINDS))
        if (component.kind, component.name) in seen:
            raise _Rubbish(f"it names two components of kind {component.kind} {component.name!r}")
        seen[component.kind, component.name] = component
    return tuple(seen.values())
