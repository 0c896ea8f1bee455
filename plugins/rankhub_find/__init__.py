"""Official plugin: find images by what a trained network says of them: an index, search, duplicates.

:class:`rankhub_find.Index` is the Python door; it is imported, with torch and faiss, when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import rankhub
from rankhub import Component, Verb
from rankhub.interfaces.kinds import Kind

if TYPE_CHECKING:
    from rankhub_find.duplicates import Group as Group
    from rankhub_find.index import Index as Index
    from rankhub_find.index import Match as Match

_HOMES = {"Group": "rankhub_find.duplicates", "Index": "rankhub_find.index", "Match": "rankhub_find.index"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rankhub_find' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


@rankhub.hookimpl
def rankhub_kinds() -> list[Kind]:
    """The kind of component that others can bring to this plugin."""
    return [Kind("vector_store", "Where an index keeps its vectors.", "rankhub_find.stores:VectorStore")]


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [Component("vector_store", "faiss", "rankhub_find.stores:FaissStore", "Plain arrays in memory, by faiss.")]


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [
        Verb("index", "rankhub_find.index_verb:index", "Make images searchable by a trained network."),
        Verb("search", "rankhub_find.search_verb:search", "Find the images of an index that are nearest to others."),
        Verb("duplicates", "rankhub_find.duplicates_verb:duplicates", "Group the images of an index that look alike."),
    ]
