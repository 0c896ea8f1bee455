"""Official plugin: Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 end a run after its step, with a checkpoint."""

from contextlib import AbstractContextManager

import rankhub
from rankhub.interfaces.processes import Interrupt


@rankhub.hookimpl
def rankhub_signals(interrupt: Interrupt, several: bool) -> AbstractContextManager[object]:
    """Listen to signals while a run lasts."""
    from rankhub_signals.signals import Signals

    return Signals(interrupt, several)
