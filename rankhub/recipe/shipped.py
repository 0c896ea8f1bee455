"""The recipes that plugins bring, the blocks that they share, and overlays; and the files of users."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.discovery import Plugin, folders_of
from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.errors import UserError

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
        file: What sentences call the file: its path, as short as it can be said.
        path: The file; None if the recipe came as text.
        origin: The distribution that ships it, whose components its bare names mean first; "" = a user's.
    """

    text: str
    file: str = "recipe"
    path: Path | None = None
    origin: str = ""

    @property
    def folder(self) -> Path | None:
        """Where relative paths in it start; None = the current folder."""
        return None if self.path is None else self.path.parent


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file that a plugin brings.

    Attributes:
        name: What it is called by.
        path: The file.
        owner: The plugin.
        distribution: The installed package that the plugin came with.
    """

    name: str
    path: Path
    owner: str
    distribution: str


def listed(catalog: Catalog, *what: What) -> list[Shipped]:
    """What plugins bring, by name: recipes, or other kinds of files."""
    return sorted(_all(catalog, what or _RECIPES), key=lambda one: (one.name, one.owner))


def names(catalog: Catalog, *what: What) -> list[str]:
    """The names under which they are found; ``OWNER/NAME`` where two plugins bring one of a name."""
    found = [one.name for one in listed(catalog, *what)]
    return [one.name if found.count(one.name) == 1 else f"{one.owner}/{one.name}" for one in listed(catalog, *what)]


def shipped(catalog: Catalog, name: str, *what: What, origin: str = "") -> Shipped:
    """The file that a name, or ``OWNER/NAME``, means.

    Args:
        catalog: The plugins.
        name: The name.
        what: What it may be; by default a recipe.
        origin: The distribution of the file that names it, whose own files come first.

    Raises:
        UserError: None has that name, or two plugins bring one.
    """
    kinds = what or _RECIPES
    owner, _, bare = name.rpartition("/")
    found = [one for one in listed(catalog, *kinds) if one.name == bare and owner in ("", one.owner)]
    found = [one for one in found if one.distribution == origin] or found
    noun = " or ".join(kinds)
    if len(found) > 1:
        choices = " or ".join(f"{one.owner}/{one.name}" for one in found)
        raise UserError(
            f"the {noun} {name!r} is brought by {' and '.join(one.owner for one in found)}; write {choices}"
        )
    if not found:
        raise UserError(f"no {noun} that comes along is called {name!r}{suggestion(name, names(catalog, *kinds))}")
    return found[0]


def find(source: str | Path, catalog: Catalog, *what: What, beside: Source | None = None) -> Source:
    """The file at a path, or the one of that name that comes along.

    Args:
        source: A path, or a name.
        catalog: The plugins.
        what: What it may be; by default a recipe.
        beside: The file that names it: from its folder a relative path starts, else from the current one. Then only
            what has the form of a path (an ending, a folder) is one, so that what lies about cannot hide a name.

    Raises:
        UserError: There is neither, or the file cannot be read.
    """
    kinds = what or _RECIPES
    path = Path(source).expanduser()
    has_ending = path.suffix in _ENDINGS
    is_path = has_ending or len(path.parts) > 1
    if beside is not None and is_path:
        path = (beside.folder or Path()) / path
    if path.is_file() and (is_path or beside is None):
        return read_file(path, beside.origin if beside is not None and _is_shipped(beside, path) else "")
    origin = beside.origin if beside is not None else ""
    owned = not has_ending and str(source).rpartition("/")[0] in {plugin.owner for plugin in catalog.plugins}
    if (is_path and not owned) or (beside is None and path.is_dir()):
        raise UserError(_no_file(path, catalog, kinds))
    one = shipped(catalog, str(source), *kinds, origin=origin)
    return read_file(one.path, one.distribution)


def read_file(path: Path, origin: str = "") -> Source:
    """A file's text.

    Raises:
        UserError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return Source(text, _short(path), path, origin)


def roots(plugin: Plugin) -> list[Path]:
    """The folders of the recipes that a plugin brings."""
    return [Path(folder) for package in plugin.recipes for folder in folders_of(package)]


def _all(catalog: Catalog, what: tuple[What, ...]) -> Iterator[Shipped]:
    for plugin in catalog.plugins:
        for root, kind in product(roots(plugin), what):
            for path in sorted(root.joinpath(_FOLDERS[kind]).glob("*.yaml")):
                yield Shipped(path.stem, path, plugin.owner, plugin.distribution)


def _is_shipped(beside: Source, path: Path) -> bool:
    """Whether a file that a shipped one names by its path is of the same package."""
    return beside.folder is not None and path.resolve().is_relative_to(beside.folder.resolve())


def _no_file(path: Path, catalog: Catalog, kinds: tuple[What, ...]) -> str:
    noun = " or ".join(kinds)
    if path.is_dir():
        along = ", ".join(names(catalog, *kinds))
        return f"{path} is a folder; expected a {noun}'s file, or the name of one that comes along ({along})"
    text = f"there is no {noun} at {path.absolute()}"
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    near = [name for name in beside if name.endswith(_ENDINGS)]
    if near:
        return text + suggestion(path.name, near)
    return text + suggestion(path.stem, names(catalog, *kinds)).replace(
        "; expected", "; those that come along are called"
    )


def _short(path: Path) -> str:
    """Relative to the folder one stands in, where the file is below it."""
    if not path.is_absolute():
        return str(path)
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
