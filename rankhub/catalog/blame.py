"""Where guards look at a call, and say whose fault an exception is: a traceback alone does not name the plugin."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from rankhub.interfaces.errors import ComponentError, UserError, kind_of
from rankhub.interfaces.kinds import KINDS, Kind

if TYPE_CHECKING:
    from rankhub.catalog.catalog import Catalog
    from rankhub.interfaces.guard import Guard

Handed = TypeVar("Handed")
Given = TypeVar("Given")

_NO_COMPONENTS = {*sys.stdlib_module_names, "rankhub", "typer"}
"""Packages through which every command passes, and by which it ends with an exit code: no plugin is asked for then."""


@contextmanager
def during(what: str) -> Iterator[None]:
    """Note on an exception what was going on."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if what not in getattr(error, "__notes__", ()):
            error.add_note(what)
        raise


@contextmanager
def blamed(catalog: Catalog | None = None, caller: str = "rankhub") -> Iterator[None]:
    """Turn what a component raises into a :class:`ComponentError` with its name; None = the installed plugins.

    A component that ends the process by ``sys.exit`` has failed too. What no guard puts down to a component or a plugin
    passes as it is. No plugin is asked for where only the package that is the ``caller`` was at work.
    """
    from rankhub.catalog.catalog import Catalog

    try:
        yield
    except (Exception, SystemExit) as error:
        names = {str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)}
        nobodys = isinstance(error, UserError) or {name.partition(".")[0] for name in names} <= {
            *_NO_COMPONENTS,
            caller,
        }
        if nobodys and not isinstance(error, ComponentError):
            raise
        known = catalog or Catalog.discover()
        asked = known.guards, known.packages, known.kinds
        found = error if isinstance(error, ComponentError) else culprit(error, *asked)
        if found is not None and found.cls is not object:
            found.title = title_of(found.cls, known)
        if found in (None, error):
            raise
        raise found from error


def culprit(
    error: BaseException,
    guards: Sequence[Guard],
    packages: Mapping[str, str] = MappingProxyType({}),
    kinds: Mapping[str, Kind] = KINDS,
) -> ComponentError | None:
    """What the first guard that knows it says of the component, or the plugin, that raised something."""
    return next((found for guard in guards if (found := guard.blame(error, packages, kinds)) is not None), None)


def called(
    guards: Sequence[Guard], component: Any, call: Callable[[Handed], Given], handed: Handed, beside: Any = None
) -> Given:
    """What a component gives when it is called, looked at by guards; see :meth:`.Guard.calling`."""
    checks = [guard.calling(component, handed, beside) for guard in guards]
    given = call(handed)
    for check in filter(None, checks):
        check(given)
    return given


def title_of(cls: type, catalog: Catalog | None = None) -> str:
    """A component with its plugin and version, for a sentence; None = of the installed plugins."""
    from rankhub.catalog.catalog import Catalog

    catalog = catalog or Catalog.discover()
    entry, kind = catalog.entry_of(cls), kind_of(cls, catalog.kinds)
    return f"{kind} {cls.__name__}, given in Python," if entry is None else f"{entry.title} {entry.version}"
