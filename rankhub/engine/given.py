"""Data that are handed over in Python, in place of those that a recipe names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.data import Dataset, GivenData, LabelKind, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.recipe.assembly import Assembly
from rankhub.recipe.labels import labels_of
from rankhub.recipe.load import LoadedRecipe, load_recipe
from rankhub.recipe.shipped import Source
from rankhub.recipe.streams import trained_streams, used_data

ROLE = "given"


def dataset_of(value: Any, catalog: Catalog, label: LabelSpec | None = None) -> Dataset:
    """A data set of what was handed over.

    Args:
        value: A data set; images; or a pair (images, labels). See :class:`rankhub.interfaces.data.GivenData`.
        catalog: Where components come from.
        label: What labels mean where the data do not say it: direction, range, unit.

    Raises:
        UserError: It cannot be taken.
    """
    if isinstance(value, Dataset):
        return value
    images, labels = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    spec = replace(label or LabelSpec(), kind=None if labels is None else kind_of(labels))
    made: GivenData = catalog.build("dataset", spec_of(spec, catalog))
    made.give(images, labels)
    return made


def kind_of(labels: Any) -> LabelKind:
    """What labels are, by the first that is there: a whole number or a name is a class, a number a score."""
    known = [label for label in list(labels) if label is not None]
    if not known:
        raise UserError("no label is there; leave the labels out")
    first = np.asarray(known[0])
    if first.ndim > 0:
        return "points"
    return "score" if np.issubdtype(first.dtype, np.floating) else "class"


def spec_of(label: LabelSpec, catalog: Catalog) -> dict[str, Any]:
    """How a recipe says that its data are handed over."""
    options = {"kind": label.kind, "higher_is_better": label.higher_is_better, "unit": label.unit}
    bounds = None if label.range is None else list(label.range)
    return {"use": catalog.in_role("dataset", ROLE), **options, "range": bounds}


def put_data(
    loaded: LoadedRecipe, data: Mapping[str, Any], catalog: Catalog
) -> tuple[LoadedRecipe, dict[str, Dataset], list[str]]:
    """A recipe in which some data sets are handed over.

    Evaluators that name a data set which is then neither handed over nor there are left out.

    Args:
        loaded: The recipe.
        data: Name of a data set of the recipe -> what is taken in its place.
        catalog: Where components come from.

    Returns:
        The recipe, the data sets by name, and a sentence for each evaluator that is left out.

    Raises:
        UserError: The recipe has no such data set, or the data cannot be taken, or data of a stream are missing.
    """
    recipe = loaded.recipe
    unknown = [name for name in data if name not in recipe.data]
    if unknown:
        raise UserError(
            f"the recipe {loaded.name} has no data set {unknown[0]!r}{suggestion(unknown[0], list(recipe.data))}"
        )
    assembly = Assembly.of(recipe, catalog)
    given = {name: dataset_of(value, catalog, assembly.label(name)) for name, value in data.items()}
    others = [name for name in recipe.data if name in used_data(recipe) and name not in given]
    absent = {name: sentence for name in others if (sentence := assembly.get("data", name).missing()) is not None}
    for stream in trained_streams(recipe):
        name = recipe.streams[stream].data
        if name in absent:
            raise UserError(f"data.{name}: {absent[name]}; or hand it over: data={{{name!r}: ...}}")
    changes = [f"data.{name}={json.dumps(spec_of(dataset.label, catalog))}" for name, dataset in given.items()]
    kept, best, left_out = without_evaluators(recipe.model_dump(mode="json"), list(absent))
    if left_out:
        changes += [f"evaluate={json.dumps(kept)}", f"keep_best={json.dumps(best)}"]
    source = Source(loaded.resolved_text(), loaded.document.file)
    put = load_recipe(source, changes, catalog)
    said = tuple(f"data.{name}: given in Python" for name in given)
    put = replace(put, text=loaded.text, path=loaded.path, changes=(*loaded.changes, *said))
    return put, given, [f"{label} is left out: its data are not there ({absent[name]})" for label, name in left_out]


def without_evaluators(
    recipe: Mapping[str, Any], absent: Sequence[str]
) -> tuple[list[dict[str, Any]], str | None, list[tuple[str, str]]]:
    """The evaluators of a recipe that name no absent data set.

    Args:
        recipe: Resolved, as plain data.
        absent: Data sets.

    Returns:
        The evaluators, ``keep_best`` for them (None where that one is left out), and of those that are left out the
        label and the data set.
    """
    kept: list[dict[str, Any]] = []
    left_out: list[tuple[str, str]] = []
    wanted, _, metric = str(recipe.get("keep_best") or "").partition(".")
    best = None
    for label, spec in zip(labels_of(recipe["evaluate"]), recipe["evaluate"], strict=True):
        named = [value for value in spec.values() if isinstance(value, str) and value in absent]
        if named:
            left_out.append((label, named[0]))
            continue
        kept.append(spec)
        if label == wanted:
            own = labels_of(kept)[-1]  # of two of a name the second may be the only one now
            best = f"{own}.{metric}" if metric else own
    return kept, best, left_out
