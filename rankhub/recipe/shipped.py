"""The recipes that come with rankhub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.errors import UserError

_PACKAGE = "rankhub_recipes"
_ENDINGS = (".yaml", ".yml")


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


def names() -> list[str]:
    """Names of the recipes that come along."""
    return sorted(path.stem for path in _folder().iterdir() if path.suffix == ".yaml")


def path_of(name: str) -> Path:
    """The file of a recipe that comes along.

    Raises:
        UserError: None has that name.
    """
    if name not in names():
        raise UserError(f"no recipe that comes with rankhub is called {name!r}{suggestion(name, names())}")
    return _folder() / f"{name}.yaml"


def find(source: str | Path) -> Source:
    """The recipe at a path, or the one of that name that comes along.

    Raises:
        UserError: There is neither, or the file cannot be read.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return _read(path)
    if path.suffix in _ENDINGS or len(path.parts) > 1 or path.is_dir():
        raise UserError(_no_file(path))
    return _read(path_of(str(source)))


def _no_file(path: Path) -> str:
    if path.is_dir():
        return (
            f"{path} is a folder; expected a recipe's file, or the name of one that comes along ({', '.join(names())})"
        )
    text = f"there is no recipe at {path.absolute()}"
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    recipes = [name for name in beside if name.endswith(_ENDINGS)]
    if recipes:
        return text + suggestion(path.name, recipes)
    return text + suggestion(path.stem, names()).replace("; expected", "; those that come along are called")


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


def _folder() -> Path:
    return Path(str(files(_PACKAGE)))
