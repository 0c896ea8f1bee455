"""The catalog: which components there are, and how one is made.

It is built once and passed on; nothing registers itself by being imported. Building it imports only the small modules
behind the entry points: a component's own module is imported when a recipe uses it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pkgutil import resolve_name
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from rankhub.catalog.discovery import (
    BrokenPlugin,
    InvalidAnswer,
    Origin,
    Plugin,
    PluginFailure,
    PluginSource,
    answers,
    ask_all,
    ask_installed,
    guarded,
    installed,
)
from rankhub.catalog.nearest import nearest, suggestion
from rankhub.interfaces.component import Component
from rankhub.interfaces.errors import UserError, brief
from rankhub.interfaces.files import REMEDIES
from rankhub.interfaces.kinds import KINDS, Kind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from rankhub.catalog.spec import ComponentSpec
    from rankhub.interfaces.guard import Guard
    from rankhub.interfaces.processes import Processes
    from rankhub.interfaces.schedule import Clock
    from rankhub.interfaces.talk import Stream, Talk

T = TypeVar("T")


class CatalogError(UserError):
    """A component cannot be found, loaded or made; one sentence that names the plugin."""


@dataclass(frozen=True, slots=True)
class ComponentInfo(Origin):
    """A component with the plugin that it came from.

    Attributes:
        component: Its record.
        name: What a recipe writes after ``use:``: ``owner/name`` where two plugins give one of that name.
    """

    component: Component
    name: str

    @property
    def kind(self) -> str:
        """What kind of component it is."""
        return self.component.kind

    @property
    def summary(self) -> str:
        """One line that says what it does."""
        return self.component.summary

    @property
    def full_name(self) -> str:
        """``owner/name``, which is never ambiguous."""
        return f"{self.owner}/{self.component.name}"

    @property
    def title(self) -> str:
        """For sentences: ``loss 'smooth_ap' of plugin rankhub_s2r2``."""
        return f"{self.kind} {self.component.name!r} of plugin {self.owner}"


class Catalog:
    """All components of all ``plugins`` that work, and the reasons of those that are ``broken``. Never changes.

    ``kinds``: the core's kinds of components and those that plugins bring, by name.
    """

    def __init__(self, answers: Iterable[Plugin | BrokenPlugin]) -> None:
        listed, kinds = list(answers), dict(KINDS)
        self.plugins = tuple(answer for answer in listed if isinstance(answer, Plugin))
        self.broken = tuple(answer for answer in listed if isinstance(answer, BrokenPlugin))
        for plugin in sorted(self.plugins, key=lambda plugin: not plugin.official):
            kinds = kinds | {kind.name: kind for kind in plugin.kinds if kind.name not in kinds}
        self.kinds: Mapping[str, Kind] = MappingProxyType(kinds)
        for plugin in self.plugins:
            if reason := self._misfit(plugin):
                self.plugins = tuple(other for other in self.plugins if other is not plugin)
                self.broken += (BrokenPlugin(plugin.owner, plugin.distribution, plugin.version, reason),)
        found = [(plugin, component) for plugin in self.plugins for component in plugin.components]
        count = Counter((component.kind, component.name) for _, component in found)
        self._table: dict[tuple[str, str], tuple[ComponentInfo, ...]] = {}
        for plugin, component in found:
            key = (component.kind, component.name)
            name = component.name if count[key] == 1 else f"{plugin.owner}/{component.name}"
            entry = ComponentInfo(plugin.owner, plugin.distribution, plugin.version, component, name)
            self._table[key] = (*self._table.get(key, ()), entry)
        self._classes: dict[ComponentInfo, type] = {}
        self._models: dict[ComponentInfo, type[BaseModel]] = {}

    @classmethod
    def discover(cls, check: bool = False) -> Catalog:
        """The catalog of the plugins installed in this environment; ``check``: after a trial of each by itself."""
        return cls(ask_installed(check))

    @classmethod
    def official(cls) -> Catalog:
        """The catalog of the plugins that come along with rankhub; no other one is imported."""
        return cls(ask_all(source for source in installed() if source.official))

    @classmethod
    def of(cls, plugins: Mapping[str, object], version: str = "0") -> Catalog:
        """A catalog of the given plugins only: owner -> module, or any object with hook functions."""
        given = plugins.items()
        return cls(ask_all(PluginSource(owner, owner, version, partial(lambda it: it, one)) for owner, one in given))

    def _misfit(self, plugin: Plugin) -> str | None:
        """Why a plugin cannot be used beside the others; None if it can."""
        for kind in plugin.kinds:
            if self.kinds[kind.name] != kind:
                return f"another plugin, or rankhub itself, has the kind {kind.name!r} that it brings"
        for component in plugin.components:
            if component.kind not in self.kinds:
                text = f"its component {component.name!r} is of the unknown kind {component.kind!r}"
                return text + suggestion(component.kind, self.kinds) + self.elsewhere()
        return None

    def names(self, kind: str) -> list[str]:
        """The names of one kind, in order."""
        return sorted(name for of, name in self._table if of == kind)

    def entries(self, kind: str) -> list[ComponentInfo]:
        """All components of one kind by name, then by owner."""
        return [entry for name in self.names(kind) for entry in self._table[kind, name]]

    def in_role(self, kind: str, role: str) -> str:
        """The full name of the component of ``kind`` that a plugin offers for ``role``; of several, the first by name.

        Raises:
            UserError: No plugin that works offers one.
        """
        found = sorted(entry.full_name for entry in self.entries(kind) if entry.component.role == role)
        if not found:
            raise UserError(f"no plugin offers a {kind} for the role {role!r}; see `rankhub plugins list`")
        return found[0]

    def entry_of(self, cls: type) -> ComponentInfo | None:
        """The component whose class this is, as far as it was imported; None if it is no component's."""
        for entry in (entry for entries in self._table.values() for entry in entries):
            module, _, attribute = entry.component.target.partition(":")
            if getattr(sys.modules.get(module), attribute, None) is cls:
                return entry
        return None

    def clashes(self) -> dict[tuple[str, str], tuple[ComponentInfo, ...]]:
        """(kind, name) -> the entries of that name, where several plugins give one."""
        return {key: entries for key, entries in self._table.items() if len(entries) > 1}

    def find(self, kind: str, name: str, origin: str = "") -> ComponentInfo:
        """The component that a recipe calls ``name``, or ``owner/name``.

        Of components of one name a recipe that ships with the distribution ``origin`` means its own.

        Raises:
            CatalogError: There is none, or several plugins give one of that name.
        """
        if kind not in self.kinds:
            text = f"there is no kind of component {kind!r}{suggestion(kind, self.kinds)}"
            raise CatalogError(text + self.elsewhere())
        owner, slash, bare = name.rpartition("/")
        found = [entry for entry in self._table.get((kind, bare), ()) if not slash or entry.owner == owner]
        if not found:
            raise CatalogError(self._no_owned(kind, owner, bare) if slash else self._unknown(kind, name))
        found = [entry for entry in found if entry.distribution == origin] or found
        if len(found) > 1:
            choices = " or ".join(entry.full_name for entry in found)
            owners = " and ".join(entry.owner for entry in found)
            raise CatalogError(f"{kind} {name!r} is given by {owners}; write {choices}")
        return found[0]

    def reason(self, owner: str) -> str | None:
        """Why a plugin cannot be used; None if it is not broken."""
        return next((plugin.reason for plugin in self.broken if plugin.owner == owner), None)

    def _no_owned(self, kind: str, owner: str, name: str) -> str:
        reason = self.reason(owner)
        if reason is not None:
            return f"plugin {owner} cannot be used: {reason}"
        owners = [plugin.owner for plugin in self.plugins]
        if owner not in owners:
            return f"no plugin is called {owner!r}{suggestion(owner, owners)}"
        names = [entry.component.name for entry in self.entries(kind) if entry.owner == owner]
        return f"plugin {owner} has no {kind} {name!r}{suggestion(name, names)}"

    def _unknown(self, kind: str, name: str) -> str:
        text = f"no {kind} is called {name!r}"
        elsewhere = [entry for of in self.kinds for entry in self._table.get((of, name), ())]
        if elsewhere:
            text += f" (it is the {elsewhere[0].title})"
        near = nearest(name, self.names(kind))
        if near is None:
            text += suggestion(name, self.names(kind))
        else:
            owners = " and ".join(entry.owner for entry in self._table[kind, near])
            text += f"; did you mean {near!r} of {owners}?"
        return text + self.elsewhere()

    def elsewhere(self) -> str:
        """The end of a sentence on a name that is not known: the plugins that cannot be used may bring it."""
        return "".join(f"; or is it in plugin {p.owner}, which cannot be used: {p.reason}" for p in self.broken)

    def load(self, entry: ComponentInfo) -> type:
        """Import a component's class; a CatalogError shows the plugin's own error, or that it is not of its kind."""
        if entry not in self._classes:
            self._classes[entry] = _import(entry, self.kinds[entry.kind].protocol)
        return self._classes[entry]

    def options(self, entry: ComponentInfo) -> type[BaseModel]:
        """A component's options as a pydantic model made from its constructor; CatalogError if none can be made."""
        if entry not in self._models:
            from rankhub.catalog.options import UnreadableConstructor, options_model

            try:
                self._models[entry] = options_model(self.load(entry), self.kinds[entry.kind])
            except UnreadableConstructor as error:
                raise CatalogError(f"{entry.title} has a constructor that no recipe can use: {error}") from error
        return self._models[entry]

    def arguments(
        self, kind: str, spec: ComponentSpec | Mapping[str, Any], clock: Clock | None = None
    ) -> dict[str, Any]:
        """The keyword arguments for a component's constructor: checked, with defaults, schedules made.

        With a ``clock``, schedules become their number at that time. A CatalogError names all that does not fit.
        """
        from pydantic import ValidationError

        from rankhub.catalog.complaints import complaints
        from rankhub.catalog.hints import dotted
        from rankhub.catalog.options import validate_options, values
        from rankhub.catalog.spec import ComponentSpec
        from rankhub.interfaces.schedule import value_at

        options = dict(spec) if isinstance(spec, Mapping) else {"use": spec.use, **spec.options}
        entry = self.find(kind, options.pop("use"))
        model = self.options(entry)
        try:
            arguments = values(validate_options(model, options))
        except ValidationError as error:
            found = complaints(error, model, options, "option")
            texts = [f"{dotted(complaint.steps)}: {complaint.text}" for complaint in found]
            raise CatalogError(f"{entry.title}: {'; '.join(texts)}") from error
        for name, value in arguments.items():
            if isinstance(value, ComponentSpec):
                schedule = self.build("schedule", value)
                arguments[name] = schedule if clock is None else value_at(schedule, clock)
        return arguments

    def build(
        self, kind: str, spec: ComponentSpec | Mapping[str, Any], /, *wired: Any, clock: Clock | None = None
    ) -> Any:
        """Make a component; CatalogError if it cannot be found or loaded, or its options do not fit.

        ``wired`` is what the engine hands to every component of the kind (see :class:`.Kind`). With a ``clock``, the
        constructor gets numbers in place of schedules (optimizers want that).
        """
        from rankhub.catalog.blame import blamed

        cls = self.load(self.find(kind, spec["use"] if isinstance(spec, Mapping) else spec.use))
        with blamed(self):
            made = cls(*wired, **self.arguments(kind, spec, clock))
            for guard in self.guards:
                guard.made(self.kinds[kind], made)
        return made

    @cached_property
    def guards(self) -> list[Guard]:
        """The guards of all plugins, asked for once."""
        from rankhub.interfaces.guard import Guard

        return self.asked("rankhub_guards", Guard, "guard")

    def talk(self, stream: Stream) -> Talk:
        """What shows what is done: a plugin's, or plain lines."""
        from rankhub.interfaces.talk import Talk

        found = self.asked("rankhub_talks", Talk, "show what is done", stream=stream)
        return found[0] if found else Talk(getattr(sys, stream))

    def tried(self, parts: Any) -> list[Any]:
        """What the first plugin that tries a run says its phases cost; what it raises keeps the run from starting."""
        answers = (list(answer) for plugin in self.plugins for answer in plugin.hooks.rankhub_trial(parts=parts))
        return next(answers, [])

    def say(self, event: object, talk: Talk) -> None:
        """Let plugins say on ``talk`` what people should know of an event; see ``rankhub_words``."""
        self.asked("rankhub_words", str, "say what a run does", event=event, talk=talk)

    def asked(self, hook: str, record: type[T], does: str, **given: Any) -> list[T]:
        """The records that all plugins answer to a hook; one that fails is left out with a warning that it does not."""
        found: list[T] = []
        for plugin in self.plugins:
            try:
                call = getattr(plugin.hooks, hook)
                found += guarded(partial(answers, call, record, f"list of {record.__name__}", **given))
            except (PluginFailure, InvalidAnswer) as error:
                said = str(error).removeprefix(f"its {hook} ")
                text = f"plugin {plugin.owner} does not {does}: its {hook} failed ({said})"
                warnings.warn(text, RuntimeWarning, stacklevel=3)
        return found

    @property
    def packages(self) -> dict[str, str]:
        """Package of a third party's component, verb or hook -> its plugin and version, for a sentence."""
        found: dict[str, str] = {}
        for plugin in (plugin for plugin in self.plugins if not plugin.official):
            targets = [each.target for each in plugin.components] + [each.target for each in plugin.verbs]
            targets += [one.function.__module__ for hook in vars(plugin.hooks).values() for one in hook.get_hookimpls()]
            for target in targets:
                found.setdefault(target.partition(":")[0].partition(".")[0], f"plugin {plugin.owner} {plugin.version}")
        return found

    def processes(self) -> Processes:
        """This process among those of a run that begins; a UserError if there are several, and no plugin knows them."""
        from rankhub.interfaces.processes import ALONE

        found = self._needed("rankhub_processes")
        if not found and os.environ.get("WORLD_SIZE", "1") != "1":
            raise UserError(
                f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but no plugin that works takes several processes, so that "
                "each would train by itself; see `rankhub plugins list`, or start one process"
            )
        return found[0] if found else ALONE

    @contextmanager
    def held(self, hook: str, **given: Any) -> Iterator[None]:
        """What plugins enter for a run by a hook; a UserError where one refuses it, or fails."""
        with ExitStack() as entered:
            self._needed(hook, entered.enter_context, **given)
            yield

    def _needed(self, hook: str, take: Callable[[Any], Any] | None = None, **given: Any) -> list[Any]:
        """What all plugins answer to a hook without which no run may begin; a UserError where one fails."""
        found: list[Any] = []
        for plugin in self.plugins:
            try:
                found += map(take or (lambda answer: answer), getattr(plugin.hooks, hook)(**given))
            except Exception as error:
                if isinstance(error, UserError) or getattr(error, "errno", None) in REMEDIES:
                    raise
                text = f"plugin {plugin.owner} fails around a run ({brief(error)}); tell its author, or go without"
                raise UserError(f"{text} it: RANKHUB_DISABLE={plugin.owner}") from error
        return found


def _import(entry: ComponentInfo, protocol: str) -> type:
    target = entry.component.target
    try:
        cls = guarded(lambda: resolve_name(target))
    except PluginFailure as error:
        raise CatalogError(f"{entry.title} cannot be imported: {error}") from error
    expected: type = resolve_name(protocol)
    if not isinstance(cls, type) or not issubclass(cls, expected):
        must = f"{target} must derive from {protocol.replace(':', '.')}"
        raise CatalogError(f"{entry.title} is no {expected.__name__}: {must}")
    return cls
