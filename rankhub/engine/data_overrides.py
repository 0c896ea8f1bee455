"""Data that are handed over in Python, in place of those that a recipe names."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.nearest import suggestion
from rankhub.engine.parts import Progress, context_for
from rankhub.interfaces.data import DataReport, Dataset, GivenData, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.recipe.address import labels_of
from rankhub.recipe.assembly import Assembly
from rankhub.recipe.load import LoadedRecipe, load_recipe
from rankhub.recipe.schema import Recipe
from rankhub.recipe.shipped import Source

Spec = Mapping[str, Any]


def dataset_of(
    value: Any, catalog: Catalog, options: Mapping[str, Any] | None = None, *, labeled: bool = False, first: int = 0
) -> tuple[Dataset, Spec]:
    """A data set of what was handed over, and how a recipe writes it: see ``GivenData.take`` in the interfaces."""
    taker: type[GivenData] = catalog.load(catalog.find("dataset", catalog.in_role("dataset", "given")))
    return taker.take(value, options or {}, partial(catalog.build, "dataset"), labeled=labeled, first=first)


def _replacement(loaded: LoadedRecipe, assembly: Assembly, name: str, value: Any) -> tuple[Dataset, Spec]:
    """What is taken in place of a data set of a recipe; its options and the meaning of its labels are kept."""
    data = loaded.recipe.data
    if name not in data:
        raise UserError(f"the recipe {loaded.name} has no data set {name!r}{suggestion(name, list(data))}")
    options = {**assembly.at("data", name), **asdict(assembly.label(name) or LabelSpec())}
    try:
        return dataset_of(value, loaded.catalog, options, labeled=True)
    except UserError as error:
        raise UserError(f"data.{name}: {error}") from None


def put_data(
    loaded: LoadedRecipe, data: Mapping[str, Any], *, training: bool = True
) -> tuple[LoadedRecipe, dict[str, Dataset], list[str]]:
    """A recipe in which some data sets are handed over.

    Evaluators that name a data set which is then neither handed over nor there are left out. Unless it is for
    ``training``, the data of its streams need not be there.

    Returns:
        The recipe, the data sets by name, and a sentence for each evaluator that is left out.

    Raises:
        UserError: The recipe has no such data set, or the data cannot be taken, or data of a stream are missing.
    """
    recipe, assembly = loaded.recipe, Assembly.of(loaded.recipe, loaded.catalog)
    given = {name: _replacement(loaded, assembly, name, value) for name, value in data.items()}
    trained = [recipe.streams[stream].data for stream in recipe.trained_streams] if training else []
    others = [name for name in recipe.data if name in recipe.used_data and name not in given]
    absent = {name: sentence for name in others if (sentence := assembly.get("data", name).missing()) is not None}
    for name in trained:
        if name in absent:
            raise UserError(f"data.{name}: {absent[name]}; or hand it over: data={{{name!r}: ...}}")
    changes = [f"data.{name}={json.dumps(spec)}" for name, (_, spec) in given.items()]
    if not training:  # what the streams learned from keeps its place
        changes += [change for name in given for change in _beside(recipe, name)]
    kept, best, left_out = without_evaluators(recipe.model_dump(mode="json"), list(absent))
    if left_out:
        changes += [f"evaluate={json.dumps(kept)}", f"keep_best={json.dumps(best)}"]
    source = Source(loaded.resolved_text(), loaded.document.file)
    put = load_recipe(source, changes, loaded.catalog)
    said = tuple(f"data.{name}: given in Python" for name in given)
    put = replace(put, text=loaded.text, path=loaded.path, changes=(*loaded.changes, *said))
    notes = [f"{label} is left out: its data are not there ({absent[name]})" for label, name in left_out]
    return put, {name: dataset for name, (dataset, _) in given.items()}, notes


def _beside(recipe: Recipe, name: str) -> list[str]:
    """Changes after which the streams of a data set name a copy of its entry."""
    copy = name
    while copy in recipe.data:
        copy += "_trained"
    streams = [stream for stream, body in recipe.streams.items() if body.data == name]
    entry = f"data.{copy}={json.dumps(recipe.data[name].model_dump(mode='json'))}"
    return [entry, *(f"streams.{stream}.data={copy}" for stream in streams)] if streams else []


def data_again(loaded: LoadedRecipe, data: Mapping[str, Any]) -> dict[str, Dataset]:
    """The data sets that were handed over when a run began, handed over again; whether they are the same is seen later.

    Raises:
        UserError: They are of another kind.
    """
    assembly, found = Assembly.of(loaded.recipe, loaded.catalog), dict[str, Dataset]()
    for name, value in data.items():
        found[name], spec = _replacement(loaded, assembly, name, value)
        if spec["use"] != assembly.at("data", name)["use"]:
            raise UserError(f"data.{name} was not handed over like this when the run began; leave it out")
    return found


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


def open_data(
    data: Mapping[str, Any] | Dataset, recipe: LoadedRecipe, progress: Progress
) -> tuple[Dataset, DataReport]:
    """Open a data set with the loader of a recipe (its cache, its limit of memory).

    Args:
        data: ``use`` and options, or a data set that is not open yet.
        recipe: Whose loader it is.
        progress: Told now and then.

    Returns:
        The data set, and what it found while it opened.

    Raises:
        UserError: The data are not there, or cannot be used.
    """
    dataset: Dataset = recipe.catalog.build("dataset", data) if isinstance(data, Mapping) else data
    if (missing := dataset.missing()) is not None:
        raise UserError(missing)
    return dataset, dataset.open(context_for(recipe.recipe, progress))
