"""Where an index keeps its vectors: faiss's arrays in its folder, or a store that a plugin brings.

A store is a component of kind ``vector_store`` (:class:`VectorStore`); what it makes and opens is a
:class:`VectorIndex`, which the verbs use. An index that is not faiss's says in ``store.json`` whose it is.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field

import rankhub
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import read_json, write_text
from rankhub_find import store as own
from rankhub_find.kinds import Progress, Wanted, machine_memory, size_of
from rankhub_find.store import MANIFEST, NOTE, KnownNetwork

if TYPE_CHECKING:
    from rankhub_find.duplicates import Group
    from rankhub_find.index import Match
    from rankhub_use.places import ImagePlace

FAISS = "faiss"
_REMEDY = "make the index again with `rankhub index RUN SOURCES --out FOLDER --force`"


class VectorIndex(Protocol):
    """Vectors by name, searched by cosine, as :class:`rankhub_find.Index`, which is one.

    Similarities are rounded cosines in float64 of unit vectors (:mod:`rankhub_ranking.similarity`), whatever found
    the candidates; equal ones come in the order of their rows.

    Attributes:
        network: What made the vectors.
        wanted: The kind that was asked for.
        portion: Vectors after which a verb hands over what it has.
    """

    network: KnownNetwork
    wanted: Wanted
    portion: int

    @property
    def kind(self) -> str:
        """What it is now; ``flat`` is exact."""

    @property
    def why(self) -> str:
        """Why it is of this kind; "" where that was asked for."""

    def __len__(self) -> int:
        """Images that can be found."""

    def known(self, names: Collection[str]) -> set[str]:
        """Those of the names that are in it."""

    def barred(self, names: Collection[str]) -> str | None:
        """Why an image of one of these names can never be in it, a sentence; None where all can."""

    def below(self, folder: str) -> list[str]:
        """The names in it that begin with a folder's path, which ends in a separator."""

    def lines(self, more: int) -> dict[str, str]:
        """What a person is told before ``more`` images are added: what it will be, and the memory that it takes."""

    def append(self, names: Sequence[str], vectors: Any) -> None:
        """Add vectors [n, d] under names that :meth:`known` does not know; searched after :meth:`settle`."""

    def settle(self, progress: Progress) -> None:
        """Make what the wanted kind needs to be searched."""

    def unsettled(self) -> None:
        """Leave it flat for now, so that it can be saved at once."""

    def save(self, folder: Path) -> None:
        """Let the folder hold it as it is now."""

    def remove(self, names: Iterable[str], progress: Progress) -> int:
        """Take images out; returns how many."""

    def search(self, vectors: Any, k: int) -> list[list[Match]]:
        """The k most similar images of each query [q, d]."""

    def duplicates(self, above: float, progress: Progress) -> list[Group]:
        """Groups of images that are linked by cosines of at least ``above``."""


class VectorStore(ABC):
    """A component of kind ``vector_store``; its options are how an index is searched, from call to call."""

    def missing(self) -> str | None:
        """What has to be installed first, a sentence; None where it can be used."""
        return None

    @abstractmethod
    def create(
        self, folder: Path, dim: int, network: KnownNetwork, wanted: Wanted, images: ImagePlace | None = None
    ) -> VectorIndex:
        """An index without vectors; what an earlier one has left in the folder is replaced.

        Args:
            folder: The index's own.
            dim: Columns of a vector.
            network: What will make the vectors.
            wanted: The kind that is asked for.
            images: The one place that all images come from and that is indexed whole; a store may keep the vectors
                there. Names are then its ``uri``, a slash and the name in it.

        Raises:
            UserError: The store has no such kind, or cannot be used.
        """

    @abstractmethod
    def open(self, folder: Path, progress: Progress) -> VectorIndex:
        """The index in a folder.

        Raises:
            UserError: It is damaged, or the store cannot be used.
        """


