"""The images of a table that `rankhub pack` made, by their numbers: read in blocks, of which few are held."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub_data.decode import Pixels, UndecodableError, decode
from rankhub_data.deep import Remark
from rankhub_lance import Rows, Store, open_table
from rankhub_lance.blocks import key_of
from rankhub_pack.layout import About, check_whole, read_about
from rankhub_use.named import Lazy
from rankhub_use.places import ImagePlace

Ints = npt.NDArray[np.int64]

BLOCK_BYTES = 1 << 24
"""Bytes of pixels whose rows are read together, unless one image has more."""
BLOCK_ROWS = 256
"""The most rows that are read together; 16 where a table does not say how large its images are."""
KEPT_BYTES = 1 << 25
"""Bytes of blocks that are held, but for the one that was read last."""
_NEAR = 64
"""Blocks that count as just read: one of them, or the one behind, is read whole, any other row alone."""


class Names(Lazy[str]):
    """Texts as an Arrow array has them.

    Args:
        array: A ``pyarrow.LargeStringArray`` without nulls.
    """

    def __init__(self, array: Any) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def some(self, at: slice) -> Names:
        """As in the base."""
        which = range(len(self.array))[at]
        if which.step == 1:
            return Names(self.array[which.start : which.stop])
        return Names(self.array.take(np.asarray(which, dtype=np.int64)))

    def one(self, number: int) -> str:
        """As in the base."""
        return str(self.array[number].as_py())

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self.array), 4096):
            yield from self.array[start : start + 4096].to_pylist()


class LancePlace(ImagePlace):
    """The images of a table at one version; memory does not grow with their number, but for their names and sizes.

    Args:
        rows: Of the table, with the columns ``image`` and, of pixels, ``height`` and ``width``.
        version: What says that the images are the same.
        names: [n] of them.
        pixels: Whether rows hold pixels, and not files.
        starts: [n + 1] where each row begins, in bytes by which blocks are cut.

    Attributes:
        rows: For whoever wants more of the table.
    """

    def __init__(self, rows: Rows, version: str, names: Names, pixels: bool, starts: Ints) -> None:
        self.rows, self.uri, self.version, self.names = rows, rows.store.uri, version, names
        self.pixels, self.starts = pixels, starts
        self._lock = threading.Lock()
        self._kept: OrderedDict[range, Future[Any]] = OrderedDict()
        self._touched: deque[int] = deque(maxlen=_NEAR)

    def __reduce__(self) -> tuple[Any, ...]:
        return LancePlace, (self.rows, self.version, self.names, self.pixels, self.starts)

    def read(self, row: int) -> tuple[Pixels, Remark]:
        """As :class:`~rankhub_use.places.ImagePlace`: what the file that was packed gives.

        Raises:
            UndecodableError: The row holds no image that can be read.
            StoreError: The store does not give the row; tried again for two minutes where it is no disk.
        """
        start, block = self._block(row)
        cells = {name: block.column(name)[row - start].as_py() for name in block.column_names}
        content = cells["image"]
        if content is None:
            raise UndecodableError("broken", "its row holds nothing")
        if not self.pixels:
            return decode(content, os.path.splitext(self.names[row])[1].lower())[:2]
        shape = (3, cells["height"] or 0, cells["width"] or 0)
        if not content or len(content) != np.prod(shape):
            raise UndecodableError("broken", f"its row holds {len(content)} bytes, not pixels {list(shape)}")
        return np.frombuffer(content, np.uint8).reshape(shape).copy(), Remark.NONE

    def span(self, row: int) -> range:
        """The rows that are read together with one."""
        block = int(self.starts[row]) // BLOCK_BYTES
        first, stop = np.searchsorted(self.starts, [block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES]).tolist()
        return range(first, min(stop, len(self.names)))

    def _block(self, row: int) -> tuple[int, Any]:
        """Rows among which one is, and the number of their first. Who asks first reads, others wait for it."""
        with self._lock:
            rows = self.span(row)
            if rows not in self._kept and not {rows.start, rows.start - 1} & set(self._touched):
                alone, rows = rows, range(row, row + 1)
                self._touched.append(alone.start)
            self._touched += (rows.start, rows.stop - 1)
            mine = rows not in self._kept
            found = self._kept.setdefault(rows, Future())
            self._kept.move_to_end(rows)
        if mine:
            try:
                found.set_result(self.rows.span(rows.start, rows.stop))
            except BaseException as error:
                with self._lock:
                    del self._kept[rows]
                found.set_exception(error)
                raise
            self._make_room()
        return rows.start, found.result()

    def _make_room(self) -> None:
        """Let go of blocks, those first that were asked for longest ago; those that are being read stay."""
        with self._lock:
            done = [(rows, found.result().nbytes) for rows, found in self._kept.items() if found.done()]
            total = sum(size for _, size in done)
            for rows, size in done[:-1]:
                if total <= KEPT_BYTES:
                    break
                del self._kept[rows]
                total -= size


def open_place(place: str) -> LancePlace:
    """The images of a table at its newest version.

    Args:
        place: A path or an address.

    Raises:
        UserError: As :meth:`rankhub_pack.image_source.LanceSource.open`.
    """
    store = Store.of(place)
    table = open_table(store)
    check_whole(table, store.uri)
    about = read_about(table.schema.metadata, store.uri) or About()
    sizes = [name for name in ("height", "width") if name in table.schema.names]
    if (why := _unfit(table.schema, about, len(sizes) == 2)) is not None:
        raise _refusal(store.uri, why)
    rows = Rows(store, int(table.version), ["image", *(sizes if about.pixels else [])])
    found = rows.column("id", *(sizes if len(sizes) == 2 else []))
    ids = found.column("id").cast("large_string").combine_chunks()
    if (why := _unclear(ids)) is not None:
        raise _refusal(store.uri, why)
    return LancePlace(rows, _version(rows), Names(ids), about.pixels, _starts(found))


def _refusal(uri: str, why: str) -> UserError:
    return UserError(f"the table {uri} cannot be taken as images: {why}; rankhub pack makes tables that can")


def _unfit(schema: Any, about: About, sized: bool) -> str | None:
    """What the columns lack."""
    import pyarrow as pa

    texts, bytes_ = (pa.string(), pa.large_string()), (pa.binary(), pa.large_binary())
    for name, types, what in (("id", texts, "text"), ("image", bytes_, "bytes")):
        if name not in schema.names:
            return f"it has no column {name!r}, it has {', '.join(schema.names)}"
        if schema.field(name).type not in types:
            return f"its column {name!r} holds {schema.field(name).type}, not {what}"
    return "its images are pixels, but it has no columns height and width" if about.pixels and not sized else None


def _unclear(ids: Any) -> str | None:
    """What keeps the ids from naming its rows."""
    import pyarrow.compute as pc

    if not len(ids):
        return "it has no row"
    unnamed = ids.null_count + (pc.sum(pc.equal(ids, "")).as_py() or 0)
    if unnamed:
        return f"{unnamed:,} of its {len(ids):,} rows have no id"
    hashes = np.sort(np.fromiter(map(hash, Names(ids)), np.int64, len(ids)))  # Arrow's own count takes 300 bytes a row
    if (hashes[1:] != hashes[:-1]).all():
        return None
    counts = pc.value_counts(ids)
    several = counts.filter(pc.greater(counts.field("counts"), 1))
    if not len(several):
        return None
    twice = several[0].as_py()
    return f"{twice['counts']} of its rows have the id {twice['values']!r}"


def _starts(found: Any) -> Ints:
    """[n + 1] where each row begins, by the pixels of the rows before it."""
    if not {"height", "width"} <= set(found.column_names):
        return np.arange(len(found) + 1, dtype=np.int64) * (BLOCK_BYTES // 16)
    height, width = (found.column(name).cast("int64").fill_null(0).to_numpy() for name in ("height", "width"))
    weights = np.maximum(3 * height * width, BLOCK_BYTES // BLOCK_ROWS)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(weights)])


def _version(rows: Rows) -> str:
    """Of what an image is called and is: the same where only other columns were added."""
    return key_of(*(part for _, held in rows.held("id") for part in held))
