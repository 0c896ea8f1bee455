"""Asks each plugin alone what it brings, so that one cannot spoil another.

pluggy stops a call at the first exception, so every plugin gets a manager of its own. What goes wrong is a value
(:class:`BrokenPlugin`), not an exception: the other plugins work, and the list of plugins shows the reason.
"""

import re
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

from pluggy import HookCaller, HookRelay, PluginManager

from rankhub.catalog import hookspecs
from rankhub.interfaces.component import API_VERSION, Component, Verb
from rankhub.interfaces.errors import brief
from rankhub.interfaces.kinds import ANYWHERE, Kind

T = TypeVar("T")

GROUP = "rankhub.plugins"
"""The entry-point group, for official plugins and for everybody else's."""

ASKERS = "rankhub.askers"
"""The entry-point group of what asks the installed plugins, in place of plainly: the first by name does.

It names a function ``(sources, ask, check) -> answers``, one for each source. It is handed every :class:`PluginSource`,
what asks one of them and raises nothing but KeyboardInterrupt, and whether each is to be tried by itself before.
"""

OWN = "rankhub"
"""The distribution of the core, and of the plugins that come along with it."""

MOST = 10_000
"""Items that a plugin may answer to a hook, which an endless answer exceeds."""

TOP = re.compile(r"(\w+)(\[\]|\.\*)?")
"""A place at a recipe's top: its key, and whether there is a list of components or a mapping from names to them."""

STRAYS: list[threading.Thread] = []
"""Threads that plugins started when they were imported: they would keep the program from ending."""


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

    @property
    def official(self) -> bool:
        """Whether it comes along with rankhub."""
        return self.distribution == OWN


@dataclass(frozen=True, slots=True)
class PluginSource(Origin):
    """A plugin that has not been loaded yet, and what imports and returns its module."""

    load: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Plugin(Origin):
    """A plugin that works: what it brings, and what calls the hooks of this plugin and of no other.

    ``recipes`` are the packages that hold them.
    """

    kinds: tuple[Kind, ...]
    components: tuple[Component, ...]
    verbs: tuple[Verb, ...]
    recipes: tuple[str, ...]
    hooks: HookRelay

    @property
    def recipe_folders(self) -> list[Path]:
        """The folders of the recipes that it brings."""
        return [Path(folder) for package in self.recipes for folder in folders_of(package)]


@dataclass(frozen=True, slots=True)
class BrokenPlugin(Origin):
    """A plugin that cannot be used, and why: one sentence without its owner's name. ``off``: the user wants it so."""

    reason: str
    off: bool = False


def installed(group: Iterable[EntryPoint] | None = None) -> list[PluginSource]:
    """Every installed plugin, in the order of their names. Imports none of them. ``group``: those of :data:`GROUP`."""
    # The same plugin seen twice (two folders on the path) is one plugin.
    points: dict[tuple[str, str], EntryPoint] = {}
    for point in entry_points(group=GROUP) if group is None else group:
        points.setdefault((point.name, point.value), point)
    facts: dict[Distribution | None, tuple[str, str]] = {None: ("unknown", "unknown")}
    sources = []
    for _, point in sorted(points.items()):
        if point.dist is not None and point.dist not in facts:  # reading them takes longer than all else here
            known = point.dist.metadata
            facts[point.dist] = (known["Name"], known["Version"])
        sources.append(PluginSource(point.name, *facts[point.dist], point.load))
    return sources


def ask_installed(check: bool = False) -> Iterable[Plugin | BrokenPlugin]:
    """Every installed plugin's answer, asked as :data:`ASKERS` says; ``check``: after a trial of each by itself."""
    points = entry_points()
    sources = installed(points.select(group=GROUP))
    for point in sorted(points.select(group=ASKERS))[:1]:
        try:
            asker = guarded(point.load)
        except PluginFailure as error:
            warnings.warn(f"{point.value} asks no plugins, so they are asked plainly: {error}", RuntimeWarning, 2)
        else:
            return cast("Iterable[Plugin | BrokenPlugin]", asker(sources, partial(_ask_among, sources), check))
    return ask_all(sources)


def ask_all(sources: Iterable[PluginSource]) -> Iterator[Plugin | BrokenPlugin]:
    """Each plugin's answer. Two of one name are both broken, since ``owner/name`` could not tell them apart."""
    listed = list(sources)
    return map(partial(_ask_among, listed), listed)


def _ask_among(listed: Sequence[PluginSource], source: PluginSource) -> Plugin | BrokenPlugin:
    others = [other.distribution for other in listed if other.owner == source.owner and other is not source]
    if others:
        reason = f"another plugin has the name {source.owner!r} too (of {', '.join(others)}); uninstall one of them"
        return BrokenPlugin(source.owner, source.distribution, source.version, reason)
    return ask(source)


