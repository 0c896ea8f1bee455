"""Loads recipes that are given as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.load import LoadedRecipe, load_recipe
from rankhub.recipe.report import RecipeErrors
from rankhub.recipe.shipped import Source


def load_text(
    text: str, overrides: Sequence[str], catalog: Catalog, *, file: str = "recipe", **options: Any
) -> LoadedRecipe:
    """A recipe's text, as a file of that name would be loaded."""
    return load_recipe(Source(text, file), overrides, catalog, **options)


def problems_of(
    text: str, overrides: Sequence[str], catalog: Catalog, *, file: str = "file.yaml", **options: Any
) -> list[str]:
    """What is wrong with a recipe's text, each with its place."""
    with pytest.raises(RecipeErrors) as caught:
        load_text(text, overrides, catalog, file=file, **options)
    return [str(problem) for problem in caught.value.problems]
