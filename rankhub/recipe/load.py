"""From a file, or a recipe's name, with overlays and overrides, to a checked recipe."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.check import Draft, check
from rankhub.recipe.extends import expand_extends, expand_like
from rankhub.recipe.overrides import Change, apply_overlay, apply_overrides
from rankhub.recipe.reader import Document, read_yaml, write_yaml
from rankhub.recipe.report import RecipeErrors
from rankhub.recipe.schema import Recipe, shape_of
from rankhub.recipe.shipped import Source, find

_ANSWERING = [("backbone",), ("heads",), ("predict",)]

log = logging.getLogger("rankhub")


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A recipe that has passed every check.

    Attributes:
        recipe: The recipe, every option of every component written out.
        text: The file as it was given, without overrides. What it extends and the overlays stand below it as
            comments, so that it can be understood without them.
        path: The file; None if the recipe came as text.
        document: Its data with their locations, for later sentences.
        catalog: Where its components come from.
        changes: The overlays and overrides that were applied, as they stood on the command line.
    """

    recipe: Recipe
    text: str
    path: Path | None
    document: Document
    catalog: Catalog
    changes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the run's folder is called: the recipe's ``name``, or its file's."""
        return str(self.recipe.name)

    def resolved(self) -> dict[str, Any]:
        """The whole recipe as plain data: no ``extends``, ``like`` or override, every default. Loads to itself.

        A key that a plugin brings is there only where it says something, so that others need not have the plugin.
        """
        data = self.recipe.model_dump(mode="json")
        return {key: value for key, value in data.items() if value is not None or key in Recipe.model_fields}

    def resolved_text(self) -> str:
        """:meth:`resolved` as YAML."""
        return write_yaml(self.resolved())


def load_recipe(
    source: str | Path | Source,
    overrides: Sequence[str | Change],
    catalog: Catalog,
    *,
    overlays: Sequence[str] = (),
    need_data: bool = False,
    to_answer: bool = False,
) -> LoadedRecipe:
    """Read and check a recipe, changed by overlays, paths or names, and then by overrides.

    Of a trained run that is only ``to_answer``, backbone, heads and test time must be right, and the overrides; what
    is wrong with the rest, such as a plugin that is gone, is a warning.

    Raises:
        RecipeErrors: Everything that is wrong with it; with ``need_data`` also data that are not there.
        UserError: There is no such recipe or overlay.
    """
    found = source if isinstance(source, Source) else find(source, catalog)
    laid_over = [find(name, catalog, "overlay") for name in overlays]
    shape = shape_of(catalog.kinds)
    document = read_yaml(found.text, found.file, origin=found.origin)
    base = expand_extends(document, found, catalog)
    problems = [problem for overlay in laid_over for problem in apply_overlay(document, overlay, shape)]
    problems += apply_overrides(document, overrides, shape)
    problems += expand_like(document)
    draft = Draft(document, catalog, problems)
    check(draft, need_data=need_data)
    if to_answer and draft.recipe is not None:
        needed = [one for one in draft.problems if one.location.override is not None or one.steps[:1] in _ANSWERING]
        for problem in draft.problems:
            if problem not in needed:
                log.warning("%s; answers do without it", problem)
        draft.problems = needed
    if draft.problems or draft.recipe is None:
        raise RecipeErrors(draft.problems, found.file)
    recipe = shape.model_validate(draft.resolved())
    if recipe.name is None:
        recipe = recipe.model_copy(update={"name": _name_of(found.file)})
    text = found.text + (_quoted(f"extends {base.file}, which says:", base) if base is not None else "")
    text += "".join(_quoted(f"changed by the overlay {other.file}:", other) for other in laid_over)
    changes = (*(f"--overlay={name}" for name in overlays), *map(str, overrides))
    return LoadedRecipe(recipe, text, found.path, document, catalog, changes)


def _name_of(file: str) -> str:
    """A recipe's name from that of its file."""
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", Path(file).name.removesuffix(".yaml").removesuffix(".yml"))
    return stem.lstrip("_.-") or "recipe"


def _quoted(heading: str, source: Source) -> str:
    """Another file's text as comments."""
    lines = [f"#   {line}".rstrip() for line in source.text.splitlines()]
    return "\n".join(["", "", f"# ---- {heading}", *lines, ""])