def ask(source: PluginSource) -> Plugin | BrokenPlugin:
    """Load one plugin and ask it what it brings."""
    facts = (source.owner, source.distribution, source.version)
    doing, before = "it cannot be imported", {*threading.enumerate()}
    try:
        module = guarded(source.load)
        doing = "it fails when asked what it brings"
        answer = guarded(lambda: _answered(module, facts))
    except InvalidAnswer as error:
        return BrokenPlugin(*facts, str(error))
    except PluginFailure as error:
        return BrokenPlugin(*facts, f"{doing}: {error}")
    started = [thread for thread in {*threading.enumerate()} - before if not thread.daemon]
    for thread in started:
        thread.join(0.1)
    STRAYS.extend(going := [thread for thread in started if thread.is_alive()])
    if going:
        return BrokenPlugin(*facts, f"its import starts a thread that does not end ({going[0].name})")
    return answer


def _answered(module: object, facts: tuple[str, str, str]) -> Plugin:
    wanted = getattr(module, "RANKHUB_API", 1)
    if wanted != API_VERSION:
        raise InvalidAnswer(
            f"it asks for version {wanted!r} of the plugin interface, this rankhub has version {API_VERSION}; "
            "install releases of both that fit"
        )
    hooks = _register(module, facts[0])
    components = _differing(
        hooks.rankhub_components, Component, "rankhub.Component", "components of kind {0.kind} {0.name!r}"
    )
    verbs = _differing(hooks.rankhub_verbs, Verb, "rankhub.Verb", "verbs {0.name!r}")
    return Plugin(*facts, _kinds(hooks), components, verbs, _recipes(hooks), hooks)


def guarded(call: Callable[[], T]) -> T:
    """What code of a plugin returns. Ctrl-C by the user goes through, even where that code swallows it.

    Raises:
        PluginFailure: For all else that it raises, an exit, an exception beside ``Exception`` or a KeyboardInterrupt
            of its own among them.
    """
    pressed: list[int] = []
    limit = sys.getrecursionlimit()
    before: Any = signal.getsignal(signal.SIGINT)
    listens = callable(before) and threading.current_thread() is threading.main_thread()

    def interrupt(number: int, frame: Any) -> None:
        pressed.append(number)
        before(number, frame)

    try:
        if listens:
            signal.signal(signal.SIGINT, interrupt)
        try:
            result = call()
        finally:
            sys.setrecursionlimit(limit)
            if listens:
                signal.signal(signal.SIGINT, before)
    except BaseException as error:
        if isinstance(error, InvalidAnswer) or (pressed and isinstance(error, KeyboardInterrupt)):
            raise
        raise PluginFailure(brief(error)) from error
    if pressed and before is signal.default_int_handler:
        raise KeyboardInterrupt
    return result


class PluginFailure(Exception):
    """Code of a plugin raised something; the text says what, in one line."""


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


def answers(hook: HookCaller, record: type[T], wanted: str, **given: Any) -> tuple[T, ...]:
    """What a plugin answers to one hook; nothing if it does not have it, or has nothing to say on what is ``given``."""
    if not hook.get_hookimpls():
        return ()
    answer = next(iter(hook(**given)), () if given else None)  # pluggy leaves None out
    if not isinstance(answer, Iterable) or isinstance(answer, str):
        raise InvalidAnswer(f"its {hook.name} returned {answer!r}, not a {wanted}")
    listed = tuple(islice(answer, MOST + 1))
    if len(listed) > MOST:
        raise InvalidAnswer(f"its {hook.name} returned more than {MOST:,} items")
    for item in listed:
        if not isinstance(item, record):
            raise InvalidAnswer(f"its {hook.name} returned {item!r} in place of an item of a {wanted}")
    return listed


def _kinds(hooks: HookRelay) -> tuple[Kind, ...]:
    kinds = _differing(hooks.rankhub_kinds, Kind, "rankhub.interfaces.kinds.Kind", "kinds {0.name!r}")
    for kind in kinds:
        place, unknown = kind.address, {*kind.wired, *kind.told}.difference(ANYWHERE)
        if place and not TOP.fullmatch(place):
            raise InvalidAnswer(f"its kind {kind.name!r} has the place {place!r}; expected NAME, NAME[] or NAME.*")
        if unknown:
            expected = f"expected some of {', '.join(ANYWHERE)}"
            raise InvalidAnswer(f"its kind {kind.name!r} is handed {min(unknown)!r}; {expected}")
    return kinds


def _recipes(hooks: HookRelay) -> tuple[str, ...]:
    packages = answers(hooks.rankhub_recipes, str, "list of package names")
    for package in packages:
        if not folders_of(package):
            raise InvalidAnswer(f"its rankhub_recipes names {package!r}, which is no package")
    return packages


def folders_of(package: str) -> list[str]:
    """Where the files of a package are, which is not imported; empty if it is none."""
    spec = find_spec(package)
    return [] if spec is None else list(spec.submodule_search_locations or ())


def _differing(hook: HookCaller, record: type[T], wanted: str, called: str) -> tuple[T, ...]:
    """What a plugin answers to one hook; ``called`` says by what the records must differ."""
    found = answers(hook, record, f"list of {wanted}")
    for name, count in Counter(map(called.format, found)).items():
        if count > 1:
            raise InvalidAnswer(f"it names two {name}")
    return found
