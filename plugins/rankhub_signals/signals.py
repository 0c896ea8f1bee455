"""Ctrl-C, SIGTERM, SIGHUP and SIGUSR1: finish the step, write a checkpoint, say how to go on."""

import os
import signal
import socket
import threading
import time
from types import FrameType
from typing import Any

from rankhub.interfaces.errors import ENDING, Signalled, exit_code
from rankhub.interfaces.processes import Interrupt

SAME = 5.0
"""Seconds in which a second signal counts as the first one again, where a launcher passes on what the terminal has sent
to all its processes already, or a queue sends another kind behind it."""

_HARD = (signal.SIGINT, signal.SIGTERM)

PATIENCE, UNWINDING = 20.0, 5.0
"""Seconds that a step may take to end, where it may wait for a process that is gone; and where there is no step to
finish. Launchers wait 30."""


class Signals:
    """While active, the first signal ends the block, by :class:`Signalled`; where the run ``waits`` it only asks it to.

    A second Ctrl-C or SIGTERM ends the program as usual. SIGHUP and SIGUSR1 are left to whoever cares for them already,
    such as nohup. One of ``several`` processes ends by itself if it is still active :data:`PATIENCE` seconds after the
    signal, or :data:`UNWINDING` where it does not ``wait``, whatever stops it.
    """

    def __init__(self, interrupt: Interrupt, several: bool = False) -> None:
        self.interrupt, self.several = interrupt, several
        self._since = 0.0
        self._before: dict[int, Any] = {}
        self._deadline: _Deadline | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            if self.several:
                self._deadline = _Deadline(self.interrupt)
            for number in (signal.Signals[name] for name in ENDING if hasattr(signal, name)):
                if number in _HARD or signal.getsignal(number) == signal.SIG_DFL:
                    self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now, name = time.monotonic(), signal.Signals(number).name
        if self.interrupt.asked is not None:
            again = self.several or name != self.interrupt.asked
            if number not in _HARD or (again and now - self._since < SAME):
                return
            for each, handler in self._before.items():
                signal.signal(each, handler)
            signal.raise_signal(number)
            return
        self.interrupt.asked, self._since = name, now
        if not self.interrupt.waits:
            raise Signalled(name)

    def __exit__(self, *raised: object) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)


class _Deadline:
    """Ends the program some time after a signal, also while the main thread waits inside a library.

    Python's own handlers run only once the main thread is back; the byte that a signal writes is seen at once.
    """

    def __init__(self, interrupt: Interrupt) -> None:
        self._interrupt = interrupt
        self._ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._theirs = theirs
        self._before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._cancelled = threading.Event()
        threading.Thread(target=self._watch, daemon=True, name="deadline").start()

    def _watch(self) -> None:
        ending = {signal.Signals[name]: name for name in ENDING if hasattr(signal, name)}
        while (number := self._ours.recv(1)) and number[0] not in (0, *ending):
            """Of another kind, such as that a worker has ended."""
        patience = PATIENCE if self._interrupt.waits else UNWINDING
        if number and number != b"\0" and not self._cancelled.wait(patience):
            os._exit(exit_code(ending[signal.Signals(number[0])]))

    def cancel(self) -> None:
        """The program may live on."""
        self._cancelled.set()
        signal.set_wakeup_fd(self._before)
        self._theirs.send(b"\0")
