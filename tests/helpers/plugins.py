"""Makes plugins on the spot."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import rankhub
from rankhub import Component


def plugin(*components: Component, **attributes: Any) -> SimpleNamespace:
    """An object that answers `rankhub_components`, with further attributes as a module may have them."""

    @rankhub.hookimpl
    def rankhub_components():
        return list(components)

    return SimpleNamespace(rankhub_components=rankhub_components, **attributes)


def component(name: str, target: str = "helpers.fakes:Pull", kind: str = "loss") -> Component:
    """A component record; by default a loss that can be loaded."""
    return Component(kind, name, target, f"The {kind} {name}.")
