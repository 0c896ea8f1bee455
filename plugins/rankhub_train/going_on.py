"""Begin a run, or go on with it: what `rankhub run RECIPE --out FOLDER --resume auto` does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import rankhub
from rankhub import UserError
from rankhub_train.together import by_first, joined

if TYPE_CHECKING:
    from rankhub import LoadedRecipe, Run, Talk
    from rankhub.interfaces.processes import Processes

RESOLVED, RESULTS, PROGRESS = "recipe.resolved.yaml", "results.csv", "progress.json"
"""In the folder of a run: the recipe, without which it has not begun; the closing table; how far it is."""

BEFORE = frozenset({"recipe.yaml", "lock.json"})
"""What a run that begins writes before these."""

SHARED_WITHIN = 60
"""Seconds within which what one machine writes is seen by others: NFS keeps what it knows of a folder so long."""

SHOWN = 3
"""Differences that a sentence names."""

State = Literal["begins", "goes on", "finished"]


def begin_or_go_on(loaded: LoadedRecipe, out: Path, talk: Talk, *, allow_changes: bool = False) -> Run | None:
    """Train a recipe in a folder, or go on there from the newest checkpoint that can be read.

    Of several processes, which may be others in number than those that began, the first one looks at the folder, and
    all do what it says.

    Args:
        loaded: The recipe.
        out: The run's folder, on a disk that all machines share.
        talk: Where it is told.
        allow_changes: As for :func:`rankhub.resume`.

    Returns:
        The run; None if it was finished before.

    Raises:
        UserError: The folder holds something else, or a run of another recipe; and as of :func:`rankhub.train` and
            :func:`rankhub.resume`.
        Interrupted: As of these.
    """
    with joined(loaded.catalog) as processes:
        state = by_first(processes, lambda: state_of(loaded, out))
        _seen_by_all(processes, out)
        if state == "begins":
            return rankhub.train(loaded, out, progress=talk)
        if state == "goes on":
            return rankhub.resume(out, progress=talk, allow_changes=allow_changes)
    if processes.first:
        talk.line(f"The run {out} is finished; there is nothing to do. Name another folder with --out to train anew.")
    return None


def _seen_by_all(processes: Processes, out: Path) -> None:
    """A UserError unless all processes see the same newest checkpoint, for which a shared disk has a minute."""
    for left in reversed(range(SHARED_WITHIN)):
        own = _newest(out)
        if not any(processes.any([own != processes.from_first(own)])):
            return
        time.sleep(min(left, 1))
    raise UserError(f"--out {out} is not the same for all processes; name a folder on a disk that all machines share")


def _newest(out: Path) -> str | None:
    names = [path.name for path in (out / "checkpoints").glob("step_*") if not path.suffix]
    return max(names, default="") if out.is_dir() else None


def state_of(loaded: LoadedRecipe, out: Path) -> State:
    """Whether a run of the recipe is in the folder, which is made, and how far it is; nobody else may be at work there.

    Raises:
        UserError: It holds something else, or the run of another recipe, or another process trains it.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; name a folder")
    with loaded.catalog.held("rankhub_around_run", folder=out):
        out.mkdir(parents=True, exist_ok=True)
        if (out / RESOLVED).is_file():
            _same(rankhub.load_recipe(out / RESOLVED, catalog=loaded.catalog), loaded, out)
            return "finished" if _finished(loaded, out) else "goes on"
        for name in BEFORE:  # it was killed as it began
            (out / name).unlink(missing_ok=True)
    if other := next((path.name for path in sorted(out.iterdir()) if not path.name.startswith(".")), None):
        raise UserError(f"--out {out} holds no run but other things, such as {other}; name another folder")
    return "begins"


def _finished(loaded: LoadedRecipe, out: Path) -> bool:
    """Whether all was done: the closing table is written last; without evaluators the last checkpoint is."""
    if loaded.recipe.evaluate:
        return (out / RESULTS).is_file()
    with suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads((out / PROGRESS).read_text())["state"] == "done")
    return False


def _same(begun: LoadedRecipe, asked: LoadedRecipe, out: Path) -> None:
    """A UserError if the run of one recipe was begun by another one."""
    found = list(_differences(begun.resolved(), asked.resolved()))
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise UserError(
            f"--out {out} holds a run of another recipe: {'; '.join(found[:SHOWN])}{more}; name another folder, or "
            "give the recipe and the changes that it began with"
        )


def _differences(begun: Any, asked: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(begun, dict) and isinstance(asked, dict):
        for key in dict.fromkeys([*begun, *asked]):
            yield from _differences(begun.get(key), asked.get(key), (*path, str(key)))
    elif isinstance(begun, list) and isinstance(asked, list) and len(begun) == len(asked):
        for number, (one, other) in enumerate(zip(begun, asked, strict=True)):
            yield from _differences(one, other, (*path, str(number)))
    elif begun != asked:
        yield f"{'.'.join(path)} is {_shown(begun)} there and {_shown(asked)} here"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
