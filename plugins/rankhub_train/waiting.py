"""How OpenMP's threads wait for their next piece of work, in a process that computes alone on its machine.

Threads that sleep after every small region cost up to half of a training; threads that spin take the cores from others.
OpenMP reads its variables once, when torch is imported, so they stand for that long only and no child inherits them.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SPIN = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "1000000"}
"""Spin, but for some ten milliseconds at most: what waits longer, as for a batch of workers, frees the cores."""

DECIDED = ("OMP_", "GOMP_", "KMP_")
"""How the variables begin by which a user, or a launcher of several processes, has decided."""

TRIAL, BUSY = 0.1, 0.25
"""Seconds for which others are watched, and the share of all cores that they may use meanwhile."""

GROUPS, OWN_GROUPS, TIMES = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"), Path("/proc/stat")


@contextmanager
def spinning() -> Iterator[None]:
    """Where torch is imported inside, its threads spin while they wait, if nothing speaks against it.

    For verbs that train or predict: around what imports torch first, but not around the work itself.
    """
    here = SPIN if "torch" not in sys.modules and may_spin(os.environ) else {}
    os.environ.update(here)
    try:
        yield
    finally:
        for name in here:
            os.environ.pop(name, None)


def may_spin(environment: Mapping[str, str]) -> bool:
    """Whether nobody else needs the cores and the user has not decided otherwise."""
    if any(name.startswith(DECIDED) for name in environment) or environment.get("WORLD_SIZE", "1") != "1":
        return False
    try:
        return len(os.sched_getaffinity(0)) == os.cpu_count() and not _limited() and not _shared()
    except (AttributeError, OSError, ValueError):  # a system that does not tell
        return False


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _limited() -> bool:
    """Whether a control group, or one that it is in, limits this process's share of the cores."""
    for line in OWN_GROUPS.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            folder = GROUPS / ("cpu" if controllers else "") / path.lstrip("/")
            for group in (folder, *folder.parents):
                files = (group / "cpu.max", group / "cpu.cfs_quota_us")
                if any(file.exists() and file.read_text().split()[0] not in ("max", "-1") for file in files):
                    return True
    return False


def _shared() -> bool:
    """Whether others use the cores now. The load average says what a run used that ended a minute ago."""
    used, whole = _ticks()
    time.sleep(TRIAL)
    then, end = _ticks()
    return then - used > BUSY * (end - whole)


def _ticks() -> tuple[int, int]:
    """Of all cores since the system began: the ticks that were used, and all."""
    user, nice, system, idle, waiting, *others = map(int, TIMES.read_text().splitlines()[0].split()[1:9])
    return user + nice + system + sum(others), user + nice + system + idle + waiting + sum(others)
