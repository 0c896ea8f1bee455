"""The recipes that plugins bring, the blocks that they share, and overlays; and the files of users."""

import os
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.errors import UserError
from rankhub.recipe.reader import read_yaml

_ENDINGS = (".yaml", ".yml")

What = Literal["recipe", "block", "overlay"]
"""``block``: a part that several recipes extend, and no recipe by itself; ``overlay``: changes to any recipe."""

_FOLDERS: dict[What, str] = {"recipe": "", "block": "blocks", "overlay": "overlays"}


@dataclass(frozen=True, slots=True)
class Source:
    """A recipe's text and where it came from."""

    text: str
    file: str = "recipe"  # what sentences call it: its path, as short as it can be said
    path: Path | None = None  # None if it came as text
    origin: str = ""  # the distribution that ships it, whose components its bare names mean first; "" = a user's


@dataclass(frozen=True, slots=True)
class Shipped:
    """A recipe, or another file, that a plugin brings.

    Attributes:
        name: What it is found by; ``OWNER/NAME`` where two plugins bring one of a name.
        path: The file.
        owner: The plugin.
        distribution: The installed package that the plugin came with.
    """

    name: str
    path: Path
    owner: str
    distribution: str

    @property
    def description(self) -> str:
        """What a recipe says of itself; one that cannot be read must not hide the others."""
        try:
            return str(read_yaml(read_file(self.path).text, str(self.path)).data.get("description", ""))
        except UserError as error:
            return f"cannot be read: {error}"


def listed(catalog: Catalog, *what: What) -> list[Shipped]:
    """What plugins bring, by name: recipes, or other kinds of files."""
    found = [
        (path.stem, plugin.owner, path, plugin.distribution)
        for plugin in catalog.plugins
        for root, kind in product(plugin.recipe_folders, what or ("recipe",))
        for path in root.joinpath(_FOLDERS[kind]).glob("*.yaml")
    ]
    count = Counter(name for name, *_ in found)
    return [
        Shipped(name if count[name] == 1 else f"{owner}/{name}", path, owner, distribution)
        for name, owner, path, distribution in sorted(found)
    ]


def names(catalog: Catalog, *what: What) -> list[str]:
    """The names under which they are found."""
    return [one.name for one in listed(catalog, *what)]


def shipped(catalog: Catalog, name: str, *what: What, origin: str = "") -> Shipped:
    """The file that a name, or ``OWNER/NAME``, means; files of the distribution that names it come first.

    Raises:
        UserError: None has that name, or two plugins bring one.
    """
    owner, _, bare = name.rpartition("/")
    found = [one for one in listed(catalog, *what) if one.path.stem == bare and owner in ("", one.owner)]
    found = [one for one in found if one.distribution == origin] or found
    if len(found) == 1:
        return found[0]
    if not found:
        near = suggestion(name, names(catalog, *what))
        raise UserError(f"no {_noun(what)} that comes along is called {name!r}{near}")
    owners, choices = " and ".join(one.owner for one in found), " or ".join(one.name for one in found)
    raise UserError(f"the {_noun(what)} {name!r} is brought by {owners}; write {choices}")


def find(source: str | Path, catalog: Catalog, *what: What, beside: Source | None = None) -> Source:
    """The file at a path, or the one of that name that comes along; by default a recipe.

    ``beside`` is the file that names it: from its folder a relative path starts, else from the current one. Then only
    what has the form of a path (an ending, a folder) is one, so that what lies about cannot hide a name.

    Raises:
        UserError: There is neither, or the file cannot be read.
    """
    path = Path(source).expanduser()
    has_ending = path.suffix in _ENDINGS
    is_path = has_ending or len(path.parts) > 1
    origin, folder = "", Path()
    if beside is not None:
        origin, folder = beside.origin, beside.path.parent if beside.path else folder
        path = folder / path if is_path else path
    if path.is_file() and (is_path or beside is None):
        # What a shipped file names by its path is shipped too where it is of the same package.
        return read_file(path, origin if path.resolve().is_relative_to(folder.resolve()) else "")
    owned = not has_ending and str(source).rpartition("/")[0] in {plugin.owner for plugin in catalog.plugins}
    if (is_path and not owned) or (beside is None and path.is_dir()):
        raise UserError(_no_file(path, catalog, what))
    one = shipped(catalog, str(source), *what, origin=origin)
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
    short = os.path.relpath(path)  # shorter only where the file is below the folder one stands in
    return Source(text, short if path.is_absolute() and not short.startswith("..") else str(path), path, origin)


def _noun(what: tuple[What, ...]) -> str:
    return " or ".join(what or ("recipe",))


def _no_file(path: Path, catalog: Catalog, what: tuple[What, ...]) -> str:
    along = names(catalog, *what)
    if path.is_dir():
        expected = f"expected a {_noun(what)}'s file, or the name of one that comes along ({', '.join(along)})"
        return f"{path} is a folder; {expected}"
    text = f"there is no {_noun(what)} at {path.absolute()}"
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    near = [name for name in beside if name.endswith(_ENDINGS)]
    if near:
        return text + suggestion(path.name, near)
    return text + suggestion(path.stem, along).replace("; expected", "; those that come along are called")
