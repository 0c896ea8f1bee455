"""The records by which a plugin names its parts."""

import re
from dataclasses import dataclass

API_VERSION = 1
"""Version of the interfaces in this package. A plugin's module may state ``RANKHUB_API = 1``."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def check_record(what: str, name: str, target: str) -> None:
    """Raise a ValueError where a record's name or target is not of its form."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} name {name!r} must be lower case letters, digits and underscores")
    if not _TARGET.fullmatch(target):
        raise ValueError(f"target {target!r} of {what} {name!r} must be 'module:attribute'")


@dataclass(frozen=True, slots=True)
class Component:
    """One part that a recipe can use, named but not yet imported; a ValueError where a name is not of its form.

    Args:
        kind: Its name, such as ``"loss"``: one of :data:`rankhub.interfaces.kinds.KINDS`, or of a kind that a plugin
            brings.
        name: What a recipe writes after ``use:``; lower case, digits and underscores.
        target: ``"module:attribute"`` of the class; imported when a recipe uses it.
        summary: One line for lists and for ``rankhub describe``.
        role: What a verb may look for, here data sets of images below ``root``. ``folder``: all of them, or those that
            the CSV file ``listed`` names in its column ``path``. ``scores``: those with a ``score`` in the CSV file
            ``table``; ``higher_is_better``, ``range`` and ``unit`` say what scores mean. ``points``: those with points
            ``x``, ``y`` in the CSV file ``annotations``; ``unit`` says what is counted. Both with ``part: all``.
            ``given``: those that are handed over in Python, see :class:`rankhub.interfaces.data.GivenData`.
    """

    kind: str
    name: str
    target: str
    summary: str
    role: str = ""

    def __post_init__(self) -> None:
        check_record("component", self.name, self.target)


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of the command line, named but not yet imported; a ValueError where a name is not of its form.

    Args:
        name: What is typed after ``rankhub``; lower case, digits, underscores.
        target: ``"module:attribute"`` of its function, or of a typer app with verbs of its own; imported when it is
            called. A function is made a verb as typer makes one: from its parameters, hints and docstring.
        summary: Its line in ``rankhub --help``.
    """

    name: str
    target: str
    summary: str

    def __post_init__(self) -> None:
        check_record("verb", self.name, self.target)
