"""What a plugin may answer. Each hook is called on each plugin alone, so that one cannot spoil another.

Plugins import the marker ``hookimpl`` from here by way of ``rankhub``, so this module imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from rankhub.interfaces.component import Component, Verb

if TYPE_CHECKING:
    from rankhub.interfaces.callback import Callback, RunInfo
    from rankhub.interfaces.evaluate import Reference
    from rankhub.interfaces.guard import Guard
    from rankhub.interfaces.kinds import Kind
    from rankhub.interfaces.processes import Interrupt, Processes
    from rankhub.interfaces.talk import Stream, Talk

PROJECT = "rankhub"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def rankhub_components() -> Iterable[Component]:
    """Name the components that this plugin brings.

    Called at the start of every command, so the module must import nothing heavy: a component's own
    module is imported only when a recipe uses it.
    """


@hookspec
def rankhub_kinds() -> Iterable[Kind]:
    """Name the kinds of components that this plugin brings, whose protocols stand in public modules of it.

    Called at the start of every command. Of two kinds of one name the first counts, the core's and those of plugins
    that come along with rankhub before others; the other plugin cannot be used.
    """


@hookspec
def rankhub_observers(run: RunInfo) -> Iterable[Callback]:
    """Return callbacks that watch the run that is about to start (trackers, notifiers).

    They watch runs of every recipe. A callback that a recipe switches on is a component of kind
    ``callback`` instead.
    """


@hookspec
def rankhub_guards() -> Iterable[Guard]:
    """Return guards, which look at what components of all plugins are handed and give, in every run and check.

    Called when the first component is made, or something has failed.
    """


@hookspec
def rankhub_trial(parts: object) -> Iterable[object]:
    """Try a run before its first step, and return the :class:`rankhub.Cost` of a step of each of its phases.

    ``parts`` are its :class:`rankhub.Parts`, which are left as they are. What is raised keeps the run from starting. Of
    several plugins the first serves, by name.
    """


@hookspec
def rankhub_references() -> Iterable[Reference]:
    """Return rows of the report that training must beat; they stand above those of the trained network."""


@hookspec
def rankhub_around_run(folder: Path) -> AbstractContextManager[object]:
    """Return what is entered before a run works in its folder, and left at its end, such as a lock.

    Only the first process of a run asks. What is raised, such as a UserError, keeps the run from its folder.
    """


@hookspec
def rankhub_processes() -> Processes | None:
    """Return this process among those that a launcher has started for one run; None where this plugin knows of none.

    Called when a run begins. Of several plugins the first serves, by name. A run does not begin on one of several
    processes (``WORLD_SIZE``) that no plugin knows.
    """


@hookspec
def rankhub_signals(interrupt: Interrupt, several: bool) -> AbstractContextManager[object]:
    """Return what is entered while a run lasts, in each of its processes, and sets ``interrupt.asked`` to end it.

    ``several``: whether it has more than one process.
    """


@hookspec
def rankhub_talks(stream: Stream) -> Iterable[Talk]:
    """Return what shows on standard output or error what runs and verbs say, and how far they are.

    Of several the first serves, by the names of their plugins.
    """


@hookspec
def rankhub_words(event: object, talk: Talk) -> None:
    """Say on ``talk`` what people should know of an event of a run.

    It is a :class:`rankhub.RunPlanned`, a :class:`rankhub.RunMeasured` or, one of these too, a
    :class:`rankhub.RunClosed`.
    """


@hookspec
def rankhub_verbs() -> Iterable[Verb]:
    """Name the verbs that this plugin adds to the command line.

    Called at the start of every command; a verb's own module is imported only when it is called. The verbs
    that come along with rankhub cannot be replaced; others of their names, or of one name, are called ``OWNER/NAME``.
    """


@hookspec
def rankhub_recipes() -> Iterable[str]:
    """Name the packages whose YAML files are recipes that this plugin brings.

    A package holds recipes, and perhaps folders ``blocks`` (parts that recipes extend) and ``overlays`` (changes to any
    recipe). In these files a bare name means a component, or a file, of the plugin's own distribution first.
    """
