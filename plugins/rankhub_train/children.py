"""What a process does that another one has started by multiprocessing."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process


def end_with_parent(code: int = 1) -> None:
    """From now on end this process, by an exit code, once the one that started it is gone, however that ended.

    It would go on beside what the next start gives to another. Nothing is done in a process that was not started so.
    """
    parent = parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(code)

    threading.Thread(target=follow, daemon=True, name="parent").start()
