"""Sets up a folder of labeling: the pool's table, and the recipe that learns from its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import rankhub
from rankhub import LoadedRecipe, UserError
from rankhub.interfaces.data import DataReport, Dataset
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.files import readable, write_text
from rankhub_active.labeling.earlier import bring_up
from rankhub_active.labeling.fit import fitting
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.replaced_data import (
    ReplacedData,
    as_value,
    find_replaced_data,
    overrides,
    reader,
    takes_of,
)
from rankhub_active.labeling.settings import RECIPE, LabelingOptions, Settings

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class SetUp:
    """What was set up.

    Attributes:
        pool: The table.
        report: What was found in the folder of images.
        notes: Sentences on what the pool stands in for.
    """

    pool: Pool
    report: DataReport
    notes: Sequence[str] = field(default=())


def set_up(folder: Path, loaded: LoadedRecipe, options: LabelingOptions, progress: Progress) -> SetUp:
    """Make a folder of labeling.

    Raises:
        UserError: The folder is there, the images are not, or recipe and wishes do not fit; nothing is left behind.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder.absolute()} is there already; name another folder with --folder")
    found = find_replaced_data(loaded, options)
    settings = _settings(found, options)
    own = _own_recipe(folder, loaded, found, settings)
    images, report = open_images(settings, loaded, progress)
    paths = images.facts("path") or ()
    if options.test >= len(paths):
        raise UserError(f"--test {options.test} leaves none of the {len(paths)} images to choose from")
    notes = [*_notes(found, settings), *fitting(own, settings, images, options.test)]
    fresh = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / RECIPE, own.resolved_text())
        pool = Pool.create(folder, settings, paths, _drawn(sorted(paths), options.test, options.seed))
    except OSError as error:
        raise UserError(f"the folder {folder.absolute()} cannot be made: {error.strerror}") from error
    except UserError:
        (folder / RECIPE).unlink(missing_ok=True)
        if fresh:
            folder.rmdir()
        raise
    return SetUp(pool, report, notes)


def open_images(settings: Settings, recipe: LoadedRecipe, progress: Progress) -> tuple[Dataset, DataReport]:
    """The pool's images, decoded.

    Raises:
        UserError: The folder is not there, holds no image that can be read, or one whose name no table could hold.
    """
    images, report = rankhub.open_data({"use": reader(recipe, "folder"), "root": settings.images}, recipe, progress)
    foreign = [name for path in images.facts("path") or () if (name := readable(path)) != path]
    if foreign:
        raise UserError(f"names of {len(foreign)} images are not UTF-8, such as {foreign[0]}; rename them")
    return images, report


def pool_recipe(folder: Path, changes: Sequence[str] = ()) -> LoadedRecipe:
    """The recipe in a folder of labeling; one of an earlier version is brought into today's form first.

    Raises:
        UserError: It is not there, or what is in it is wrong.
    """
    bring_up(folder)
    file = folder / RECIPE
    if not file.is_file():
        raise UserError(f"{file.absolute()} is not there; `rankhub label init` writes it")
    return rankhub.load_recipe(file, changes)


def _settings(found: ReplacedData, options: LabelingOptions) -> Settings:
    label, takes = found.label, takes_of(found.label, options.takes)
    low, high = label.range or (None, None)
    low, high = (low if options.low is None else options.low), (high if options.high is None else options.high)
    if takes != "score" and (options.low is not None or options.high is not None):
        raise UserError(
            f"--low and --high bound scores; this labeling takes {'points' if takes == 'points' else takes}"
        )
    if low is not None and high is not None and not low < high:
        raise UserError(f"--low {low:g} is not below --high {high:g}")
    way = label.higher_is_better if options.higher_is_better is None else options.higher_is_better
    return Settings(
        images=str(options.images.expanduser().absolute()),
        takes=takes,
        low=low if takes == "score" else None,
        high=high if takes == "score" else None,
        higher_is_better=way if takes == "score" else True,
        unit=label.unit if options.unit is None else options.unit,
        labeled=found.labeled,
        unlabeled=found.unlabeled,
        test=found.test if options.test else None,
        seed=options.seed,
    )


def _own_recipe(folder: Path, loaded: LoadedRecipe, found: ReplacedData, settings: Settings) -> LoadedRecipe:
    """The recipe with the pool in it, checked. `train` names the files with the labels anew for each run."""
    kept, best, _ = rankhub.without_evaluators(loaded.resolved(), found.absent)
    # The recipe's advice is about its own data; what comes next here, `label status` says.
    changed = [f"evaluate={as_value(kept)}", f"keep_best={as_value(best)}", "next_steps=[]"]
    changed += overrides(settings, loaded, folder.absolute() / "labels", test=True)
    return rankhub.load_recipe(loaded, changed)


def _drawn(paths: Sequence[str], count: int, seed: int) -> list[str]:
    order = Draws(seed, "test images of a pool", 0).shuffled(len(paths))
    return [paths[number] for number in order[:count].tolist()]


def _notes(found: ReplacedData, settings: Settings) -> list[str]:
    notes = []
    if settings.labeled is not None:
        notes.append(f"data.{settings.labeled} of the recipe: the labels of the pool")
    if settings.unlabeled is not None:
        notes.append(f"data.{settings.unlabeled} of the recipe: the images of the pool, without its test images")
    if settings.test is not None:
        notes.append(f"data.{settings.test} of the recipe: the labels of the test images")
    if found.absent:
        notes.append(
            f"not there: data.{', data.'.join(found.absent)} of the recipe; what judges on it is left out (test images "
            "drawn from the pool: --test NUMBER)"
        )
    return notes
