"""The recipes that come with rankhub, the blocks that they share, and overlays."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.errors import UserError

_PACKAGE = "rankhub_recipes"
_ENDINGS = (".yaml", ".yml")

What = Literal["recipe", "block", "overlay"]
"""``block``: a part that several recipes extend, and no recipe by itself; ``overlay``: changes to any recipe."""

_RECIPES: tuple[What, ...] = ("recipe",)
_FOLDERS: dict[What, str] = {"recipe": "", "block": "blocks", "overlay": "overlays"}


@dataclass(frozen=True, slots=True)
class Source:
    """A recipe's text and where it came from.

    Attributes:
        text: The file as it is.
        file: The file's path, as short as it can be said.
        path: The file.
    """

    text: str
    file: str
    path: Path


def names(*what: What) -> list[str]:
    """Names of the recipes that come along, or of other kinds of files that do."""
    return sorted(path.stem for kind in what or _RECIPES for path in _folder(kind).iterdir() if path.suffix == ".yaml")


def path_of(name: str, *what: What) -> Path:
    """The file of a recipe that comes along, or of another kind of file that does.

    Raises:
        UserError: None has that name.
    """
    kinds = what or _RECIPES
    for kind in kinds:
        if name in names(kind):
            return _folder(kind) / f"{name}.yaml"
    nouns = " or ".join(kinds)
    raise UserError(f"no {nouns} that comes with rankhub is called {name!r}{suggestion(name, names(*kinds))}")


def find(source: str | Path, *what: What, beside: Path | None = None) -> Source:
    """The file at a path, or the one of that name that comes along.

    Args:
        source: A path, or a name.
        what: What it may be; by default a recipe.
        beside: Folder from which a relative path starts; by default the current one. With it, only what has the
            form of a path (an ending, a folder) is one, so that what lies about there cannot hide a name.

    Raises:
        UserError: There is neither, or the file cannot be read.
    """
    kinds = what or _RECIPES
    path = Path(source).expanduser()
    is_path = path.suffix in _ENDINGS or len(path.parts) > 1
    if beside is not None and is_path:
        path = beside / path
    if path.is_file() and (is_path or beside is None):
        return _read(path)
    if is_path or (beside is None and path.is_dir()):
        raise UserError(_no_file(path, kinds))
    return _read(path_of(str(source), *kinds))


def _no_file(path: Path, kinds: tuple[What, ...]) -> str:
    noun = " or ".join(kinds)
    if path.is_dir():
        along = ", ".join(names(*kinds))
        return f"{path} is a folder; expected a {noun}'s file, or the name of one that comes along ({along})"
    text = f"there is no {noun} at {path.absolute()}"
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    near = [name for name in beside if name.endswith(_ENDINGS)]
    if near:
        return text + suggestion(path.name, near)
    return text + suggestion(path.stem, names(*kinds)).replace("; expected", "; those that come along are called")


def _read(path: Path) -> Source:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return Source(text, _short(path), path)


def _short(path: Path) -> str:
    """Relative to the folder one stands in, where the file is below it."""
    if not path.is_absolute():
        return str(path)
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _folder(what: What) -> Path:
    return Path(str(files(_PACKAGE))) / _FOLDERS[what]
