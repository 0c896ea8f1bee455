"""An overlay: a file of changes that fit many recipes, such as another protocol of evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.overrides import Change, apply_changes
from rankhub.recipe.reader import Document, read
from rankhub.recipe.report import Problem
from rankhub.recipe.shipped import Source, find

_EXPECTED = "a mapping from paths in a recipe, such as optimizer.lr or phases.*.epochs, to values"


def find_overlay(name: str, catalog: Catalog) -> Source:
    """The overlay at a path, or the one of that name that a plugin brings.

    Raises:
        UserError: There is neither, or the file cannot be read.
    """
    return find(name, catalog, "overlay")


def apply_overlay(document: Document, overlay: Source) -> list[Problem]:
    """Change ``document`` in place: each path of the overlay, from top to bottom, as an override would.

    What it sets stands at the overlay's lines from then on.

    Returns:
        The lines that cannot be applied.

    Raises:
        RecipeErrors: The overlay is no mapping or no YAML.
    """
    return apply_changes(document, list(_changes(read(overlay.text, overlay.file, _EXPECTED, overlay.origin))))


def _changes(overlay: Document) -> Iterator[Change]:
    for path, value in overlay.data.items():
        inside = {steps[1:]: place for steps, place in overlay.places.items() if steps[:1] == (path,) and steps[1:]}
        yield Change(path.strip(), value, overlay.place((path,)), inside)
