"""An output that grows, from its first file to its last: begun or gone on with, told of, and closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rankhub import Talk
from rankhub.interfaces.processes import ALONE, Processes
from rankhub_listing.files import UnusedImage
from rankhub_train.together import by_first, gathered
from rankhub_use.answering import none_answered
from rankhub_use.growing import Growing
from rankhub_use.named import NamedFile
from rankhub_use.shell import Pace
from rankhub_use.tables import Row

Block = tuple[Sequence[Row], Sequence[UnusedImage]]
Blocks = Callable[[Sequence[NamedFile]], Iterable[Block]]
"""Files -> of some consecutive ones after the other: their rows, and those that have none."""

ROUND = 512
"""Files that each of several processes answers before the first one writes what all have found."""


def shared(blocks: Blocks, files: Sequence[NamedFile], processes: Processes) -> Iterator[Block]:
    """What ``blocks`` gives for the files, in their order: each process asks it for its part, the first one has all."""
    if processes.count == 1:
        yield from blocks(files)
        return
    each = max(1, min(ROUND, -(-len(files) // processes.count)))
    for start in range(processes.rank * each, len(files) + processes.rank * each, processes.count * each):
        part = files[start : start + each]
        for found in gathered(processes, list(blocks(part)) if part else []):
            yield from found if processes.first else ()


def fill(
    growing: Growing,
    files: Sequence[NamedFile],
    blocks: Blocks,
    talk: Talk,
    *,
    what: str,
    resume: bool,
    force: bool,
    found: Callable[[], Mapping[str, Any]] = dict,
    processes: Processes = ALONE,
) -> tuple[list[Path], UnusedImage | None]:
    """Fill an output with what ``blocks`` gives for the files that are not done yet.

    Args:
        growing: The output; let its ``kept()`` stand around the call.
        files: All that it is to hold.
        blocks: See :data:`Blocks`.
        talk: Where progress is told.
        what: What the work is called there.
        resume: Whether to go on with what is there of it.
        force: Whether to replace that.
        found: What joins the facts beside the output, asked at the end.
        processes: Those that share the work, of which the first one writes.

    Returns:
        The files that were written, and the first of those that this call left out.

    Raises:
        UserError: Not one file has a row, or the output cannot be written.
    """
    done, first = by_first(processes, lambda: growing.start(files, resume=resume, force=force)), None
    if done:
        talk.line(f"{done:,} of {len(files):,} images are done already")
    pace = Pace(talk, what, len(files), done)
    for rows, left_out in shared(blocks, files[done:], processes):
        first = first or next(iter(left_out), None)
        growing.add(rows, left_out)
        pace.at(growing.done)
    talk.finish()
    if not processes.first:
        return [], None
    if not growing.rows and first is not None:
        raise none_answered(len(files), first)
    return growing.finish(found()), first
