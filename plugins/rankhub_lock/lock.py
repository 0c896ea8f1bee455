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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rankhub import UserError
from rankhub.interfaces.files import unwritable

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
    """Hold a file, which is made, and removed at the end; one whose holder was killed, or a copy, is taken over.

    Args:
        file: The file.
        sentence: What is said if another process holds it; which one is added.
        patience: Seconds to wait for the other.

    Raises:
        UserError: Another process holds it, or its folder cannot be made.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(file.parent, error, "name a folder that can be made") from error
    seen, since, until = ("", 0), time.monotonic(), time.monotonic() + patience
    while not isinstance(found := _take(file, seen if time.monotonic() - since > SILENCE else None), str):
        who = _read(found[0])
        alive = _is_here(who) or (found[0] == seen[0] and found != seen)
        if alive and time.monotonic() >= until:
            raise UserError(f"{sentence} (process {who.get('pid')} on {who.get('host')}, since {who.get('since')})")
        if found != seen:
            if not alive:
                log.warning(f"{file} is held on {who.get('host')}; whether that lives is known in {SILENCE:.0f} s")
            seen, since = found, time.monotonic()
        time.sleep(0.2)
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT):
            with suppress(OSError):
                if file.read_text() == found:
                    os.utime(file)

    threading.Thread(target=beat, daemon=True, name="heartbeat").start()
    try:
        yield
    finally:
        over.set()
        with suppress(OSError):
            if file.read_text() == found:
                file.unlink()


def held(file: Path) -> bool:
    """Whether a process that may still live holds the file; nothing is changed."""
    with suppress(OSError):
        status = file.stat()
        return _holds(file.read_text(), status.st_mtime_ns, status.st_ino)
    return False


def _take(file: Path, silent: Held | None) -> str | Held:
    """Hold the file if its holder is gone, or was ``silent``: what is written then; else what stands in it."""
    while True:
        with file.open("a+") as handle:
            if fcntl is not None:
                with suppress(OSError):  # a file system may not know it
                    fcntl.flock(handle, fcntl.LOCK_EX)  # while this looks and writes
            status = os.fstat(handle.fileno())
            handle.seek(0)
            held = handle.read(), status.st_mtime_ns
            with suppress(FileNotFoundError):  # its holder may have removed it meanwhile
                if file.stat().st_ino == status.st_ino:
                    if held != silent and _holds(*held, status.st_ino):
                        return held
                    handle.truncate(0)
                    who = {"host": platform.node(), "pid": os.getpid(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
                    text = json.dumps(
                        {**who, "began": _began(os.getpid()), "machine": _machine(), "file": status.st_ino}
                    )
                    handle.write(text)
                    return text


def _holds(text: str, beat: int, file: int) -> bool:
    """Whether the process that wrote ``text`` may still live, and meant this file."""
    who = _read(text)
    if who.get("file", file) != file or not text:
        return False
    if _is_here(who):
        began = _began(who["pid"])
        return began is not None and ("" in (began, who["began"]) or began == who["began"])
    return time.time() - beat / 1e9 < 10 * SILENCE


def _read(text: str) -> dict[str, Any]:
    with suppress(ValueError):
        who = json.loads(text)
        if isinstance(who, dict) and isinstance(who.get("pid"), int) and isinstance(who.get("began"), str):
            return who
    return {}


def _is_here(who: dict[str, Any]) -> bool:
    """Whether this machine can tell if a process lives; elsewhere than on POSIX, to ask for it would end it."""
    return os.name == "posix" and who.get("machine") == _machine()


def _machine() -> str:
    """Names where the number of a process means the same: a machine since its start, or a container in it."""
    parts = [platform.node()]
    with suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(parts)


def _began(pid: int) -> str | None:
    """When a process of this machine began, empty if that is not told; None if it is gone."""
    try:
        if os.name == "posix":
            os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (ProcessLookupError, OverflowError):
        return None
    except OSError as error:  # another user's, or a system without such files
        return None if isinstance(error, FileNotFoundError) and os.path.exists("/proc/self/stat") else ""
    return None if fields[0] in "ZX" else fields[19]
