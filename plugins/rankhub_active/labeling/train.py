"""Trains on the labels of a pool, from where the last round's network stands."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import rankhub
from rankhub import ChangedError, Interrupted, Run, Talk, UserError
from rankhub_active.labeling.earlier import BEFORE, bring_up
from rankhub_active.labeling.export import are_labels, write_csv, write_labels
from rankhub_active.labeling.moved import gone_from, images_of
from rankhub_active.labeling.pool import Part, Pool
from rankhub_active.labeling.replaced_data import POOL_FILE, TEST_FILE, TRAIN_FILE, as_value, overrides
from rankhub_active.labeling.settings import LABELS, RECIPE, RESOLVED, RUNS
from rankhub_active.labeling.setup import pool_recipe


@dataclass(frozen=True, slots=True)
class Trained:
    """How training ended.

    Attributes:
        stopped: Whether it was before its end, so that it may go on.
        run: The run's folder.
        resumed: Whether a run that was interrupted went on.
        code: Exit code that says how it was stopped.
    """

    stopped: bool
    run: Path
    resumed: bool
    code: int = 130


def train(
    pool: Pool,
    changes: Sequence[str],
    talk: Talk,
    *,
    scratch: bool = False,
    anew: bool = False,
    forget: bool = False,
) -> Trained:
    """Learn from all labels that are there.

    A run that was interrupted goes on, if labels and images are still those that it began with; else another begins.

    ``changes`` are those of this run and of later ones, until another value is given or ``forget`` leaves them out that
    were given before. ``scratch``: begin with untrained weights, in place of those of the last run;
    ``anew``: train once more on labels that were trained on.

    Raises:
        UserError: There is no label, they were trained on already, or the recipe cannot learn from them.
    """
    if pool.settings.labeled is None:
        raise UserError(
            "the recipe learns from no labels, so there is nothing to train; `rankhub label export` writes them"
        )
    counts = pool.counts()
    if not counts.get(("pool", "labeled"), 0):
        raise UserError("no image of the pool has a label yet: rankhub label serve, or rankhub label ingest FILE")
    rounds = pool.rounds()
    number = rounds[-1].number
    before = [one.trained for one in rounds if one.trained is not None]
    last = _last(pool)
    images = images_of(pool)
    gone = set(gone_from(images, pool.ids()))
    if last is not None and not anew and _same(pool, last, gone):
        run = pool.folder / RUNS / last.name
        if str(run.absolute()) in before:
            raise UserError(f"{run} has learned from these labels already; answer more, or train once more with --anew")
        if (run / RESOLVED).is_file():
            if changes or scratch or forget:
                raise UserError(
                    f"{run} was interrupted and goes on with the options it began with; leave them away, or --anew"
                )
            bring_up(pool.folder)
            if _edited(pool, run):
                raise UserError(
                    f"{pool.folder / RECIPE} was edited since {run} was interrupted, which goes on with the recipe it "
                    "began with; put it back, or --anew"
                )
            begun = int(last.name.partition("_")[0])
            try:
                return _ended(pool, begun, run, lambda: rankhub.resume(run, progress=talk), resumed=True)
            except ChangedError as changed:
                talk.note(f"another run begins, as {str(changed).partition('; put')[0]}")
    _say_gone(pool, gone, talk)
    files = _new(pool, number, before, gone)
    run = pool.folder / RUNS / files.name
    test = bool(counts.get(("test", "labeled"), 0))
    kept = () if forget else pool.settings.changes
    if kept:
        talk.note(f"changes of the runs before hold for this one too: {shlex.join(kept)} (--forget leaves them out)")
    given = {_path(change) for change in changes}
    changes = [*(change for change in kept if _path(change) not in given), *changes]
    wanted = [*_wanted(pool, files, test), *changes]
    if before and not scratch:
        wanted.insert(0, f"start_from={as_value({'run': before[-1]})}")
    loaded = pool_recipe(pool.folder, wanted)
    if tuple(changes) != pool.settings.changes:
        pool.settings = pool.settings.model_copy(update={"changes": tuple(changes)})
        pool.settle(pool.settings)
    return _ended(pool, number, run, lambda: rankhub.train(loaded, run, progress=talk), resumed=False)


def _path(change: str) -> str:
    return change.partition("=")[0].strip()


def _wanted(pool: Pool, files: Path, test: bool) -> list[str]:
    """The data of this run; without labels of test images, also its evaluators, but those that judge on them."""
    recipe = pool_recipe(pool.folder)
    wanted = overrides(pool.settings, recipe, files.absolute(), test)
    if pool.settings.test is not None and not test:
        kept, best, _ = rankhub.without_evaluators(recipe.resolved(), [pool.settings.test])
        wanted += [f"evaluate={as_value(kept)}", f"keep_best={as_value(best)}"]
    return wanted


def _ended(pool: Pool, number: int, run: Path, training: Callable[[], Run], *, resumed: bool) -> Trained:
    """Train, and note a run that came to its end."""
    try:
        stopped = training().stopped
    except Interrupted as interrupted:
        return Trained(True, run, resumed, interrupted.code)
    if not stopped:
        pool.trained(number, str(run.absolute()))
    return Trained(stopped, run, resumed)


def _edited(pool: Pool, run: Path) -> bool:
    """Whether the recipe is another than when a run began; one of an earlier version was kept beside it."""
    files = [pool.folder / RECIPE, pool.folder / f"{RECIPE}{BEFORE}"]
    return (run / RECIPE).is_file() and (run / RECIPE).read_text() not in [f.read_text() for f in files if f.is_file()]


def _last(pool: Pool) -> Path | None:
    """The labels of the last run, in whichever round it began: ``ROUND`` or ``ROUND_TIME``, its second time and on."""
    found = [path for path in (pool.folder / LABELS).glob("[0-9]*") if path.is_dir() and not path.suffix]
    return max(found, key=lambda path: [int(part) for part in path.name.split("_")], default=None)


def _new(pool: Pool, number: int, before: Sequence[str], gone: Set[str]) -> Path:
    """A folder with the labels of a new run; it takes the place of one whose run never began."""
    for time in range(1, 1000):
        name = f"{number:03d}" if time == 1 else f"{number:03d}_{time}"
        folder = pool.folder / LABELS / name
        run = pool.folder / RUNS / name
        if not run.exists() and str(run.absolute()) not in before:
            break
    else:
        raise UserError(f"round {number} was trained a thousand times; remove some folders of {pool.folder / LABELS}")
    beside = folder.with_name(f"{folder.name}.partial")
    beside.mkdir(parents=True, exist_ok=True)
    _write(pool, beside, gone)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    return folder


def _write(pool: Pool, folder: Path, gone: Set[str]) -> None:
    write_labels(pool, "pool", folder / TRAIN_FILE, without=gone)
    write_labels(pool, "test", folder / TEST_FILE, without=gone)
    # An image that is gone by now has no views to learn an order from; `next` has named it.
    there = ((row.path,) for row in pool.rows(part="pool") if row.path not in gone)
    write_csv(folder / POOL_FILE, ("path",), there)


def _same(pool: Pool, folder: Path, gone: Set[str]) -> bool:
    """Whether the labels of the table are those in ``folder``."""
    names: dict[Part, str] = {"pool": TRAIN_FILE, "test": TEST_FILE}
    return all(are_labels(pool, part, folder / name, without=gone) for part, name in names.items())


def _say_gone(pool: Pool, gone: Set[str], talk: Talk) -> None:
    labeled = pool.rows(state="labeled")
    lost = [row.path for row in labeled if row.path in gone]
    images = pool.settings.images
    if all(row.path in gone for row in labeled if row.part == "pool"):
        raise UserError(f"none of the labeled images is in {images} any more, such as {lost[0]}")
    if lost:
        talk.note(f"labels of {len(lost)} images that are not in {images} any more are left out, such as {lost[0]}")
