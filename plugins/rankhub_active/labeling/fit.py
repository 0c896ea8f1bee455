"""Whether the images of a pool fit every stream of its recipe: said before people label them."""

from __future__ import annotations

from collections.abc import Iterator

import rankhub
from rankhub import LoadedRecipe, UserError
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.generator import Generator, ViewSpec
from rankhub_active.labeling.settings import Settings


def fitting(recipe: LoadedRecipe, settings: Settings, images: Dataset, test: int) -> list[str]:
    """Sentences on how many labels a run will need; ``recipe`` is the pool's own, ``test`` its number of test images.

    Raises:
        UserError: A stream takes more images a step than the pool has, or images that are in it cannot be taken.
    """
    notes: dict[str, None] = {}
    faults: dict[str, None] = {}
    there = len(images) - test
    for path, name, data, batch in _batches(recipe):
        if data not in (settings.labeled, settings.unlabeled):
            continue
        if batch > there:
            said = f"stream {name!r} takes {batch} images a step, the pool has {there} to learn from: add images, or "
            faults[f"{said}change the recipe: {path}={there}"] = None
        if data == settings.labeled:
            need = f"label train needs {batch} labels or more, a step of stream {name!r}; with fewer: {path}=NUMBER"
            notes[need] = None
        faults |= dict.fromkeys(_small(recipe, name, images))
    if faults:
        raise UserError("\n".join(faults))
    return list(notes)


def _batches(recipe: LoadedRecipe) -> Iterator[tuple[str, str, str, int]]:
    """Path of the batch size, stream, data set and images a step, of every stream in every phase that has its own."""
    whole = recipe.resolved()
    for phase in whole["phases"]:
        for name, own in phase["streams"].items():
            stream = whole["streams"][name]
            changed = (own or {}).get("batch_size")
            where = "" if changed is None else f"phases.{phase['name']}."
            yield f"{where}streams.{name}.batch_size", name, stream["data"], changed or stream["batch_size"]


def _small(recipe: LoadedRecipe, name: str, images: Dataset) -> Iterator[str]:
    """Ask the steps to which images come in their own size, as training does."""
    sizes, views = images.sizes(), ViewSpec()
    if sizes is None:
        return
    for spec in recipe.resolved()["streams"][name]["generator"]:
        step: Generator = rankhub.build("generator", spec, catalog=recipe.catalog)
        objection = step.check_images(sizes)
        if objection is not None and objection[1].any():
            why, which = objection
            path = images[int(which.argmax())].path
            yield f"stream {name!r}: {int(which.sum())} of {len(which)} images {why}; the first is {path}"
        views = step.plan(views)
        if any(side is not None for _, side in views.sizes):
            return
