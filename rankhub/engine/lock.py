"""One process at a time in a place, by a file that says which.

A process of this machine holds it until it is gone, one of another machine until its heartbeat stops. How long that has
been silent is watched, and not read from the clocks of two machines.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rankhub.interfaces.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

HEARTBEAT, SILENCE = 5.0, 60.0
"""Seconds between two beats; and without one after which a process of another machine counts as gone."""

log = logging.getLogger("rankhub")

Held = tuple[str, int]
"""What stands in the file, and when its holder's heart last beat."""


@contextmanager
def locked(file: Path, *, sentence: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a file, which is made, and removed at the end; one whose holder was killed is taken over.

    Args:
        file: The file.
        sentence: What is said if another process holds it; which one is added.
        patience: Seconds to wait for the other.

    Raises:
        UserError: Another process holds it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    holder = {"host": platform.node(), "pid": os.getpid(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
    own = json.dumps({**holder, "began": _began(os.getpid()), "machine": _machine()})
    seen, since, until = ("", 0), time.monotonic(), time.monotonic() + patience
    while (held := _take(file, own, seen if time.monotonic() - since > SILENCE else None)) is not None:
        told = _told(held[0])
        alive = told.get("machine") == _machine() or (held[0] == seen[0] != "" and held != seen)
        if alive and time.monotonic() >= until:
            raise UserError(f"{sentence} (process {told.get('pid')} on {told.get('host')}, since {told.get('since')})")
        if held != seen:
            if not alive:
                log.warning(f"{file} is held on {told.get('host')}; whether that lives is known in {SILENCE:.0f} s")
            seen, since = held, time.monotonic()
        time.sleep(0.2)
    over = threading.Event()
    threading.Thread(target=_beat, args=(file, own, over), daemon=True, name="heartbeat").start()
    try:
        yield
    finally:
        over.set()
        with suppress(OSError):
            if file.read_text() == own:
                file.unlink()


def _take(file: Path, own: str, silent: Held | None) -> Held | None:
    """Hold the file if it is free, its holder is gone, or it is still as one that was ``silent``; else what it says."""
    while True:
        with file.open("a+") as handle:
            if fcntl is not None:
                with suppress(OSError):  # a file system may not know it
                    fcntl.flock(handle, fcntl.LOCK_EX)  # while this looks and writes
            found = os.fstat(handle.fileno())
            handle.seek(0)
            held = handle.read(), found.st_mtime_ns
            with suppress(FileNotFoundError):  # its holder may have removed it meanwhile
                if file.stat().st_ino == found.st_ino:
                    if held != silent and not _gone(*held):
                        return held
                    handle.truncate(0)
                    handle.write(own)
                    return None


def _gone(text: str, beat: int) -> bool:
    """Whether the process that wrote ``text`` lives no more, as far as that is known."""
    told = _told(text)
    if text and told.get("machine") == _machine():
        began = _began(told["pid"])
        return began is None or ("" not in (began, told["began"]) and began != told["began"])
    return not text or time.time() - beat / 1e9 > 10 * SILENCE


def _told(text: str) -> dict[str, Any]:
    with suppress(ValueError):
        told = json.loads(text)
        if isinstance(told, dict) and isinstance(told.get("pid"), int) and isinstance(told.get("began"), str):
            return told
    return {}


def _began(pid: int) -> str | None:
    """When a process of this machine began, empty if that is not told; None if it is gone."""
    if os.name != "posix":  # where to ask for a process by its number would end it
        return ""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except OSError:
        pass  # another user's
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return None if fields[0] in "ZX" else fields[19]


def _machine() -> str:
    """Names where the number of a process means the same: a machine since its start, or a container in it."""
    if os.name != "posix":
        return uuid.uuid4().hex
    parts = [platform.node()]
    with suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(parts)


def _beat(file: Path, own: str, over: threading.Event) -> None:
    while not over.wait(HEARTBEAT):
        with suppress(OSError):
            if file.read_text() == own:
                os.utime(file)
