"""Errors that are the user's to mend, as opposed to bugs."""

import signal
import sys
from collections.abc import Mapping
from typing import Any

from rankhub.interfaces.kinds import KINDS, Kind

SWITCH = "RANKHUB_TRACEBACK"
"""Environment variable: set, the command line also shows the whole traceback."""


class UserError(Exception):
    """Something the user can mend: one sentence that says what is wrong, where, and what to do.

    The command line prints the sentence without a traceback and ends with exit code 2. Anything else
    that is raised is a bug and shows its traceback.
    """


class ChangedError(UserError):
    """A run cannot go on as it began: its recipe or its data have changed since."""


ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
"""The signals by which a terminal, a queue or a person ends a run, which keeps what it has done."""

REQUEUE = 75
"""Exit code after SIGUSR1, by which queues ask a job to make way: try again later, sysexits.h's EX_TEMPFAIL."""


def exit_code(name: str) -> int:
    """What a shell expects of a program that ends by one of :data:`ENDING`: 128 + its number, or :data:`REQUEUE`."""
    return REQUEUE if name == "SIGUSR1" else 128 + signal.Signals[name]


class Signalled(KeyboardInterrupt):
    """Ended by a signal; ``code`` is the exit code that says so."""

    def __init__(self, name: str, sentence: str = "") -> None:
        super().__init__(sentence)
        self.code = exit_code(name)


class Interrupted(Signalled):
    """Training was interrupted, and what was done is kept.

    Attributes:
        run: The :class:`~rankhub.engine.trained.Run` so far; :func:`rankhub.resume` goes on with it.
    """

    def __init__(self, run: Any, name: str = "SIGINT") -> None:
        super().__init__(name, f"interrupted; go on with rankhub.resume({str(run.path)!r})")
        self.run = run


class Objection(UserError):
    """A component's sentence against what comes to it, raised while a recipe is checked.

    The check adds the file, the line and the dotted path; the sentence itself names only the values.
    """


class ComponentError(UserError):
    """A component failed, or gave something else than its contract says: one sentence for its author.

    Args:
        component: It, or its class.
        said: What it did, as the end of a sentence.
        advice: What to do.
        title: What it is called, until the catalog is asked.
    """

    def __init__(self, component: object, said: str, advice: str = "tell its author", title: str = "") -> None:
        cls = component if isinstance(component, type) else type(component)
        super().__init__(cls, said, advice)
        self.cls, self.said, self.advice = cls, said, advice
        self.title = title or f"{kind_of(cls)} {cls.__name__}"

    def __str__(self) -> str:
        where = ", ".join(getattr(self, "__notes__", ()))
        return f"{self.title} {self.said}{f' ({where})' if where else ''}" + (f"; {self.advice}" if self.advice else "")


def kind_of(cls: type, kinds: Mapping[str, Kind] = KINDS) -> str:
    """The kind of component that a class is; "" if it is none."""
    for kind in kinds.values():
        module, _, name = kind.protocol.partition(":")
        protocol = getattr(sys.modules.get(module), name, None)  # of what was not imported there is no component
        if protocol is not None and issubclass(cls, protocol):
            return kind.name
    return ""


def brief(error: BaseException) -> str:
    """An exception in one line: its type and the first line of its text."""
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # an exception of a plugin's own
        lines = []
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
