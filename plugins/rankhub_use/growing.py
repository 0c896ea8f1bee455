"""An output that grows: its table, the images that were left out, and what it means; it can be gone on with."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from rankhub import UserError
from rankhub.interfaces.files import beside_of, read_json, readable, write_text
from rankhub_listing.files import UnusedImage
from rankhub_tables.writing import fitting
from rankhub_use.named import NamedFile
from rankhub_use.tables import CsvTable, GrowingTable, Row

log = logging.getLogger("rankhub")

SKIPPED = ("path", "kind", "reason", "remedy")
"""Columns of the table of images that were left out."""


class Growing:
    """A table with one row a file, in their order; beside it ``STEM_skipped.csv`` and ``NAME.json``.

    While it grows, all three end in ``.partial``.

    Args:
        table: The table, not begun.
        out: What the others are named after.
        about: What the output means and what it was made of: plain data. If it is the same, one can go on.
        safe: As for :class:`~rankhub_use.tables.CsvTable`.
    """

    def __init__(self, table: GrowingTable, out: Path, about: Mapping[str, Any], safe: bool = False) -> None:
        self.table, self.about = table, json.loads(json.dumps(about, default=str))
        self.skipped = CsvTable(out.with_name(fitting(f"{out.stem}_skipped", ".csv")), SKIPPED, safe)
        self.sidecar = out.with_name(fitting(out.name, ".json"))
        self._state = beside_of(self.sidecar)
        self.rows = self.left_out = 0
        self._own = False  # whether the parts that are there are this call's

    @property
    def done(self) -> int:
        """Files that have their row in one of the two tables."""
        return self.rows + self.left_out

    def start(self, files: Sequence[NamedFile], *, resume: bool, force: bool) -> int:
        """Begin, or go on.

        Returns:
            How many of the files are done already.

        Raises:
            UserError: There is a part that nobody asked to go on with or to replace, or it is of something else.
        """
        begun = self._state.exists() and self.table.beside.exists()
        if begun and resume:
            self._same()
            self._own = True
            ends = self._ends(files)
            for table, end in zip((self.table, self.skipped), ends, strict=True):
                if end:
                    table.resume(end)
                else:
                    table.begin()
            return self.done
        if begun and not force:
            raise UserError(
                f"{self.table.beside} is what an earlier call has begun; --resume goes on with it, --force begins anew"
            )
        self._own = True
        self.table.begin()
        self.skipped.begin()
        write_text(self._state, json.dumps(self.about, indent=1, ensure_ascii=False) + "\n")
        return 0

    def _same(self) -> None:
        begun = read_json(self._state, dict[str, Any], "--force begins anew")
        other = [name for name in {**begun, **self.about} if begun.get(name) != self.about.get(name)]
        if other:
            verb = "is" if len(other) == 1 else "are"
            raise UserError(
                f"--resume: {', '.join(other)} {verb} not as when {self.table.beside} was begun; call it as then, or "
                "--force begins anew"
            )

    def _ends(self, files: Sequence[NamedFile]) -> tuple[int, int]:
        """Byte after the last row of each table up to which both together have every file in order."""
        nothing: list[tuple[str, int]] = [("", 0)]
        tables = [(table, chain(table.names(), nothing)) for table in (self.table, self.skipped) if _there(table)]
        heads = {table: next(rows) for table, rows in tables}
        counts, ends = dict.fromkeys((self.table, self.skipped), 0), dict.fromkeys((self.table, self.skipped), 0)
        for file in files:
            for table, rows in tables:
                name, end = heads[table]
                if end and name == table.shown(file.name):
                    counts[table] += 1
                    ends[table] = end
                    heads[table] = next(rows)
                    break
            else:
                break
        self.rows, self.left_out = counts[self.table], counts[self.skipped]
        return ends[self.table], ends[self.skipped]

    def add(self, rows: Sequence[Row], left_out: Iterable[UnusedImage] = ()) -> None:
        """What was found of the next files."""
        unused = list(left_out)
        self.table.write(rows)
        self.rows += len(rows)
        self.skipped.write([(one.path, one.kind, one.reason, one.remedy) for one in unused])
        self.left_out += len(unused)

    def finish(self, found: Mapping[str, Any]) -> list[Path]:
        """Give everything its name; ``found`` joins what is said of the output.

        Returns:
            The files that were written.
        """
        self.table.finish()
        written = [self.table.path]
        if self.left_out:
            self.skipped.finish()
            written.append(self.skipped.path)
        else:
            self.skipped.discard()
            self.skipped.path.unlink(missing_ok=True)  # that of an earlier call
        counts = {"images": self.rows, "skipped": self.left_out}
        whole = {**self.about, **counts, **json.loads(json.dumps(found, default=str))}
        write_text(self.sidecar, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
        self._state.unlink(missing_ok=True)
        return [*written, self.sidecar]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What is done is kept if it ends here: parts without a row are taken away.

        Whatever ended it goes on, with a warning before it that says how to go on.
        """
        try:
            yield
        except BaseException:
            self.table.close()
            self.skipped.close()
            if self._own and not self.rows:
                self.discard()
            elif self._own:
                sentence = "it is not complete: the first %d rows are in %s; --resume goes on with them"
                log.warning(sentence, self.rows, self.table.beside)
            raise

    def discard(self) -> None:
        """Take all parts away."""
        self.table.discard()
        self.skipped.discard()
        self._state.unlink(missing_ok=True)


def _there(table: GrowingTable) -> bool:
    return table.beside.exists()


def sources_of(files: Sequence[NamedFile]) -> dict[str, Any]:
    """What is said of the images that an output is made of, by which they are known again.

    Keys: ``count``; ``digest`` of the names in their order and, of images of places, where these are and at which
    version; ``places``: ``uri`` and version of each, where there is one.
    """
    digest, places, last = hashlib.blake2b(digest_size=16), dict[str, str](), None
    for file in files:
        if file.place is not None and file.place is not last:
            last = file.place
            places[readable(last.uri)] = last.version
            digest.update(f"\0{readable(last.uri)}\0{last.version}\0".encode())
        digest.update(readable(file.name).encode())
        digest.update(b"\0")
    return {"count": len(files), "digest": digest.hexdigest(), **({"places": places} if places else {})}
