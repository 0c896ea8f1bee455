"""What a plugin may answer. Each hook is called on each plugin alone, so that one cannot spoil another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rankhub.catalog.markers import hookspec
from rankhub.interfaces.component import Component

if TYPE_CHECKING:
    from rankhub.interfaces.callback import Callback, RunInfo


@hookspec
def rankhub_components() -> Iterable[Component]:
    """Name the components that this plugin brings.

    Called at the start of every command, so the module must import nothing heavy: a component's own
    module is imported only when a recipe uses it.
    """
    raise NotImplementedError


@hookspec
def rankhub_observers(run: RunInfo) -> Iterable[Callback]:
    """Return callbacks that watch the run that is about to start (trackers, notifiers).

    They watch runs of every recipe. A callback that a recipe switches on is a component of kind
    ``callback`` instead.
    """
    raise NotImplementedError
