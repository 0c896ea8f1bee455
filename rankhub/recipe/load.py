"""From a file, or a recipe's name, with overlays and overrides, to a checked recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.hints import fields_of, unwrap, walk
from rankhub.catalog.options import plain, validate_options
from rankhub.catalog.spec import Uses
from rankhub.recipe.check import check
from rankhub.recipe.draft import Draft
from rankhub.recipe.extends import expand_extends
from rankhub.recipe.like import expand_like
from rankhub.recipe.overlay import apply_overlay, find_overlay
from rankhub.recipe.overrides import apply_overrides
from rankhub.recipe.reader import Document, read
from rankhub.recipe.report import Problem, RecipeErrors
from rankhub.recipe.scalars import write_yaml
from rankhub.recipe.schema import Recipe
from rankhub.recipe.shipped import Source, find


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A recipe that has passed every check.

    Attributes:
        recipe: The recipe, every option of every component written out.
        text: The file as it was given, without overrides. What it extends and the overlays stand below it as
            comments, so that it can be understood without them.
        path: The file; None if the recipe came as text.
        document: Its data with their places, for later sentences.
        changes: The overlays and overrides that were applied, as they stood on the command line.
    """

    recipe: Recipe
    text: str
    path: Path | None
    document: Document
    changes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the run's folder is called: the recipe's ``name``, or its file's."""
        return str(self.recipe.name)

    def resolved(self) -> dict[str, Any]:
        """The whole recipe as plain data: no ``extends``, ``like`` or override, every default. Loads to itself."""
        return self.recipe.model_dump(mode="json")

    def resolved_text(self) -> str:
        """:meth:`resolved` as YAML."""
        return write_yaml(self.resolved())


def load_recipe(
    source: str | Path,
    overrides: Sequence[str],
    catalog: Catalog,
    *,
    overlays: Sequence[str] = (),
    need_data: bool = False,
) -> LoadedRecipe:
    """Read and check a recipe.

    Args:
        source: A path, or the name of a recipe that comes with rankhub.
        overrides: ``a.b.c=value``.
        catalog: Where components come from.
        overlays: Paths or names of overlays, applied one after the other, before the overrides.
        need_data: Whether data that are not there are an error.

    Raises:
        RecipeErrors: Everything that is wrong with it.
        UserError: There is no such recipe or overlay.
    """
    found = find(source)
    return load_text(
        found.text, overrides, catalog, file=found.file, path=found.path, overlays=overlays, need_data=need_data
    )


def load_text(
    text: str,
    overrides: Sequence[str],
    catalog: Catalog,
    *,
    file: str = "recipe",
    path: Path | None = None,
    overlays: Sequence[str] = (),
    need_data: bool = False,
) -> LoadedRecipe:
    """Check a recipe that is there as text; ``file`` is what errors call it. See :func:`load_recipe`.

    Raises:
        RecipeErrors: Everything that is wrong with it.
        UserError: There is no such overlay.
    """
    laid_over = [find_overlay(name) for name in overlays]
    document = read(text, file)
    base = expand_extends(document, path)
    problems: list[Problem] = []
    for overlay in laid_over:
        problems += apply_overlay(document, overlay)
    problems += apply_overrides(document, overrides)
    problems += expand_like(document)
    draft = Draft(document, catalog, problems)
    check(draft, need_data=need_data)
    if draft.problems or draft.recipe is None:
        raise RecipeErrors(draft.problems, file)
    recipe = resolve(draft.recipe, catalog)
    if recipe.name is None:
        stem = re.sub(r"[^A-Za-z0-9_.-]", "_", Path(file).name.removesuffix(".yaml").removesuffix(".yml")).lstrip("_.-")
        recipe = recipe.model_copy(update={"name": stem or "recipe"})
    text += "".join(_quoted(f"extends {other.file}, which says:", other) for other in [base] if other is not None)
    text += "".join(_quoted(f"changed by the overlay {other.file}:", other) for other in laid_over)
    changes = (*(f"--overlay={name}" for name in overlays), *overrides)
    return LoadedRecipe(recipe, text, path, document, changes)


def _quoted(heading: str, source: Source) -> str:
    """Another file's text as comments."""
    lines = [f"#   {line}".rstrip() for line in source.text.splitlines()]
    return "\n".join(["", "", f"# ---- {heading}", *lines, ""])


def resolve(recipe: Recipe, catalog: Catalog) -> Recipe:
    """The recipe with every option of every component written out."""
    data = recipe.model_dump(mode="json")
    for spot in walk(Recipe, data):
        if isinstance(spot.mark, Uses):
            own = set(fields_of(unwrap(spot.hint)[0]) or ()) - {"use"}
            _write_out(spot.mark.kind, spot.value, catalog, own)
    return Recipe.model_validate(data)


def _write_out(kind: str, value: dict[str, Any], catalog: Catalog, own: set[str]) -> None:
    """Put the defaults of a component's options into ``value``, and of the schedules among them."""
    model = catalog.options(catalog.find(kind, value["use"]))
    options = {name: option for name, option in value.items() if name != "use" and name not in own}
    written: Mapping[str, Any] = plain(validate_options(model, options))
    for spot in walk(model, written):
        if isinstance(spot.mark, Uses):
            _write_out(spot.mark.kind, spot.value, catalog, set())
    value.update(written)
