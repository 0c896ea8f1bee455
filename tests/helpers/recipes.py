"""Loads recipes that are given as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.load import LoadedRecipe, load_recipe
from rankhub.recipe.report import RecipeErrors
from rankhub.recipe.shipped import Source, What, names, shipped


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


TWO = """\
name: two
data:
  photos: {use: patches, count: 24}
  scored: {use: patches, count: 12}
backbone: {use: flat}
heads:
  main: {use: arrow}
optimizer: {use: descent, lr: 0.05}
streams:
  ranked:
    data: photos
    batch_size: 6
    generator: [{use: dimmer}, {use: jitter, views: 2}]
    objectives: [{use: pull, head: main}]
  labeled:
    data: scored
    batch_size: 4
    objectives: [{use: fit, head: main, weight: 0.5}]
phases:
- {name: ranking, streams: [ranked], steps: 3}
- {name: multitask, streams: {labeled: {}, ranked: {weight: 0.1, batch_size: 2}}, steps: 4}
predict: {use: as_it_is}
evaluate:
- {use: spread, data: photos}
"""
"""Two streams of the fakes, two phases."""

SHORT = TWO[: TWO.index("phases:")] + "epochs: 2\nclock: labeled\n" + TWO[TWO.index("predict:") :]
"""The same with one phase, which stands at the top."""


def shipped_names(*what: What) -> list[str]:
    """What the installed plugins bring: recipes, or other kinds of files."""
    return names(Catalog.discover(), *what)


def shipped_text(name: str, *what: What) -> str:
    """A file that an installed plugin brings."""
    return shipped(Catalog.discover(), name, *what).path.read_text()
