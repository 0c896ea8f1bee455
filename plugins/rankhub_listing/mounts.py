"""On which file systems a folder's times tell of every name that is added to it or removed from it."""

from __future__ import annotations

import os
import re
from pathlib import Path

TABLE = Path("/proc/self/mountinfo")
"""Linux's table of what is mounted where; elsewhere there is none, and nothing is known of a file system."""

_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs", "tmpfs", "overlay"}
    | {"squashfs", "erofs", "iso9660", "udf"}
)
"""By the clock of this machine."""
_SERVED = frozenset({"nfs", "nfs4"})
"""By the clock of a server. Where each client sends its own (Lustre, Ceph), a change may carry an earlier time than the
one before it; drives of Windows, and those of programs (FUSE), need not keep a folder's times at all."""

SECOND = 1_000_000_000
_TICK = 2 * SECOND
"""Their coarsest clock goes by the second: a change in the same second leaves the time as it is."""
_SKEW = 86_400 * SECOND
"""By how much a server's clock may differ from this machine's."""


def quiet_time(directory: str) -> int | None:
    """How long ago a folder must have changed last, in nanoseconds, for its times to tell of any later change.

    Returns:
        None where they need not tell of it however long ago that was.
    """
    try:
        kind = _kind(os.path.realpath(directory), TABLE.read_text("utf-8", "surrogateescape"))
    except OSError:
        return None
    if kind in _LOCAL:
        return _TICK
    return _SKEW if kind in _SERVED else None


def _kind(directory: str, table: str) -> str:
    """The kind of the file system that is mounted nearest above a folder."""
    found, longest = "", 0
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
        # Of two at one place the later one hides the first.
        if f"{directory}/".startswith(point.rstrip("/") + "/") and len(point) >= longest:
            found, longest = after.partition(" ")[0], len(point)
    return found
