"""Labeling in rounds on data whose labels are all known: choose, take the true labels, train, and again.

By the code of ``rankhub label``, whose folder each job is.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

import rankhub
from rankhub import Catalog, LoadedRecipe, Talk, UserError
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.files import read_json, write_text
from rankhub_active.labeling.answers import ingest
from rankhub_active.labeling.choose import RANDOM, Request, choose
from rankhub_active.labeling.export import write_csv
from rankhub_active.labeling.pool import Pool, Round
from rankhub_active.labeling.replaced_data import find_replaced_data
from rankhub_active.labeling.settings import RUNS, LabelingOptions
from rankhub_active.labeling.setup import set_up
from rankhub_active.labeling.train import train
from rankhub_console.speech import talking
from rankhub_lock import locked
from rankhub_study.fingerprint import fingerprint
from rankhub_study.plan import Patches, Rounds
from rankhub_study.records import Record
from rankhub_study.results import AFTER
from rankhub_study.worker import pairs_of

IMAGES, LABELS = "images", "labels.csv"
"""In a pool's folder: its images, and what people would have said of them."""
ROWS, PAIRS = "rounds.json", "pairs.json"
"""In a job's folder: what the rounds that are over have found, and the true and predicted values of every image."""


def label_in_rounds(task: Any) -> Record:
    """Do all rounds of a job that are not there.

    Raises:
        UserError: The recipe learns from no labels, or there are fewer than the last round wants.
    """
    rounds: Rounds = task.rounds
    loaded = rankhub.load_recipe(task.recipe, list(task.overrides), overlays=list(task.overlays), need_data=True)
    talk = talking()
    pool = _true_labels(loaded, rounds, task.pools, talk)
    if task.first is None:
        if not (task.folder / "pool.db").is_file():
            shutil.rmtree(task.folder, ignore_errors=True)
            set_up(task.folder, loaded, LabelingOptions(pool / IMAGES, seed=loaded.resolved()["seed"]), talk.work)
    elif not task.folder.exists():
        half = task.folder.with_name(f"{task.folder.name}.partial")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(task.first, half, ignore=shutil.ignore_patterns("study.json"))
        half.rename(task.folder)
    wanted = rounds.labels[:1] if task.first is None else rounds.labels
    chain = LabelingJob(task.folder, rounds, loaded.resolved().get("acquire") or RANDOM, pool / LABELS, talk)
    begun = time.monotonic()
    for labels in wanted:
        chain.round(labels)
    return {"rows": chain.rows(), "steps": 0, "training": time.monotonic() - begun, "pairs": chain.pairs()}


@dataclass(frozen=True)
class LabelingJob:
    """The rounds of one job.

    Attributes:
        folder: Its folder of labeling.
        rounds: What the plan says of them.
        acquirer: What chooses.
        truth: File of the true labels.
        talk: Where it speaks.
    """

    folder: Path
    rounds: Rounds
    acquirer: Mapping[str, Any]
    truth: Path
    talk: Talk

    def rows(self) -> dict[str, dict[str, float]]:
        """Number of labels -> metrics, of the rounds that are over."""
        return self._kept(ROWS, dict[str, dict[str, float]])

    def pairs(self) -> dict[str, dict[str, list[list[float]]]]:
        """Number of labels -> evaluator -> true and predicted values of every image, likewise."""
        return self._kept(PAIRS, dict[str, dict[str, list[list[float]]]])

    def _kept(self, name: str, shape: Any) -> dict[str, Any]:
        file, remedy = self.folder / name, "remove it, and the rounds are measured again"
        return dict(read_json(file, shape, remedy)) if file.exists() else {}

    def round(self, labels: int) -> None:
        """Come to so many labels and learn from them, unless that is done."""
        rows, pairs = self.rows(), self.pairs()
        if str(labels) in rows and str(labels) in pairs:
            return
        pool = Pool(self.folder)
        have = pool.counts().get(("pool", "labeled"), 0)
        if have < labels:
            changes = [f"acquire={json.dumps(dict(self.acquirer))}"] if pool.rounds()[-1].trained is not None else []
            chosen = choose(pool, Request(labels - have, changes=changes), self.talk.work)
            ingest(pool, self._answers({row.path for row in chosen.rows}))
        run = self._round_of(pool, labels).trained
        if run is None:  # else the stop came between training and this, or what was measured is gone
            later = [f"{path}={json.dumps(value)}" for path, value in self.rounds.later.items()] if rows else []
            begun = self._unfinished(pool)
            ended = train(pool, [] if begun else later, self.talk, scratch=self.rounds.scratch and not begun)
            if ended.stopped:
                raise KeyboardInterrupt
            run = str(ended.run)
        # Its tables alone: runs of earlier rounds have no weights any more.
        found = rankhub.Run(Path(run), Catalog.discover())
        if not found.metrics:
            raise UserError(f"{run} holds no measurement; remove {self.folder}, and its rounds are done again")
        write_text(self.folder / PAIRS, json.dumps({**pairs, str(labels): pairs_of(found).get(AFTER, {})}))
        write_text(self.folder / ROWS, json.dumps({**rows, str(labels): found.metrics}))
        *earlier, _ = [Path(one.trained).name for one in pool.rounds() if one.trained is not None]
        for name in earlier:  # no later round begins with their weights
            shutil.rmtree(self.folder / RUNS / name / "checkpoints", ignore_errors=True)

    def _round_of(self, pool: Pool, labels: int) -> Round:
        """The round that came to so many labels; not the last one where those before it are measured again."""
        given = [row.round or 0 for row in pool.rows(state="labeled", part="pool")]
        for one in reversed(pool.rounds()):
            if sum(number <= one.number for number in given) == labels:
                return one
        raise UserError(f"no round of {self.folder} came to {labels} labels; remove it, and its rounds are done again")

    def _unfinished(self, pool: Pool) -> bool:
        """Whether a run was stopped halfway, which then goes on with the changes that it began with."""
        trained = {Path(one.trained).name for one in pool.rounds() if one.trained is not None}
        runs = (self.folder / RUNS).glob("*/recipe.resolved.yaml")
        return any(file.parent.name not in trained for file in runs)

    def _answers(self, paths: set[str]) -> Path:
        """What people would have said of these images."""
        file = self.folder / "answers.csv"
        try:
            with self.truth.open(newline="", encoding="utf-8") as source:
                head, *rows = csv.reader(source)
            given = [row for row in rows if row[0] in paths]
        except (OSError, ValueError, IndexError, csv.Error) as error:
            remedy = f"remove the folder {self.truth.parent}, and the study writes it again"
            raise UserError(f"{self.truth} is damaged or cannot be read ({error}); {remedy}") from None
        write_csv(file, head, given)
        return file


