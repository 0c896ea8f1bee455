"""Chooses the images to label next, by the network of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import rankhub
from rankhub import Run, UserError
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.draws import Draws, seeded
from rankhub_active.acquire import Acquired, Acquirer, PoolSource, Rows
from rankhub_active.acquirers.network_pool import NetworkPool, NoNetwork
from rankhub_active.labeling.moved import images_of
from rankhub_active.labeling.pool import Pool, PoolRow, Round
from rankhub_active.labeling.replaced_data import as_value
from rankhub_active.labeling.setup import open_images, pool_recipe

RANDOM, BY_ORDER = {"use": "rankhub_active/random"}, {"use": "rankhub_active/ranking_uncertainty"}
"""What chooses where the recipe does not say: without a network, and with one."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be chosen.

    Attributes:
        count: How many images.
        run: Whose network chooses; None = that of the last round that was trained, else chance.
        changes: Overrides of that run's recipe, such as ``acquire.draws=20``.
        among: The most candidates that the network looks at, drawn at random; None = all.
        more: Whether to begin another round though one is open.
    """

    count: int
    run: Path | None = None
    changes: Sequence[str] = ()
    among: int | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """A round of images.

    Attributes:
        round: The round.
        rows: Its images, the most wanted first; test images last.
        images: The pool's images, open.
        position: Path -> position in ``images``.
        notes: Sentences for the reader.
        resumed: Whether the round was there already and still has open images.
    """

    round: Round
    rows: Sequence[PoolRow]
    images: Dataset
    position: Mapping[str, int]
    notes: Sequence[str] = field(default=())
    resumed: bool = False


def open_round(pool: Pool) -> int | None:
    """The last round that has images without an answer; None if there is none."""
    rounds = [row.round for row in pool.rows(state="asked") if row.round is not None]
    return max(rounds, default=None)


def choose(pool: Pool, request: Request, progress: Callable[[int, int, str], None]) -> Chosen:
    """Begin a round, or show the one that is not over yet.

    The test images that were not asked for before are part of the round.

    Raises:
        UserError: Nothing is left to choose, or the acquirer cannot; nothing is changed.
    """
    last = None if request.more else open_round(pool)
    recipe = pool_recipe(pool.folder)
    images_of(pool)
    images, report = open_images(pool.settings, recipe, progress)
    position = {path: number for number, path in enumerate(images.facts("path") or ())}
    if last is not None:
        rounds = {one.number: one for one in pool.rounds()}
        return Chosen(rounds[last], pool.rows(round=last), images, position, resumed=True)
    notes = [*report.notes, *_renewed(pool, position)]
    rows = pool.rows()
    known = [row for row in rows if row.path in position]
    free = [row for row in known if row.part == "pool" and row.state == "unlabeled"]
    tests = [row.id for row in known if row.part == "test" and row.state == "unlabeled"]
    if not free and not tests:
        raise UserError("every image of the pool has a label, was asked for or was skipped; nothing is left to choose")
    number = pool.rounds()[-1].number + 1
    looked = _drawn(free, request.among, seeded(pool.settings.seed, f"among, round {number}"))
    taken = [row for row in known if row.part == "pool" and row.state in ("labeled", "asked")]
    run = _last_run(pool) if request.run is None else request.run
    trained, spec = _without_run(pool, request.changes) if run is None else _of_run(run, request.changes)
    acquirer: Acquirer = rankhub.build("acquirer", spec, catalog=recipe.catalog)
    by = _called(spec)
    seed = seeded(
        pool.settings.seed if trained is None else trained.recipe.resolved()["seed"], f"label, round {number}"
    )
    source: PoolSource = NoNetwork(len(images), seed)
    if trained is not None:
        source = NetworkPool(trained, images, seed, progress)
        for objection in acquirer.check(source.streams, source.numbers):
            raise UserError(f"{by.partition(' ')[0]}: {objection}")
    ids = {position[row.path]: row.id for row in known}
    candidates = _positions(looked, position)
    wanted = min(request.count, len(candidates))
    acquired = acquirer(source, _positions(taken, position), candidates.copy(), wanted)
    for said in wrong_choice(acquired, candidates, wanted):
        entry = recipe.catalog.find("acquirer", spec["use"])
        raise UserError(f"{entry.title} {entry.version} {said}; tell its author")
    chosen = [ids[index] for index in acquired.rows.tolist()]
    scores = {ids[index]: float(score) for index, score in zip(candidates.tolist(), acquired.scores, strict=True)}
    begun = pool.ask([*chosen, *tests], by, None if run is None else str(run.absolute()), scores)
    if wanted < request.count:
        notes.append(f"only {wanted} of the {request.count} images that were wanted were left")
    if tests:
        notes.append(f"test images among them, which are never trained on: {len(tests)}")
    if trained is None:
        notes.append("no network has been trained yet, so they were drawn at random")
    rounds = {one.number: one for one in pool.rounds()}
    return Chosen(rounds[begun], pool.rows(round=begun), images, position, [*notes, *acquired.notes])


def _without_run(pool: Pool, changes: Sequence[str]) -> tuple[None, Mapping[str, Any]]:
    """Chance. The changes change nothing yet, but what is misspelt is said now."""
    pool_recipe(pool.folder, changes)
    if own := _of_acquirer(changes):
        raise UserError(f"{own[0]}: no network has been trained yet; train one, or name a run")
    return None, RANDOM


def _of_run(path: Path, changes: Sequence[str]) -> tuple[Run, Mapping[str, Any]]:
    """The run, and the acquirer that its recipe names or the changes do, options of the one that serves by default too.

    Raises:
        UserError: It is no run, or the changes do not fit its recipe.
    """
    own = _of_acquirer(changes)
    run = rankhub.load_run(path, overrides=[change for change in changes if change not in own])
    said: Mapping[str, Any] = run.recipe.resolved().get("acquire") or BY_ORDER
    if own:
        said = rankhub.load_recipe(run.recipe, [f"acquire={as_value(said)}", *own]).resolved()["acquire"]
    return run, said


def _of_acquirer(changes: Sequence[str]) -> list[str]:
    return [change for change in changes if change.partition("=")[0].strip().partition(".")[0] == "acquire"]


def _called(spec: Mapping[str, Any]) -> str:
    """The acquirer in short, with its options."""
    options = [f"{name}={value}" for name, value in spec.items() if name != "use" and value is not None]
    return " ".join([spec["use"].rpartition("/")[2], *options])


def _last_run(pool: Pool) -> Path | None:
    runs = [one.trained for one in pool.rounds() if one.trained is not None]
    return Path(runs[-1]) if runs else None


def _positions(rows: Iterable[PoolRow], position: Mapping[str, int]) -> Rows:
    return np.array(sorted(position[row.path] for row in rows), dtype=np.int64)


def _drawn(rows: Sequence[PoolRow], among: int | None, seed: int) -> Sequence[PoolRow]:
    if among is None or among >= len(rows):
        return rows
    order = Draws(seed, "candidates", 0).shuffled(len(rows))
    return [rows[number] for number in order[:among].tolist()]


def _renewed(pool: Pool, position: Mapping[str, int]) -> list[str]:
    """Take new images into the pool; sentences on images that came or went since it was made."""
    paths = set(pool.ids())
    gone, new = sorted(paths - set(position)), sorted(set(position) - paths)
    notes = []
    if gone:
        notes.append(f"{len(gone)} images of the pool cannot be found or read any more, such as {gone[0]}")
    if new:
        pool.add(new)
        notes.append(f"{len(new)} new images of the folder were taken into the pool, such as {new[0]}")
    return notes


def wrong_choice(chosen: Any, candidates: Rows, count: int) -> Iterator[str]:
    """What is wrong with the choice of ``count`` among candidates [n], as ends of sentences; nothing if it is fine."""
    if not isinstance(chosen, Acquired):
        yield f"gave {type(chosen).__name__}, it must be an Acquired"
        return
    rows, scores = np.asarray(chosen.rows), np.asarray(chosen.scores)
    if rows.dtype.kind not in "iu" or rows.shape != (count,):
        yield f"chose {rows.dtype} {list(rows.shape)}, it must choose {count} rows of the pool, whole numbers"
    elif not np.isin(rows, candidates).all() or len(np.unique(rows)) != count:
        yield f"chose {rows.tolist()[:8]}, which are not {count} different ones of the candidates"
    if scores.dtype.kind not in "fiu" or scores.shape != candidates.shape:
        yield f"gave scores {scores.dtype} {list(scores.shape)}, they must be {len(candidates)}, one a candidate"
