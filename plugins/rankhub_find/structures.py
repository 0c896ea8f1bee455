"""faiss's graph and its compressed lists, as plain arrays that can be stored and checked.

``faiss.read_index`` trusts the bytes that it reads. So its own format is never stored or read: the numbers of which a
structure consists are, each array with a known type and length, and all are held against their bounds before faiss
gets them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub_find.kinds import CENTROIDS, LINKS, IndexPlan, Progress

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Arrays = dict[str, npt.NDArray[Any]]

STEP = 20_000
"""Rows that are added between two reports of progress."""


def faiss() -> Any:
    """The library.

    Raises:
        UserError: It is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise UserError(
            "an index needs faiss, which is not installed: `pip install 'rankhub[cpu]'`, or `'rankhub[gpu]'`"
        ) from None
    return faiss


class Damaged(ValueError):
    """Stored numbers that are no structure; a phrase."""


class Structure(Protocol):
    """What finds candidates among the rows faster than by comparing all."""

    def __len__(self) -> int:
        """Rows that are in it."""

    def add(self, vectors: Floats, progress: Progress) -> None:
        """Add rows [n, d] of unit length behind those that are there."""

    def candidates(self, queries: Floats, k: int, alive: Bools | None) -> Ints:
        """[q, m] rows, the most similar first as far as it knows, -1 where there are no more; m >= k at most all.

        ``alive`` [n]: the rows that may be found; None = all.
        """

    def arrays(self) -> Arrays:
        """All its numbers, by name."""


class Graph:
    """Hierarchical navigable small worlds: Malkov and Yashunin, PAMI 2020."""

    CONSTRUCTION, SEARCH = 100, 128

    def __init__(self, dim: int) -> None:
        lib = faiss()
        self._index = lib.IndexHNSWFlat(dim, LINKS, lib.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = self.CONSTRUCTION

    @classmethod
    def built(cls, plan: IndexPlan, vectors: Floats, progress: Progress) -> Graph:
        """Of all rows."""
        own = cls(plan.dim)
        own.add(vectors, progress)
        return own

    @classmethod
    def of(cls, vectors: Floats, arrays: Mapping[str, npt.NDArray[Any]]) -> Graph:
        """From what :meth:`arrays` gave.

        Raises:
            Damaged: They are no graph over these vectors.
        """
        own, lib, rows = cls(vectors.shape[1]), faiss(), len(vectors)
        widths = lib.vector_to_array(own._index.hnsw.cum_nneighbor_per_level).astype(np.int64)
        levels, links = arrays["levels"].astype(np.int32), arrays["links"].astype(np.int32)
        if len(levels) != rows or rows == 0 or levels.min() < 1 or levels.max() >= len(widths):
            raise Damaged("the levels of its graph do not fit")
        offsets = np.concatenate([[0], np.cumsum(widths[levels])])
        if len(links) != offsets[-1] or links.min() < -1 or links.max() >= rows:
            raise Damaged("the links of its graph lead out of it")
        for level in range(1, int(levels.max())):
            there = np.flatnonzero(levels > level)
            found = links[offsets[there][:, None] + np.arange(widths[level], widths[level + 1])]
            if (levels[found[found >= 0]] <= level).any():
                raise Damaged("the links of its graph lead to rows that are not on their level")
        graph = own._index.hnsw
        own._index.storage.add(np.ascontiguousarray(vectors))
        own._index.ntotal = rows
        lib.copy_array_to_vector(levels, graph.levels)
        lib.copy_array_to_vector(offsets.astype(np.uint64), graph.offsets)
        lib.copy_array_to_vector(links, graph.neighbors)
        graph.entry_point, graph.max_level = int(levels.argmax()), int(levels.max()) - 1
        return own

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: Floats, progress: Progress) -> None:
        """As :class:`Structure`."""
        for first in range(0, len(vectors), STEP):
            self._index.add(np.ascontiguousarray(vectors[first : first + STEP]))
            progress(min(first + STEP, len(vectors)), len(vectors), "hnsw: links")

    def candidates(self, queries: Floats, k: int, alive: Bools | None) -> Ints:
        """As :class:`Structure`."""
        lib = faiss()
        wanted = min(k, self._index.ntotal)
        options: dict[str, Any] = {"efSearch": max(self.SEARCH, 2 * k)}
        selector = _selector(lib, alive)
        if selector is not None:
            options["sel"] = selector
        return np.asarray(self._index.search(queries, wanted, params=lib.SearchParametersHNSW(**options))[1])

    def arrays(self) -> Arrays:
        """Levels [n] int32 and links int32; offsets and the entry follow from the levels."""
        lib, graph = faiss(), self._index.hnsw
        return {"levels": lib.vector_to_array(graph.levels), "links": lib.vector_to_array(graph.neighbors)}


