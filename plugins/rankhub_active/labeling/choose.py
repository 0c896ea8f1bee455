"""Chooses the images to label next, by the network of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import yaml

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.spec import ComponentSpec
from rankhub.engine import folder as folders
from rankhub.engine.acquire import NetworkPool
from rankhub.engine.parts import Progress
from rankhub.engine.seeds import seeded
from rankhub.engine.trained import Trained, home_of, open_run
from rankhub.interfaces.acquire import Acquirer, PoolSource, PoolStream, Rows
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub.labeling.moved import images_of
from rankhub.labeling.pool import Pool, Round, Row
from rankhub.labeling.setup import open_images, pool_recipe
from rankhub.labeling.stand_ins import as_value

RANDOM, BY_ORDER = {"use": "random"}, {"use": "ranking_uncertainty"}
"""What chooses where the recipe does not say: without a network, and with one."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A round of images.

    Attributes:
        round: The round.
        rows: Its images, the most wanted first; test images last.
        images: The pool's images, open.
        place: Path -> position in ``images``.
        notes: Sentences for the reader.
        resumed: Whether the round was there already and still has open images.
    """

    round: Round
    rows: Sequence[Row]
    images: Dataset
    place: Mapping[str, int]
    notes: Sequence[str] = field(default=())
    resumed: bool = False


@dataclass(slots=True)
class NoNetwork:
    """A pool that no network has seen; see :class:`rankhub.interfaces.acquire.PoolSource`."""

    count: int
    seed: int
    streams: Mapping[str, PoolStream] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __len__(self) -> int:
        return self.count

    def outputs(self, output: str, rows: Rows) -> OutputTable:
        """There are none."""
        raise UserError("there is no network yet that could choose; the first round is drawn at random")

    def views(self, stream: str, output: str, rows: Rows, draws: int) -> Iterator[OutputTable]:
        """There are none."""
        raise UserError("there is no network yet that could choose; the first round is drawn at random")

    def members(self) -> Sequence[PoolSource]:
        """There are none."""
        return []

    def dropped(self, number: int) -> PoolSource | None:
        """There is none."""
        return None


def open_round(pool: Pool) -> int | None:
    """The last round that has images without an answer; None if there is none."""
    rounds = [row.round for row in pool.rows(state="asked") if row.round is not None]
    return max(rounds, default=None)


def choose(
    pool: Pool,
    count: int,
    run: Path | None,
    changes: Sequence[str],
    catalog: Catalog,
    progress: Progress,
    *,
    among: int | None = None,
    more: bool = False,
) -> Chosen:
    """Begin a round, or show the one that is not over yet.

    The test images that were not asked for before are part of the round.

    Args:
        pool: The table.
        count: How many images.
        run: Whose network chooses; None = that of the last round that was trained, else chance.
        changes: Overrides of that run's recipe, such as ``acquire.draws=20``.
        catalog: Where components come from.
        progress: Told now and then.
        among: The most candidates that the network looks at, drawn at random; None = all.
        more: Whether to begin another round though one is open.

    Raises:
        UserError: Nothing is left to choose, or the acquirer cannot; nothing is changed.
    """
    last = None if more else open_round(pool)
    recipe = pool_recipe(pool.folder, catalog).recipe
    images_of(pool)
    images, report = open_images(pool.settings, recipe, catalog, progress)
    place = {path: number for number, path in enumerate(images.facts("path") or ())}
    if last is not None:
        rounds = {one.number: one for one in pool.rounds()}
        return Chosen(rounds[last], pool.rows(round=last), images, place, resumed=True)
    notes = [*report.notes, *_renewed(pool, place)]
    rows = pool.rows()
    known = [row for row in rows if row.path in place]
    free = [row for row in known if row.part == "pool" and row.state == "unlabeled"]
    tests = [row.id for row in known if row.part == "test" and row.state == "unlabeled"]
    if not free and not tests:
        raise UserError("every image of the pool has a label, was asked for or was skipped; nothing is left to choose")
    number = pool.rounds()[-1].number + 1
    if run is None:
        run = _last_run(pool)
    looked = _drawn(free, among, seeded(pool.settings.seed, f"among, round {number}"))
    taken = [row for row in known if row.part == "pool" and row.state in ("labeled", "asked")]
    if run is not None:
        changes = [*_unsaid(run, changes), *changes]
    trained = None if run is None else open_run(run, catalog, changes)
    if trained is None:
        pool_recipe(pool.folder, catalog, changes)  # they change nothing yet, but what is misspelt is said now
    acquirer, by = _acquirer(trained, catalog, changes)
    seed = seeded(pool.settings.seed if trained is None else trained.recipe.seed, f"label, round {number}")
    source: PoolSource = NoNetwork(len(images), seed)
    if trained is not None:
        source = NetworkPool(trained, images, catalog, seed, progress, changes)
    _check(acquirer, source, by)
    ids = {place[row.path]: row.id for row in known}
    candidates = _positions(looked, place)
    wanted = min(count, len(candidates))
    acquired = acquirer(source, _positions(taken, place), candidates, wanted)
    if len(acquired.rows) != wanted or not set(acquired.rows.tolist()) <= set(candidates.tolist()):
        raise ValueError(f"{by} chose {len(acquired.rows)} images in place of {wanted} of the candidates")
    chosen = [ids[index] for index in acquired.rows.tolist()]
    scores = {ids[index]: float(score) for index, score in zip(candidates.tolist(), acquired.scores, strict=True)}
    begun = pool.ask([*chosen, *tests], by, None if run is None else str(run.absolute()), scores)
    if wanted < count:
        notes.append(f"only {wanted} of the {count} images that were wanted were left")
    if tests:
        notes.append(f"test images among them, which are never trained on: {len(tests)}")
    if trained is None:
        notes.append("no network has been trained yet, so they were drawn at random")
    rounds = {one.number: one for one in pool.rounds()}
    return Chosen(rounds[begun], pool.rows(round=begun), images, place, [*notes, *acquired.notes])


def _acquirer(trained: Trained | None, catalog: Catalog, changes: Sequence[str]) -> tuple[Acquirer, str]:
    """The acquirer, and what it is called."""
    spec = ComponentSpec.model_validate(RANDOM)
    if trained is None:
        own = [change for change in changes if change.startswith("acquire")]
        if own:
            raise UserError(f"{own[0]}: no network has been trained yet; train one, or name a run")
    elif trained.recipe.acquire is not None:
        spec = trained.recipe.acquire
    else:
        spec = ComponentSpec.model_validate(BY_ORDER)
    acquirer: Acquirer = catalog.build("acquirer", spec)
    options = [f"{name}={value}" for name, value in spec.options.items() if value is not None]
    return acquirer, " ".join([spec.use, *options])


def _unsaid(run: Path, changes: Sequence[str]) -> list[str]:
    """The override that names what chooses, where only its options are changed and the run's recipe names nothing."""
    names = {change.partition("=")[0] for change in changes}
    if not any(name.startswith("acquire.") for name in names) or names & {"acquire", "acquire.use"}:
        return []
    said = yaml.safe_load((home_of(run) / folders.RESOLVED).read_text()).get("acquire")
    return [] if said else [f"acquire={as_value(BY_ORDER)}"]


