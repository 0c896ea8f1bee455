"""What a process does about a launcher that is gone, and about machines that vanish without a word."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

UNDER_LAUNCHER = "TORCHELASTIC_RUN_ID"
"""Variable that torchrun sets for the processes that it starts."""

LOOKS_EVERY, GRACE = 0.5, 30.0
"""Seconds between two looks at the launcher; and from SIGTERM to the end, as the launcher itself gives them."""

KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6, "TCP_USER_TIMEOUT": 90_000}
"""Seconds of silence after which a connection is tried, seconds between two trials, trials; and milliseconds for which
what was sent may go unanswered. So a machine that vanished is noticed after a minute and a half."""

_LAUNCHER = os.getppid()
"""As the plugin is imported, which is at the start of the program."""


@contextlib.contextmanager
def ended_with_launcher() -> Iterator[None]:
    """End this process as by SIGTERM once torchrun, which has started it, is gone; while the block is active.

    A launcher that is killed leaves its processes behind. They would go on with a run that is started anew elsewhere.
    """
    if UNDER_LAUNCHER not in os.environ or os.name != "posix":
        yield
        return
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOKS_EVERY):
            if os.getppid() != _LAUNCHER:
                said = f"process {os.environ.get('RANK', '0')}: ends because its launcher is gone"
                print(said, file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(GRACE)
                os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="launcher").start()
    try:
        yield
    finally:
        over.set()


def try_connections() -> None:
    """Let the system notice that the other end of a connection is gone though nobody has closed it (Linux).

    A machine without power sends nothing more, and who only waits for it would wait for ever. Gloo opens its
    connections without this.
    """
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as connection:
            if connection.type == socket.SOCK_STREAM and connection.family in (socket.AF_INET, socket.AF_INET6):
                connection.getpeername()  # an OSError of one that only listens
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in KEEP_ALIVE.items():
                    if hasattr(socket, option):
                        connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