class Lists:
    """Lists around centroids, rows compressed to a byte for four columns: Jégou, Douze, Schmid, PAMI 2011."""

    REFINED, LEAST_REFINED = 10, 200
    """Candidates that are compared exactly: so many for each that is wanted, and at least so many."""

    def __init__(self, dim: int, lists: int) -> None:
        lib = faiss()
        self._wide = -(-dim // 4) * 4
        self._coarse = lib.IndexFlatIP(self._wide)
        self._index = lib.IndexIVFPQ(self._coarse, self._wide, lists, self._wide // 4, 8, lib.METRIC_INNER_PRODUCT)
        self.lists = lists

    @classmethod
    def built(cls, plan: IndexPlan, vectors: Floats, progress: Progress) -> Lists:
        """Learned from a part of the rows, which are then all added."""
        own = cls(plan.dim, plan.lists)
        progress(0, 1, f"ivfpq: training on {plan.training:,} rows")
        drawn = np.random.default_rng(0).choice(len(vectors), plan.training, replace=False)
        own._index.train(own._padded(vectors[np.sort(drawn)]))
        progress(1, 1, f"ivfpq: training on {plan.training:,} rows")
        own.add(vectors, progress)
        return own

    @classmethod
    def of(cls, vectors: Floats, arrays: Mapping[str, npt.NDArray[Any]]) -> Lists:
        """From what :meth:`arrays` gave.

        Raises:
            Damaged: They are no lists of these vectors.
        """
        rows, dim = vectors.shape
        wide = -(-dim // 4) * 4
        centroids, codebook = arrays["centroids"].astype(np.float32), arrays["codebook"].astype(np.float32)
        of, codes = arrays["lists"].astype(np.int64), arrays["codes"].astype(np.uint8)
        lists = len(centroids) // wide
        if not lists or len(centroids) != lists * wide or len(codebook) != CENTROIDS * wide:
            raise Damaged("its centroids do not fit")
        if not (np.isfinite(centroids).all() and np.isfinite(codebook).all()):
            raise Damaged("its centroids are not finite")
        if len(of) != rows or len(codes) != rows * (wide // 4) or (rows and (of.min() < 0 or of.max() >= lists)):
            raise Damaged("its lists do not fit")
        own, lib = cls(dim, lists), faiss()
        own._coarse.add(centroids.reshape(lists, wide))
        lib.copy_array_to_vector(codebook, own._index.pq.centroids)
        own._index.is_trained = True
        codes = codes.reshape(rows, wide // 4)
        order = np.argsort(of, kind="stable")
        starts = np.searchsorted(of[order], np.arange(lists + 1))
        for number, (first, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
            if first < stop:
                ids, own_codes = np.ascontiguousarray(order[first:stop]), np.ascontiguousarray(codes[order[first:stop]])
                own._index.invlists.add_entries(number, stop - first, lib.swig_ptr(ids), lib.swig_ptr(own_codes))
        own._index.ntotal = rows
        return own

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: Floats, progress: Progress) -> None:
        """As :class:`Structure`."""
        for first in range(0, len(vectors), STEP):
            self._index.add(self._padded(vectors[first : first + STEP]))
            progress(min(first + STEP, len(vectors)), len(vectors), "ivfpq: rows")

    def candidates(self, queries: Floats, k: int, alive: Bools | None) -> Ints:
        """As :class:`Structure`."""
        lib = faiss()
        wanted = min(max(self.LEAST_REFINED, self.REFINED * k), self._index.ntotal)
        options: dict[str, Any] = {"nprobe": min(self.lists, max(16, self.lists // 32))}
        selector = _selector(lib, alive)
        if selector is not None:
            options["sel"] = selector
        return np.asarray(
            self._index.search(self._padded(queries), wanted, params=lib.SearchParametersIVF(**options))[1]
        )

    def arrays(self) -> Arrays:
        """Centroids and codebook float32; of each row its list int32 and its codes uint8."""
        lib, inverted = faiss(), self._index.invlists
        rows, size = self._index.ntotal, self._wide // 4
        of, codes = np.zeros(rows, np.int32), np.zeros((rows, size), np.uint8)
        for number in range(self.lists):
            count = inverted.list_size(number)
            if count:
                ids = lib.rev_swig_ptr(inverted.get_ids(number), count)
                of[ids] = number
                codes[ids] = lib.rev_swig_ptr(inverted.get_codes(number), count * size).reshape(count, size)
        centroids = self._coarse.reconstruct_n(0, self.lists).ravel()
        return {
            "centroids": centroids,
            "codebook": lib.vector_to_array(self._index.pq.centroids),
            "lists": of,
            "codes": codes.ravel(),
        }

    def _padded(self, vectors: Floats) -> Floats:
        """To a multiple of four columns; zeros change no inner product."""
        return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, self._wide - vectors.shape[1]))), dtype=np.float32)


def _selector(lib: Any, alive: Bools | None) -> Any:
    if alive is None:
        return None
    bits = np.packbits(alive, bitorder="little")
    return lib.IDSelectorBitmap(bits)


STRUCTURES: dict[str, type[Graph] | type[Lists]] = {"hnsw": Graph, "ivfpq": Lists}
"""Kind -> what it is made of; flat has none."""

TYPES: dict[str, dict[str, type[Any]]] = {
    "flat": {},
    "hnsw": {"levels": np.int32, "links": np.int32},
    "ivfpq": {"centroids": np.float32, "codebook": np.float32, "lists": np.int32, "codes": np.uint8},
}
"""Kind -> name and type of its arrays."""