def _check(acquirer: Acquirer, source: PoolSource, by: str) -> None:
    if isinstance(source, NoNetwork):
        return
    objections = list(acquirer.check(source.streams, source.numbers))
    if objections:
        raise UserError(f"{by.partition(' ')[0]}: {objections[0]}")


def _last_run(pool: Pool) -> Path | None:
    runs = [one.trained for one in pool.rounds() if one.trained is not None]
    return Path(runs[-1]) if runs else None


def _positions(rows: Iterable[Row], place: Mapping[str, int]) -> Rows:
    return np.array(sorted(place[row.path] for row in rows), dtype=np.int64)


def _drawn(rows: Sequence[Row], among: int | None, seed: int) -> Sequence[Row]:
    if among is None or among >= len(rows):
        return rows
    order = Draws(seed, "candidates", 0).shuffled(len(rows))
    return [rows[number] for number in order[:among].tolist()]


def _renewed(pool: Pool, place: Mapping[str, int]) -> list[str]:
    """Take new images into the pool; sentences on images that came or went since it was made."""
    paths = set(pool.ids())
    gone, new = sorted(paths - set(place)), sorted(set(place) - paths)
    notes = []
    if gone:
        notes.append(f"{len(gone)} images of the pool cannot be found or read any more, such as {gone[0]}")
    if new:
        pool.add(new)
        notes.append(f"{len(new)} new images of the folder were taken into the pool, such as {new[0]}")
    return notes
