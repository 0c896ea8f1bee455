"""Asks each plugin alone what it brings, so that one cannot spoil another.

pluggy stops a call at the first exception, so every plugin gets a manager of its own. What goes wrong is a value
(:class:`BrokenPlugin`), not an exception: the other plugins work, and the list of plugins shows the reason.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.util import find_spec
from typing import TypeVar

from pluggy import HookCaller, HookRelay, PluginManager

from rankhub.catalog import hookspecs
from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.component import API_VERSION, Component, Verb
from rankhub.interfaces.kinds import KINDS

T = TypeVar("T")

GROUP = "rankhub.plugins"
"""The entry-point group, for official plugins and for everybody else's."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something comes from.

    Attributes:
        owner: The plugin, by its entry point: what a recipe writes before the slash in ``owner/name``.
        distribution: The installed package that the plugin came with.
        version: Version of that package.
    """

    owner: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class PluginSource(Origin):
    """A plugin that has not been loaded yet, and what imports and returns its module."""

    load: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Plugin(Origin):
    """A plugin that works: what it brings, and what calls the hooks of this plugin and of no other.

    ``recipes`` are the packages that hold them.
    """

    components: tuple[Component, ...]
    verbs: tuple[Verb, ...]
    recipes: tuple[str, ...]
    hooks: HookRelay


@dataclass(frozen=True, slots=True)
class BrokenPlugin(Origin):
    """A plugin that cannot be used, and why: one sentence without its owner's name."""

    reason: str


def installed() -> list[PluginSource]:
    """Every installed plugin, in the order of their names. Imports none of them."""
    # The same plugin seen twice (two folders on the path) is one plugin.
    points: dict[tuple[str, str], EntryPoint] = {}
    for point in entry_points(group=GROUP):
        points.setdefault((point.name, point.value), point)
    facts: dict[Distribution | None, tuple[str, str]] = {None: ("unknown", "unknown")}
    sources = []
    for _, point in sorted(points.items()):
        if point.dist is not None and point.dist not in facts:  # reading them takes longer than all else here
            known = point.dist.metadata
            facts[point.dist] = (known["Name"], known["Version"])
        sources.append(PluginSource(point.name, *facts[point.dist], point.load))
    return sources


def ask_all(sources: Iterable[PluginSource]) -> Iterator[Plugin | BrokenPlugin]:
    """Each plugin's answer. Two of one name are both broken, since ``owner/name`` could not tell them apart."""
    listed = list(sources)
    for source in listed:
        others = [other.distribution for other in listed if other.owner == source.owner and other is not source]
        if others:
            reason = f"another plugin has the name {source.owner!r} too (of {', '.join(others)}); uninstall one of them"
            yield BrokenPlugin(source.owner, source.distribution, source.version, reason)
        else:
            yield ask(source)


def ask(source: PluginSource) -> Plugin | BrokenPlugin:
    """Load one plugin and ask it what it brings."""
    facts = (source.owner, source.distribution, source.version)
    try:
        module = source.load()
    except (Exception, SystemExit) as error:
        return BrokenPlugin(*facts, f"it cannot be imported: {brief(error)}")
    try:
        wanted = getattr(module, "RANKHUB_API", 1)
        if wanted != API_VERSION:
            raise InvalidAnswer(
                f"it asks for version {wanted!r} of the plugin interface, this rankhub has version {API_VERSION}; "
                "install releases of both that fit"
            )
        hooks = _register(module, source.owner)
        return Plugin(*facts, _components(hooks), _verbs(hooks), _recipes(hooks), hooks)
    except InvalidAnswer as error:
        return BrokenPlugin(*facts, str(error))
    except (Exception, SystemExit) as error:
        return BrokenPlugin(*facts, f"it fails when asked what it brings: {brief(error)}")


def brief(error: BaseException) -> str:
    """An exception in one line: its type and the first line of its text."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


class InvalidAnswer(Exception):
    """A plugin answered a hook with something else than the hook asks for; the text is the reason."""


def _register(module: object, owner: str) -> HookRelay:
    manager = PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, owner)
    manager.check_pending()  # a misspelled hook would otherwise be passed over in silence
    if not manager.get_hookcallers(module):
        raise InvalidAnswer("it answers no hook; mark its function `rankhub_components` with @rankhub.hookimpl")
    return manager.hook


def _answers(hook: HookCaller, record: type[T], wanted: str) -> tuple[T, ...]:
    """What a plugin answers to one hook; nothing if it does not have it."""
    if not hook.get_hookimpls():
        return ()
    answer = next(iter(hook()), None)  # pluggy leaves None out
    if not isinstance(answer, Iterable) or isinstance(answer, str):
        raise InvalidAnswer(f"its {hook.name} returned {answer!r}, not a {wanted}")
    listed = tuple(answer)
    for item in listed:
        if not isinstance(item, record):
            raise InvalidAnswer(f"its {hook.name} returned {item!r} in place of an item of a {wanted}")
    return listed


def _components(hooks: HookRelay) -> tuple[Component, ...]:
    components = _answers(hooks.rankhub_components, Component, "list of rankhub.Component")
    for component in components:
        if component.kind not in KINDS:
            unknown = f"its component {component.name!r} is of the unknown kind {component.kind!r}"
            raise InvalidAnswer(unknown + suggestion(component.kind, KINDS))
    _refuse_twice(f"components of kind {component.kind} {component.name!r}" for component in components)
    return components


def _recipes(hooks: HookRelay) -> tuple[str, ...]:
    packages = _answers(hooks.rankhub_recipes, str, "list of package names")
    for package in packages:
        if not folders_of(package):
            raise InvalidAnswer(f"its rankhub_recipes names {package!r}, which is no package")
    return packages


def folders_of(package: str) -> list[str]:
    """Where the files of a package are, which is not imported; empty if it is none."""
    spec = find_spec(package)
    return [] if spec is None else list(spec.submodule_search_locations or ())


def _verbs(hooks: HookRelay) -> tuple[Verb, ...]:
    verbs = _answers(hooks.rankhub_verbs, Verb, "list of rankhub.Verb")
    _refuse_twice(f"verbs {verb.name!r}" for verb in verbs)
    return verbs


def _refuse_twice(names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise InvalidAnswer(f"it names two {name}")
