"""A base for trackers: :class:`rankhub_tracking.Tracker` tells another program of a run and never ends the training.

It brings no component. Importing it does not import torch, which the class itself needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rankhub_tracking.settings import flat as flat
    from rankhub_tracking.tracker import Numbers as Numbers
    from rankhub_tracking.tracker import Tracker as Tracker

_HOMES = {
    "Numbers": "rankhub_tracking.tracker",
    "Tracker": "rankhub_tracking.tracker",
    "flat": "rankhub_tracking.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rankhub_tracking' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
