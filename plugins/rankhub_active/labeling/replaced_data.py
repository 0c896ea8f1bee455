"""Which data sets of a recipe the pool replaces: labeled ones, those without labels, and the test images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rankhub
from rankhub import LoadedRecipe, UserError
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub_active.labeling.settings import LabelingOptions, Settings, Takes

TRAIN_FILE, TEST_FILE, POOL_FILE = "labels.csv", "test.csv", "pool.csv"
"""What a run of the pool reads: labels to learn from, labels of the test images, all images to learn an order from."""


@dataclass(frozen=True, slots=True)
class ReplacedData:
    """The data sets of a recipe that are replaced; see :class:`~rankhub_active.labeling.settings.Settings`.

    Attributes:
        labeled: Of its labeled streams; None if the recipe learns from no labels.
        unlabeled: Of its streams without labels; None = stays the recipe's own.
        test: On which it is evaluated; None = stays, or is not there.
        absent: Data sets that nothing stands in for and that are not there; what evaluates on them is left out.
        label: What the labels of the recipe's own labeled data are.
    """

    labeled: str | None
    unlabeled: str | None
    test: str | None
    absent: tuple[str, ...]
    label: LabelSpec


def find_replaced_data(loaded: LoadedRecipe, options: LabelingOptions) -> ReplacedData:
    """Find the data sets of a recipe that the pool replaces: those that are named, else those that can be told.

    - Labeled: the only one of the streams whose labels are scores or points.
    - Unlabeled: the only one of the streams without labels that is not there.
    - Test: with test images, the only other one with labels of that kind that evaluators name.

    Raises:
        UserError: A name that the recipe does not have, or several that it could be.
    """
    labeled, unlabeled, test = options.labeled, options.unlabeled, options.test_data
    recipe = loaded.resolved()
    datasets: dict[str, Dataset] = {
        name: rankhub.build("dataset", recipe["data"][name], catalog=loaded.catalog) for name in loaded.recipe.used_data
    }
    known = ", ".join(sorted(datasets))
    for option, name in (("--labeled", labeled), ("--unlabeled", unlabeled), ("--test-data", test)):
        if name is not None and name not in datasets:
            raise UserError(f"{option} {name}: the recipe uses no data set of that name; it uses {known}")
    if test is not None and not options.test:
        raise UserError(f"--test-data {test}: there are no test images to stand in for it; draw some: --test NUMBER")
    trained = list(dict.fromkeys(recipe["streams"][stream]["data"] for stream in loaded.recipe.trained_streams))
    scored = [name for name in trained if datasets[name].label.kind in ("score", "points")]
    if labeled is None and len(scored) > 1:
        raise UserError(f"the recipe learns from several labeled data sets; name one: --labeled {_either(scored)}")
    labeled = labeled or next(iter(scored), None)
    label = LabelSpec() if labeled is None else datasets[labeled].label
    without = [name for name in trained if datasets[name].label.kind is None and datasets[name].missing() is not None]
    if unlabeled is None and len(without) > 1:
        raise UserError(f"several data sets are not there; name one for the pool: --unlabeled {_either(without)}")
    unlabeled = unlabeled or next(iter(without), None)
    judged = [
        name
        for name, dataset in sorted(datasets.items())
        if name not in trained and label.kind is not None and dataset.label.kind == label.kind
    ]
    if options.test and test is None:
        if len(judged) != 1:
            found = (
                f"name it: --test-data {_either(judged)}" if judged else "it judges on none with labels; leave it out"
            )
            raise UserError(
                f"--test {options.test}: which data set of the recipe do the test images stand in for? {found}"
            )
        test = judged[0]
    if test is not None and test in trained:
        raise UserError(f"--test-data {test}: the recipe learns from it; test images are never trained on")
    if labeled is not None and labeled == unlabeled:
        raise UserError(f"--unlabeled {labeled}: the labels of the pool stand in for it already; name another")
    replaced = {labeled, unlabeled, test}
    # What is like the labeled data set would read its files, which are not there.
    absent = tuple(
        name for name, dataset in sorted(datasets.items()) if name not in replaced and dataset.missing() is not None
    )
    needed = [name for name in absent if name in trained]
    if needed:
        raise UserError(f"data.{needed[0]}: {datasets[needed[0]].missing()}")
    return ReplacedData(labeled, unlabeled, test, absent, label)


def takes_of(label: LabelSpec, wanted: Takes | None) -> Takes:
    """What people are asked for: what the recipe learns from, or what they name where it learns from nothing.

    Raises:
        UserError: They do not fit.
    """
    own: dict[str | None, tuple[Takes, ...]] = {"points": ("points",), "score": ("score", "count")}
    fit = own.get(label.kind)
    if fit is None:
        if wanted is None:
            raise UserError("the recipe learns from no scores or points; say what is asked of people: --takes score")
        return wanted
    if wanted is not None and wanted not in fit:
        raise UserError(f"--takes {wanted}: the recipe learns from {_either(fit)}")
    return wanted or fit[0]


def overrides(settings: Settings, recipe: LoadedRecipe, files: Path, test: bool) -> list[str]:
    """The overrides by which a recipe learns from the pool.

    ``files`` is the folder of ``labels.csv``, ``test.csv`` and ``pool.csv``; ``test`` says whether there are labels of
    test images.
    """
    data: dict[str, Mapping[str, Any]] = {}
    if settings.labeled is not None:
        data[settings.labeled] = _labels(settings, recipe, files / TRAIN_FILE)
    if settings.test is not None and test:
        data[settings.test] = _labels(settings, recipe, files / TEST_FILE)
    if settings.unlabeled is not None:
        listed = {"root": settings.images, "listed": str(files / POOL_FILE)}
        data[settings.unlabeled] = {"use": reader(recipe, "folder"), **listed}
    return [f"data.{name}={as_value(options)}" for name, options in data.items()]


def reader(recipe: LoadedRecipe, role: str) -> str:
    """The data set that reads images, and labels of a form, from files."""
    return recipe.catalog.in_role("dataset", role)


def as_value(value: object) -> str:
    """A value as an override has it. JSON is YAML, but for the pairs of escapes that stand for one character."""
    return json.dumps(value, ensure_ascii=False)


def _labels(settings: Settings, recipe: LoadedRecipe, file: Path) -> Mapping[str, Any]:
    options: dict[str, Any] = {"root": settings.images, "part": "all", "unit": settings.unit}
    if settings.takes == "points":
        return {"use": reader(recipe, "points"), **options, "annotations": str(file)}
    options |= {"table": str(file), "higher_is_better": settings.higher_is_better}
    if settings.low is not None and settings.high is not None:
        options["range"] = [settings.low, settings.high]
    return {"use": reader(recipe, "scores"), **options}


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)
