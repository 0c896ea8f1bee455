"""Packed tables with many rows that hold next to nothing, and indexes whose vectors are a column of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rankhub_find import Index
from rankhub_find.store import KnownNetwork
from rankhub_find.stores import make_store, open_index
from rankhub_lance import Rows, Store, open_table
from rankhub_pack.layout import About, schema_of

SMALL = 1e-5
"""GB: blocks of the least size, 256 rows."""

NETWORK = KnownNetwork(digest="ab" * 32, output="backbone")


def ids(first, last):
    """Names of images, with a quote in them."""
    return [f"it's {number % 3}/{number}.jpg" for number in range(first, last)]


def silent(done, total, what):
    """Progress that is not shown."""


def write_table(path, ids, per_fragment, image=b"x"):
    """Append rows to a table as `rankhub pack` makes it; its images are no images."""
    import lance
    import pyarrow as pa

    schema = schema_of(About())
    for first in range(0, len(ids), per_fragment):
        part = ids[first : first + per_fragment]
        columns = {"id": part, "image": [image] * len(part), "split": ["train"] * len(part)}
        data = pa.table(
            {name: pa.array(columns.get(name, [None] * len(part)), schema.field(name).type) for name in schema.names},
            schema=schema,
        )
        lance.write_dataset(data, str(path), mode="append" if Path(path).exists() else "create")


class TablePlace:
    """The images of a table, as `rankhub index` hands them to a store."""

    def __init__(self, path):
        self.uri = str(path)
        table = open_table(Store.of(path))
        self.rows = Rows(Store.of(path), int(table.version), ["image"])
        self.version = str(table.version)
        self.names = table.to_table(columns=["id"])["id"].to_pylist()


class Indexed:
    """An index in a table's column, and one in memory of the same vectors in the table's order."""

    def __init__(self, folder, table, kind="flat", network=NETWORK, dim=8, seed=0, **options):
        self.folder, self.table, self.kind, self.network, self.dim = folder, table, kind, network, dim
        self.options = {"memory_gb": SMALL, **options}
        rng = np.random.default_rng(seed)
        self.centres = rng.normal(size=(40, dim))
        self.rng, self.known = rng, {}
        self.ours = None

    def vector(self, count):
        """Vectors around a few centres; some are equal."""
        found = self.centres[self.rng.integers(0, 40, count)] + 0.3 * self.rng.normal(size=(count, self.dim))
        found[: count // 10] = self.centres[3]
        return found.astype(np.float32)

    def create(self):
        """Begin."""
        place = TablePlace(self.table)
        self.known = {}
        store = make_store("lance", self.options)
        self.ours = store.create(self.folder, self.dim, self.network, self.kind, images=place)

    def append(self, ids):
        """Hand vectors over in two parts."""
        rows = self.vector(len(ids))
        self.known |= dict(zip(ids, rows, strict=True))
        names = [f"{self.table}/{one}" for one in ids]
        half = len(ids) // 2
        self.ours.append(names[:half], rows[:half])
        self.ours.append(names[half:], rows[half:])

    def save(self):
        """As `rankhub index` does at its end."""
        self.ours.settle(silent)
        self.ours.save(self.folder)
        self.reopen()

    def reopen(self):
        """As another command opens it."""
        self.ours = open_index(self.folder, silent, self.options)

    def remove(self, ids):
        """As `rankhub index --remove`."""
        self.ours.remove([f"{self.table}/{one}" for one in ids], silent)
        self.ours.save(self.folder)
        for one in ids:
            del self.known[one]

    def in_order(self):
        """Ids with vectors in the table's order, and their row numbers."""
        listed = open_table(Store.of(self.table)).to_table(columns=["id"])["id"].to_pylist()
        rows = [row for row, one in enumerate(listed) if one in self.known]
        return [listed[row] for row in rows], np.array(rows)

    def check(self, above=0.98):
        """See that all answers are those of an index in memory, ties and all."""
        ids, rows = self.in_order()
        names = [f"{self.table}/{one}" for one in ids]
        exact = Index.build(names, np.stack([self.known[one] for one in ids]), "flat")
        asked = np.concatenate([self.vector(5), exact.vectors[:3]])
        assert len(self.ours) == len(ids)
        assert self.ours.kind == "flat"
        for k in (1, 7, 60, len(ids) + 3):
            best, at = exact.nearest(asked, k)
            mine, found = self.ours.nearest(asked, k)
            np.testing.assert_array_equal(mine, best)
            np.testing.assert_array_equal(found, np.where(at < 0, -1, rows[at]))
        found = [[(one.name, one.similarity) for one in part] for part in self.ours.search(asked, 9)]
        assert found == [[(one.name, one.similarity) for one in part] for part in exact.search(asked, 9)]
        groups = exact.duplicates(above)
        assert self.ours.duplicates(above, silent) == groups
        assert len(groups) > 0
        assert self.ours.known([*names, "/other", f"{self.table}/none"]) == set(names)
        assert self.ours.below(f"{self.table}/") == names
