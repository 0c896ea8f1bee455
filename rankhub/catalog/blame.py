"""Which component an exception comes from: nobody can mend a plugin's bug by a traceback that does not name it."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rankhub.catalog.discovery import brief
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.kinds import KINDS

if TYPE_CHECKING:
    from rankhub.catalog.catalog import Catalog

SWITCH = "RANKHUB_TRACEBACK"
"""Environment variable: set, the command line also shows the whole traceback."""

_CORE, _OWN = "rankhub.", "rankhub"


class ComponentError(UserError):
    """A component failed, or gave something else than its contract says: one sentence for its author.

    Args:
        component: It, or its class.
        said: What it did, as the end of a sentence.
        advice: What to do.
    """

    def __init__(self, component: object, said: str, advice: str = "tell its author") -> None:
        cls = component if isinstance(component, type) else type(component)
        super().__init__(cls, said, advice)
        self.cls, self.said, self.advice = cls, said, advice
        self.title = f"{kind_of(cls)} {cls.__name__}"  # until :func:`blamed` knows better

    def __str__(self) -> str:
        where = ", ".join(getattr(self, "__notes__", ()))
        return f"{self.title} {self.said}{f' ({where})' if where else ''}" + (f"; {self.advice}" if self.advice else "")


def kind_of(cls: type) -> str:
    """The kind of component that a class is; "" if it is none."""
    for kind in KINDS.values():
        module, _, name = kind.protocol.partition(":")
        protocol = getattr(sys.modules.get(module), name, None)  # of what was not imported there is no component
        if protocol is not None and issubclass(cls, protocol):
            return kind.name
    return ""


@contextmanager
def during(what: str) -> Iterator[None]:
    """Note on an exception what was going on."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if what not in getattr(error, "__notes__", ()):
            error.add_note(what)
        raise


_NO_PLUGINS = {*sys.stdlib_module_names, "__main__", "typer", "torch"}
"""Packages through which every command passes."""


@contextmanager
def blamed(catalog: Catalog | None = None) -> Iterator[None]:
    """Turn what a component raises into a :class:`ComponentError` with its name; None = the installed plugins.

    A component that ends the process by ``sys.exit`` has failed too. What comes from no component passes as it is.
    """
    try:
        yield
    except ComponentError as error:
        error.title = title_of(error.cls, catalog)
        raise
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        found = failed(error)
        if found is not None:
            found.title = title_of(found.cls, catalog)
        else:
            found = _of_plugin(error, catalog)
        if found is None:
            raise
        raise found from error


def failed(error: BaseException) -> ComponentError | None:
    """The innermost component at work when something was raised, and what happened to it; None if none was."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    cls, method = _innermost(frames, (_CORE, "torch.")) or _innermost(frames, (_CORE,)) or (None, "")
    return None if cls is None else _said(cls, method, error)


def _said(cls: type, method: str, error: BaseException) -> ComponentError:
    places = list(traceback.walk_tb(error.__traceback__))
    own = [place for place in places if _package(place[0].f_globals.get("__name__", "")) == _package(cls.__module__)]
    frame, line = (own or places)[-1]  # the component's own line tells its author more than a library's
    text = f"failed in {method}: {brief(error)} ({Path(frame.f_code.co_filename).name}, line {line})"
    advice = f"tell its author ({SWITCH}=1 shows the traceback)"
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate memory" in str(error):
        text, advice = f"ran out of memory: {brief(error)}", "lower batch_size, or raise accumulate"
    elif isinstance(error, OSError):
        advice = f"see to it, or tell the component's author ({SWITCH}=1 shows the traceback)"
    blame = ComponentError(cls, text, advice)
    for note in getattr(error, "__notes__", ()):
        blame.add_note(note)
    return blame


def _package(name: str) -> str:
    return re.split("[.:]", str(name))[0]


def _of_plugin(error: BaseException, catalog: Catalog | None) -> ComponentError | None:
    """What failed in a stranger's code outside of its components, such as in a verb or in a backward pass."""
    from rankhub.catalog.catalog import Catalog

    frames = [
        (frame, _package(frame.f_globals.get("__name__", ""))) for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    frames = [(frame, package) for frame, package in frames if package not in _NO_PLUGINS]
    if not any(not package.startswith("rankhub") for _, package in frames):
        return None  # as whenever a verb ends by an exit code of its own
    plugins = [plugin for plugin in (catalog or Catalog.discover()).plugins if plugin.distribution != _OWN]
    for frame, package in reversed(frames):
        for plugin in plugins:
            targets = [*(one.target for one in plugin.components), *(one.target for one in plugin.verbs)]
            if package in map(_package, targets):
                found = _said(object, frame.f_code.co_name, error)
                found.title = f"plugin {plugin.owner} {plugin.version}"
                return found
    return None


def _innermost(frames: list[FrameType], others: tuple[str, ...]) -> tuple[type, str] | None:
    """The innermost component at work and what it was asked for; frames of ``others`` are nobody's."""
    found = None
    for frame in frames:
        cls = None if str(frame.f_globals.get("__name__")).startswith(others) else _component(frame)
        if cls is not None and (found is None or found[0] is not cls):
            found = cls, frame.f_code.co_name
    return found


def _component(frame: FrameType) -> type | None:
    """The class of the component whose method a frame is."""
    names = frame.f_code.co_varnames[: min(1, frame.f_code.co_argcount)]
    held: list[Any] = [frame.f_locals.get(name) for name in (*names, "self")]
    # A constructor's frame has its object, a class method's its class.
    classes = [one if isinstance(one, type) else type(one) for one in held if one is not None]
    return next((cls for cls in classes if not cls.__module__.startswith(_CORE) and kind_of(cls)), None)


def title_of(cls: type, catalog: Catalog | None = None) -> str:
    """A component with its plugin and version, for a sentence; None = of the installed plugins."""
    from rankhub.catalog.catalog import Catalog

    entry = (catalog or Catalog.discover()).entry_of(cls)
    return f"{kind_of(cls)} {cls.__name__}, given in Python," if entry is None else f"{entry.title} {entry.version}"