def _true_labels(loaded: LoadedRecipe, rounds: Rounds, parent: Path, talk: Talk) -> Path:
    """The pool of the recipe's own labeled data, written once for all jobs: images, and their labels."""
    found = find_replaced_data(loaded, LabelingOptions(Path()))
    if found.labeled is None:
        raise UserError("the recipe learns from no labels, so there is nothing to label")
    spec = loaded.resolved()["data"][found.labeled]
    told = json.dumps([spec, rounds.patches and rounds.patches.model_dump(), fingerprint(Path(str(spec.get("root"))))])
    folder = parent / hashlib.sha256(told.encode()).hexdigest()[:12]
    with locked(parent / f"{folder.name}.lock", sentence=f"another process writes {folder}", patience=3600.0):
        if not (folder / LABELS).is_file():
            _write_pool(loaded, spec, found.labeled, rounds, folder, talk)
    return folder


def _write_pool(
    loaded: LoadedRecipe, spec: Mapping[str, Any], name: str, rounds: Rounds, folder: Path, talk: Talk
) -> None:
    dataset, _ = rankhub.open_data(spec, loaded, talk.work)
    patches, points, scores = rounds.patches, dataset.points(), dataset.labels()
    if patches is not None and points is None:
        raise UserError(f"`rounds.patches`: what data.{name} says of whole images is not known of parts of them")
    count = len(dataset) * (1 if patches is None else patches.number)
    if count < rounds.labels[-1]:
        raise UserError(f"`rounds.labels` wants {rounds.labels[-1]}, and data.{name} gives a pool of only {count}")
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    rows: list[tuple[Any, ...]] = []
    for index in range(len(dataset)):
        image = dataset[index].image
        if points is None:
            assert scores is not None
            score = dataset.label.turned(np.asarray(scores[index : index + 1], dtype=np.float64))
            rows.append((_save(folder, f"{index:05d}", image), float(score[0])))
            continue
        for number, (part, inside) in enumerate(parts(image, points[index][:, :2], index, patches)):
            path = _save(folder, f"{index:05d}" if patches is None else f"{index:05d}_{number}", part)
            rows += [(path, x, y) for x, y in inside.tolist()] or [(path, "", "")]
    write_csv(folder / LABELS, ("path", "score") if points is None else ("path", "x", "y"), rows)


def _save(folder: Path, name: str, image: Tensor) -> str:
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / IMAGES / f"{name}.png")
    return f"{name}.png"


def parts(
    image: Tensor, points: npt.NDArray[np.float64], index: int, patches: Patches | None
) -> Iterator[tuple[Tensor, npt.NDArray[np.float64]]]:
    """The image, or squares of it that do not overlap, drawn at random; each with the points inside it.

    The image is [3, H, W] uint8, points are [n, 2] x and y in pixels from the left and the top edge; ``index`` of the
    image draws the squares.

    Raises:
        UserError: The image has fewer such squares than are wanted.
    """
    height, width = image.shape[-2:]
    # A point on the far edge, or beyond it, belongs to the last pixel.
    points = np.clip(points, 0, np.nextafter((width, height), 0))
    if patches is None:
        yield image, points
        return
    side = patches.side
    corners = [(y, x) for y in range(0, height - side + 1, side) for x in range(0, width - side + 1, side)]
    if len(corners) < patches.number:
        raise UserError(
            f"`rounds.patches`: an image of {width} x {height} pixels has only {len(corners)} squares of {side}, not "
            f"{patches.number}"
        )
    for number in Draws(0, "patches", index).shuffled(len(corners))[: patches.number].tolist():
        y, x = corners[number]
        inside = points[((points >= (x, y)) & (points < (x + side, y + side))).all(axis=1)]
        yield image[:, y : y + side, x : x + side], inside - (x, y)
