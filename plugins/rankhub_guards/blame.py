"""Which component, or which plugin, an exception comes from."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from rankhub.interfaces.errors import SWITCH, ComponentError, brief, kind_of
from rankhub.interfaces.guard import Guard
from rankhub.interfaces.kinds import Kind

_CORE = ("rankhub.", f"{__package__}.")
_NOBODYS = {*sys.stdlib_module_names, "__main__", "torch", "typer"}


def _said(cls: type, method: str, error: BaseException, title: str = "") -> ComponentError:
    places = list(traceback.walk_tb(error.__traceback__))
    own = [place for place in places if _package(place[0]) == cls.__module__.partition(".")[0]]
    frame, line = (own or places)[-1]  # the component's own line tells its author more than a library's
    text = f"failed in {method}: {brief(error)} ({Path(frame.f_code.co_filename).name}, line {line})"
    advice = f"tell its author ({SWITCH}=1 shows the traceback)"
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate memory" in str(error):
        text, advice = f"ran out of memory: {brief(error)}", "lower batch_size, or raise accumulate"
    elif isinstance(error, OSError):
        advice = f"see to it, or tell the component's author ({SWITCH}=1 shows the traceback)"
    found = ComponentError(cls, text, advice, title)
    for note in getattr(error, "__notes__", ()):
        found.add_note(note)
    return found


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _innermost(frames: list[FrameType], others: tuple[str, ...], kinds: Mapping[str, Kind]) -> tuple[type, str] | None:
    """The innermost component at work and what it was asked for; frames of ``others`` are nobody's."""
    found = None
    for frame in frames:
        cls = None if str(frame.f_globals.get("__name__")).startswith(others) else _component(frame, kinds)
        if cls is not None and (found is None or found[0] is not cls):
            found = cls, frame.f_code.co_name
    return found


def _component(frame: FrameType, kinds: Mapping[str, Kind]) -> type | None:
    """The class of the component whose method a frame is."""
    names = frame.f_code.co_varnames[: min(1, frame.f_code.co_argcount)]
    held: list[Any] = [frame.f_locals.get(name) for name in (*names, "self")]
    # A constructor's frame has its object, a class method's its class.
    classes = [one if isinstance(one, type) else type(one) for one in held if one is not None]
    return next((cls for cls in classes if not cls.__module__.startswith(_CORE) and kind_of(cls, kinds)), None)


class Culprits(Guard):
    """Finds whose code was at work."""

    def blame(
        self, error: BaseException, plugins: Mapping[str, str], kinds: Mapping[str, Kind]
    ) -> ComponentError | None:
        """The innermost component at work when something was raised, or else the plugin, and what happened."""
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        cls, method = _innermost(frames, (*_CORE, "torch."), kinds) or _innermost(frames, _CORE, kinds) or (None, "")
        if cls is not None:
            return _said(cls, method, error)
        for frame in reversed(frames):  # in a verb, or in a backward pass
            package = _package(frame)
            if package in plugins and package not in _NOBODYS:
                return _said(object, frame.f_code.co_name, error, plugins[package])
        return None
