"""Official plugin: a run on the processes that ``torchrun`` has started."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

import rankhub
from rankhub.interfaces.processes import Processes
from rankhub_torchrun.lost import ended_with_launcher

TOLD = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
"""Variables by which the launcher says who a process is."""


@rankhub.hookimpl
def rankhub_processes() -> Processes | None:
    """As the launcher says it; None without it. A UserError if its variables are incomplete."""
    given = {name: os.environ[name] for name in TOLD if name in os.environ}
    if int(given.get("WORLD_SIZE", 1)) == 1:
        return None
    if len(given) < len(TOLD):
        missing = ", ".join(name for name in TOLD if name not in given)
        raise rankhub.UserError(f"WORLD_SIZE is set but not {missing}; start several processes with torchrun")
    from rankhub_torchrun.group import TorchProcesses

    return TorchProcesses(*(int(given[name]) for name in TOLD))


@rankhub.hookimpl
def rankhub_around_run(folder: Path) -> AbstractContextManager[None]:
    """A run ends with its launcher, also where it is the only process that is left."""
    return ended_with_launcher()
