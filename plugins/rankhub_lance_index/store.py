"""The store ``lance``: indexes whose vectors lie in a Lance table, of their own or the images'."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rankhub.interfaces.options import Ge, Gt
from rankhub_find.kinds import Progress, Wanted
from rankhub_find.store import KnownNetwork
from rankhub_find.stores import VectorStore
from rankhub_lance.table import EXTRA, is_installed
from rankhub_lance_index.index import LanceIndex
from rankhub_lance_index.vectors import Limits
from rankhub_use.places import ImagePlace


class LanceStore(VectorStore):
    """A Lance table on a disk: vectors are read in parts, so that memory is bounded however many there are.

    Needs the extra: pip install 'rankhub[lance]'. Below 100,000 images every vector is compared, exactly; from there
    on there is IVF-PQ (Jégou, Douze, Schmid, PAMI 2011) in the table, whose candidates are compared exactly. The
    options are those of each call; nothing of them is kept in the index.

    Where all images come from one table that `rankhub pack` made on a disk, the vectors are a column of that table,
    which gains versions by it; its images are not copied, and what reads an earlier version of it reads on as before.

    Args:
        memory_gb: What blocks of vectors and Lance's caches may take together. Beside them come the libraries
            and, in `duplicates`, 40 bytes an image.
        nprobes: Lists that are looked at for each query; without it a sixteenth of all, at least 16.
        refine: Candidates that are compared by their whole vectors, for each neighbour that is wanted.
        beside: Whether a new index leaves the images' table as it is and has a table of its own in its folder.
    """

    def __init__(
        self,
        *,
        memory_gb: Annotated[float, Gt(0)] = 2.0,
        nprobes: Annotated[int, Ge(1)] | None = None,
        refine: Annotated[int, Ge(1)] = 10,
        beside: bool = False,
    ) -> None:
        self.limits, self.beside = Limits(int(memory_gb * 1e9), nprobes, refine), beside

    def missing(self) -> str | None:
        """Where pylance is not installed."""
        return None if is_installed() else EXTRA

    def create(
        self, folder: Path, dim: int, network: KnownNetwork, wanted: Wanted, images: ImagePlace | None = None
    ) -> LanceIndex:
        """As :class:`VectorStore`; an index that is there stays until this one is saved."""
        return LanceIndex.create(folder, dim, network, wanted, self.limits, images, self.beside)

    def open(self, folder: Path, progress: Progress) -> LanceIndex:
        """As :class:`VectorStore`: a table of its own as it was saved, a column as it is in the newest version."""
        return LanceIndex.open(folder, self.limits)
