"""Every hint of a path into a recipe (``a.b.c=value``) leads somewhere, and the recipe that it is given for takes it.

Hints stand in the README, in recipes (comments, next steps), in the docs, comments and sentences of core and plugins.
"""

from __future__ import annotations

import functools
import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub.recipe.address import Refused, targets
from rankhub.recipe.reader import write_value
from rankhub.recipe.schema import shape_of
from rankhub.recipe.shipped import listed

REPO = Path(__file__).parents[1]
RECIPE = shape_of(Catalog.discover().kinds)
ROOTS = "|".join(sorted(RECIPE.model_fields))
VALUE = r"'[^']*'|\"[^\"]*\"|\{[^{}]*\}|\[[^\]]*\]|[^\s`'\",;)\]]+"
HINT = re.compile(
    rf"""(?<![\w.*/{{}}=-])(?P<path>(?:{ROOTS})(?:\.(?:[\w*]+|\{{[^{{}}]*\}}))+|(?:steps|epochs)(?==\d))=(?P<value>{VALUE})"""
)
BETWEEN = re.compile(r"[\s`'\".]*(and|or)?[\s`'\"]*")
"""What may stand between hints that belong together."""

PLACEHOLDERS = {"$fold": "1"}
CONTEXT = {
    "acquire.": ["acquire.use=ranking_uncertainty"],  # what `label next` takes where the recipe has no acquirer
    "backbone.args.": ["backbone={use: timm, model: vit_tiny_patch16_224}"],  # of which these sentences speak
}
"""Start of a path -> changes that hold where it is hinted at."""

CODE = ("rankhub", "plugins")


@dataclass(frozen=True)
class Hint:
    """Changes that are named together.

    Attributes:
        file: Where they stand.
        changes: (path, value).
        recipes: Those of which one must take them.
        overlay: What is laid over these.
    """

    file: str
    changes: tuple[tuple[str, str], ...]
    recipes: tuple[str, ...]
    overlay: str | None = None

    def __str__(self) -> str:
        return f"{self.file}: {' '.join('='.join(change) for change in self.changes)}"


@functools.cache
def catalog():
    return Catalog.discover()


@functools.cache
def recipes():
    """Every recipe that comes along -> the block that it extends."""
    return {one.name: yaml.safe_load(one.path.read_text()).get("extends") for one in listed(catalog())}


def groups(text):
    """Hints of a text, those that stand side by side together, each with the recipe that is named before them."""
    found, end = [], None
    for match in HINT.finditer(text):
        value = match["value"].rstrip(".:") if match["value"][0] not in "'\"" else match["value"][1:-1]
        value = value.replace('""', "").strip('"')
        change = (match["path"], "..." if match["value"].startswith("...") else PLACEHOLDERS.get(value, value))
        if end is not None and BETWEEN.fullmatch(text[end : match.start()]):
            found[-1][1].append(change)
        else:
            line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
            named = re.findall(r"rankhub (?:run|validate|label init) (\w+)", line)
            found.append((named[-1] if named and named[-1] in recipes() else None, [change]))
        end = match.end()
    return found


def texts_of_code(path):
    """Strings and comments of a Python file, pieces of one string joined."""
    texts, last = [], None
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.STRING:
            text = re.sub(r"^\w*(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')$", "", token.string)
            if last == tokenize.STRING:
                texts[-1] += text
            else:
                texts.append(text)
        elif token.type == tokenize.COMMENT:
            texts.append(token.string)
        if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            last = token.type
    return texts


def collect():
    """All hints, each once."""
    found = []
    every = tuple(recipes())
    for path in (REPO / "README.md", REPO / "CONTRIBUTING.md"):
        found += [(path, group, every) for group in groups(path.read_text())]
    # the changes of plans are for the recipes that they name: tests of papers and of studies take them
    for path in sorted(path for path in (REPO / "recipes").rglob("*.yaml") if "studies" not in path.parts):
        text = re.sub(r"\n# *", "\n", path.read_text())
        own = {"blocks": tuple(name for name, block in recipes().items() if block == path.stem), "overlays": every}
        found += [(path, group, own.get(path.parent.name, (path.stem,))) for group in groups(text)]
    for folder in CODE:
        for path in sorted(path for path in (REPO / folder).rglob("*.py") if "rankhub_study" not in path.parts):
            found += [(path, group, every) for text in texts_of_code(path) for group in groups(text)]
    hints = []
    for path, (named, changes), others in found:
        overlay = path.stem if path.parent.name == "overlays" else None
        where = str(path.relative_to(REPO))
        hints.append(Hint(where, tuple(changes), others if named is None else (named,), overlay))
    return list(dict.fromkeys(hints))


HINTS = collect()


def test_hints_are_found():
    where = {hint.file.partition("/")[0] for hint in HINTS}
    assert where == {"README.md", "recipes", "rankhub", "plugins"}
    assert len(HINTS) > 80


@functools.cache
def resolved(recipe):
    return rankhub.load_recipe(recipe, catalog=catalog()).resolved()


def change_of(recipe, path, value, code):
    """The change as it is typed; NAME and what a sentence fills in stand for any entry, ``...`` for the value there."""
    path = re.sub(r"\{[^{}]*\}|\b[A-Z]{3,}\b", "*", path)
    if value == "..." or (code and value.startswith("{")):
        here = resolved(recipe)
        for key in targets(here, path.split("."), RECIPE)[0]:
            here = here[key] if isinstance(here, list) else (here or {}).get(key)
        value = write_value(224 if here is None else here)  # the only such place is a side in pixels
    return f"{path}={value}"


@pytest.mark.parametrize("hint", HINTS, ids=str)
def test_a_hint_is_taken(hint):
    context = [
        change for start, changes in CONTEXT.items() if hint.changes[0][0].startswith(start) for change in changes
    ]
    said = {}
    for recipe in hint.recipes:
        try:
            changes = [change_of(recipe, *change, hint.file.endswith(".py")) for change in hint.changes]
            overlays = [] if hint.overlay is None else [hint.overlay]
            rankhub.load_recipe(recipe, [*context, *changes], overlays=overlays, catalog=catalog())
        except rankhub.UserError as error:
            said[recipe] = str(error)
        except Refused as refused:
            said[recipe] = f"{hint.changes}: {refused}"
        else:
            return
    raise AssertionError(f"{hint}: none takes it: {said}")


def test_what_no_recipe_takes_is_found_out():
    """The test above can fail: hints of before streams stood at the top, and of an option that is not there."""
    old = "`phases.0.streams.views.generator.0.views=3`, data.photos.rot=PATH and streams.views.objectives.mse.sigma=3"
    found = groups(f"rankhub run quickstart {old}")
    assert [changes for _, changes in found] == [
        [("phases.0.streams.views.generator.0.views", "3")],
        [("data.photos.rot", "PATH"), ("streams.views.objectives.mse.sigma", "3")],
    ]
    for named, changes in found:
        with pytest.raises(AssertionError, match="none takes it"):
            test_a_hint_is_taken(Hint("made up", tuple(changes), (named,)))
