"""The kinds of index: which one suits how many rows, what it learns from, and the memory that it takes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from rankhub.interfaces.errors import UserError

Kind = Literal["flat", "hnsw", "ivfpq"]
Wanted = Literal["flat", "hnsw", "ivfpq", "auto"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Progress = Callable[[int, int, str], None]

LINKS = 32
"""Links of a row in the graph of ``hnsw`` (twice as many on its lowest level)."""

CENTROIDS = 256
"""Codes of one part of a vector in ``ivfpq``: one byte."""

LEAST = 39 * CENTROIDS
"""Rows from which ``ivfpq`` can be learned: faiss's own least of 39 a centroid."""

FLAT_BELOW, GRAPH_BELOW = 100_000, 20_000_000
"""Rows below which ``auto`` takes ``flat``, and then ``hnsw``."""


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """What an index of so many rows will be.

    Attributes:
        kind: flat, hnsw or ivfpq.
        why: Why ``auto`` took it; "" where it was asked for by name.
        rows: How many images.
        dim: Columns of a vector.
        training: Rows that it learns from; 0 where it learns nothing.
        lists: Of ivfpq, how many lists the rows are split into; else 0.
        memory: Bytes that it holds while it is searched, beside the vectors, which are mapped from their file.
        building: Bytes at most while it is made.
    """

    kind: Kind
    why: str
    rows: int
    dim: int
    training: int
    lists: int
    memory: int
    building: int

    def lines(self) -> dict[str, str]:
        """What a person is told before it begins: name -> text."""
        learned = f"{self.training:,} of {self.rows:,} rows, {self.lists:,} lists" if self.training else "none"
        disk = self.rows * self.dim * 4
        held = f"{size_of(self.memory)} to search, {size_of(self.building)} to build; " if self.memory else ""
        return {
            "index": f"{self.kind}, {self.rows:,} vectors of {self.dim} columns"
            + (f": {self.why}" if self.why else ""),
            "training": learned,
            "memory": f"{held}vectors of {size_of(disk)} are mapped from their file",
        }


def plan(wanted: Wanted, rows: int, dim: int) -> IndexPlan:
    """The index of a kind, or the kind that suits, for ``rows`` vectors of ``dim`` columns.

    ``auto``: flat, which is exact, below :data:`FLAT_BELOW` rows, where it takes some milliseconds a query; hnsw, the
    graph, while its memory stays below half of the machine's and the rows below :data:`GRAPH_BELOW`; else ivfpq, a few
    bytes a row.

    Raises:
        UserError: There is no such kind, or too few rows for ivfpq to be learned from.
    """
    if wanted not in (*KINDS, "auto"):
        raise UserError(f"there is no kind of index {wanted!r}; there are {', '.join(KINDS)}, and auto")
    kind, why = _chosen(rows, dim) if wanted == "auto" else (wanted, "")
    if kind == "ivfpq" and rows < LEAST:
        raise UserError(
            f"ivfpq learns {CENTROIDS} codes from at least {LEAST:,} rows, these are {rows:,}; take --kind flat, which "
            "is exact and fast enough here"
        )
    vectors = rows * dim * 4
    if kind == "flat":
        return IndexPlan(kind, why, rows, dim, 0, 0, 0, 0)
    if kind == "hnsw":
        memory = _graph_bytes(rows, dim)
        return IndexPlan(kind, why, rows, dim, 0, 0, memory, memory)
    lists = max(1, min(round(4 * math.sqrt(rows)), rows // 39))
    training = min(rows, max(64 * lists, 256 * CENTROIDS))
    wide = -(-dim // 4) * 4
    memory = rows * (wide // 4 + 12) + lists * wide * 4
    return IndexPlan(kind, why, rows, dim, training, lists, memory, memory + min(vectors, training * wide * 8))


def _chosen(rows: int, dim: int) -> tuple[Kind, str]:
    """What auto takes, and why."""
    if rows < FLAT_BELOW:
        return "flat", f"exact, and fast enough below {FLAT_BELOW:,} rows"
    graph, there = _graph_bytes(rows, dim), machine_memory()
    if rows < GRAPH_BELOW and graph <= there / 2:
        return (
            "hnsw",
            f"from {FLAT_BELOW:,} rows on, and its {size_of(graph)} are at most half of this machine's memory",
        )
    reason = f"more than {GRAPH_BELOW:,} rows" if rows >= GRAPH_BELOW else f"a graph would hold {size_of(graph)}"
    return "ivfpq", f"{reason}, of {size_of(there)} of memory"


def _graph_bytes(rows: int, dim: int) -> int:
    """The vectors, the links of the lowest level (others add a thirtieth), a level and an offset."""
    return rows * (dim * 4 + LINKS * 2 * 4 + LINKS * 4 // 31 + 12)


def machine_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def size_of(count: int) -> str:
    """Bytes, as a person reads them."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.3g} MB"