class FaissStore(VectorStore):
    """faiss, in memory: the vectors and what finds them are plain arrays in the index's folder.

    Exact below 100,000 images, then a graph, then compressed lists; see `rankhub index --kind`.
    """

    def create(
        self, folder: Path, dim: int, network: KnownNetwork, wanted: Wanted, images: ImagePlace | None = None
    ) -> VectorIndex:
        """As :class:`VectorStore`; the folder is not touched before it is saved."""
        from rankhub_find.index import Index

        return Index(dim, wanted, network)

    def open(self, folder: Path, progress: Progress) -> VectorIndex:
        """As :class:`VectorStore`."""
        from rankhub_find.index import Index

        return Index.open(folder, progress)


class StoreNote(BaseModel):
    """What ``store.json`` says of an index that a plugin's store keeps.

    Attributes:
        store: ``owner/name`` of the component.
        network: What made the vectors.
        state: The store's own: where the vectors are, and the like.
    """

    model_config = ConfigDict(extra="forbid")
    format: Literal["rankhub index of a store 1"] = "rankhub index of a store 1"
    store: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[a-z][a-z0-9_]*$")]
    wanted: Wanted
    dim: Annotated[int, Field(ge=1, le=2**20)]
    network: KnownNetwork
    state: dict[str, Any]


def write_note(folder: Path, note: StoreNote) -> None:
    """Say whose an index is; of faiss's that was there, what it consisted of is no longer looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / NOTE, note.model_dump_json(indent=2) + "\n")
    (folder / MANIFEST).unlink(missing_ok=True)


def read_note(folder: Path) -> StoreNote:
    """What was written of an index.

    Raises:
        UserError: It cannot be read.
    """
    found: StoreNote = read_json(folder / NOTE, StoreNote, _REMEDY)
    return found


def is_index(folder: Path) -> bool:
    """Whether there is an index in a folder, of any store."""
    return (folder / NOTE).is_file() or own.is_index(folder)


def make_store(name: str, options: Mapping[str, Any]) -> VectorStore:
    """A store that can be used.

    Raises:
        UserError: There is none of the name, its options do not fit, or it needs what is not installed.
    """
    store = cast(VectorStore, rankhub.build("vector_store", {"use": name, **options}))
    if (missing := store.missing()) is not None:
        raise UserError(missing)
    return store


def open_index(folder: str | Path, progress: Progress, options: Mapping[str, Any] | None = None) -> VectorIndex:
    """The index in a folder, by the store that made it.

    Args:
        folder: Where `rankhub index` made it.
        progress: ``progress(done, total, what)``.
        options: Of its store.

    Raises:
        UserError: There is none, it is damaged, or its store is not there or cannot be used.
    """
    place = Path(folder)
    return make_store(store_of(place), options or {}).open(place, progress)


def store_of(folder: Path) -> str:
    """``owner/name`` of the store that an index is in; faiss's where there is none that says otherwise."""
    return read_note(folder).store if (folder / NOTE).is_file() else f"rankhub_find/{FAISS}"


def chosen(rows: int, dim: int) -> tuple[str, str]:
    """The store that ``auto`` takes for so many vectors, and why.

    faiss while the vectors, twice while they are joined, take at most half of the machine's memory; then the first
    other store that can be used.
    """
    size, there = 2 * 4 * rows * dim, machine_memory()
    said = f"{rows:,} vectors of {dim} columns take {size_of(size)} while they are joined"
    if size <= there / 2:
        return f"rankhub_find/{FAISS}", f"{said}, at most half of the {size_of(there)} of this machine"
    more = f"{said}, more than half of the {size_of(there)} of this machine"
    for one in rankhub.list_components("vector_store"):
        if one.name != FAISS and rankhub.build("vector_store", {"use": one.full_name}).missing() is None:
            return one.full_name, more
    return f"rankhub_find/{FAISS}", f"{more}, but no other store is installed (lance is: pip install 'rankhub[lance]')"


def separated(folder: str) -> str:
    """A folder's path with a separator at its end."""
    return folder.rstrip(os.sep) + os.sep
