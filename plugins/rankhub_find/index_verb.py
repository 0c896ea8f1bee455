"""`rankhub index`: make images searchable."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

import rankhub
from rankhub import Talk, UserError
from rankhub.interfaces.files import readable
from rankhub_console.speech import talking
from rankhub_find.kinds import Wanted, plan
from rankhub_find.output import write_table
from rankhub_find.stores import chosen, is_index, make_store, open_index, separated, store_of
from rankhub_lock import locked
from rankhub_train.waiting import spinning
from rankhub_use.named import ChosenFiles, NamedFile, one_place
from rankhub_use.options import read_options
from rankhub_use.placed import located
from rankhub_use.shell import as_json

if TYPE_CHECKING:
    from rankhub import Run
    from rankhub_find.store import KnownNetwork
    from rankhub_find.stores import VectorIndex

T = TypeVar("T")

SAVE_AFTER = 300.0
"""Seconds after which what is done is saved, unless saving takes more than a tenth of the time."""

ASKED = 1 << 20
"""Names that an index is asked for at a time: some 150 MB. One in a table reads all its own names each time."""

SHOWN = 10
"""Images that are left out and shown."""


def index(
    run: Annotated[Path | None, typer.Argument(help="A run's folder, or one of its checkpoints.")] = None,
    sources: Annotated[
        list[str] | None, typer.Argument(help="Images: folders, files, tables, - for names on standard input.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The index's folder.")] = None,
    from_list: Annotated[
        Path | None, typer.Option("--from", help="A list of files, folders, tables, one a line.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="flat, hnsw, ivfpq, or auto (the default), by the size.")] = None,
    store: Annotated[
        str, typer.Option(help="Where vectors are kept: faiss (in memory), lance (in a table), or auto, by their size.")
    ] = "auto",
    options: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the store, such as memory_gb=4. May be repeated.")
    ] = None,
    output: Annotated[str, typer.Option(help="What is compared: backbone, or HEAD.OUTPUT.")] = "backbone",
    changes: Annotated[list[str] | None, typer.Option("--set", help="A change, such as device=cpu.")] = None,
    add: Annotated[bool, typer.Option("--add", help="Add images that are not in the index yet.")] = False,
    remove: Annotated[
        list[str] | None, typer.Option(help="Take an image, or all below a folder or of a table, out. May be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an index that is there.")] = False,
    as_data: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Embed images with the network of a run and make an index of them, which `search` and `duplicates` use.

    Ctrl-C keeps what is done: with --add the same command goes on. Images that cannot be read are listed in
    skipped.csv, and the rest is done.

    Example: rankhub index runs/s2r2_folder/2026-01-31_12-00-00 ~/photos --out photos.index
    """
    if out is None:
        raise UserError("name the index's folder with --out FOLDER")
    talk = talking(stderr=as_data)
    busy = f"another `rankhub index` is at work in {out}; let it end"
    if remove:
        if run is not None or sources or from_list is not None or add or force or kind is not None:
            raise UserError("--remove goes with --out alone: rankhub index --out FOLDER --remove PATH")
        opened = open_index(out, talk.work, read_options(options or []))
        with locked(out / "index.lock", sentence=busy):
            done = _remove(opened, remove, out, talk)
        return typer.echo(as_json(done, indent=1)) if as_data else None
    if run is None or (not sources and from_list is None):
        raise UserError("name a run and images: rankhub index RUN SOURCES... --out FOLDER")
    _check_place(out, add, force)
    from rankhub_use.sources import files_for, located_files

    wanted = _wanted(kind)
    with spinning():
        import torch  # noqa: F401
    files = located_files(files_for(sources or [], from_list))
    try:
        trained = rankhub.load_run(run, overrides=changes or [])
        with trained, locked(out / "index.lock", sentence=busy):
            store_options = store, read_options(options or [])
            done = _Indexing(trained, files, out, talk).go(output, wanted, add, *store_options)
    finally:
        with suppress(OSError):
            out.rmdir()  # where nothing came of it
    if as_data:
        typer.echo(as_json(done, indent=1))
    if done["stopped"]:
        raise typer.Exit(130)


def _wanted(kind: str | None) -> Wanted | None:
    if kind is None:
        return None
    plan(kind if kind != "ivfpq" else "auto", 0, 1)  # type: ignore[arg-type]  # says what there is
    return kind  # type: ignore[return-value]


def _check_place(out: Path, add: bool, force: bool) -> None:
    if add and force:
        raise UserError("--add keeps the index that --force replaces; give one of the two")
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; name a folder")
    if out.is_dir() and any(path.name != "index.lock" for path in out.iterdir()) and not is_index(out):
        raise UserError(f"--out {out} holds other things than an index; name another folder")
    if is_index(out) and not (add or force):
        raise UserError(f"there is an index at {out} already; --add adds to it, --force replaces it")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.absolute().parent}; make it first")


def _check_same(out: Path, store: str) -> None:
    """An index stays in the store in which it is."""
    own = store_of(out).rpartition("/")[2]
    if store not in ("auto", own, store_of(out)):
        raise UserError(f"the index {out} is in the store {own}; leave --store out, or make another with --force")


class _Ended(UserError):
    """No more can be embedded, such as where a place of images does not answer."""


def _marked(blocks: Iterator[T]) -> Iterator[T]:
    """The same; what ends them is marked."""
    try:
        yield from blocks
    except UserError as error:
        raise _Ended(str(error)) from error


class _Indexing:
    """Embedding, with what is done so far."""

    def __init__(self, run: Run, files: Sequence[NamedFile], out: Path, talk: Talk) -> None:
        self.run, self.files, self.out, self.talk = run, files, out, talk
        self.skipped: list[tuple[str, str]] = []
        self.names: list[str] = []
        self.parts: list[Any] = []

    def go(self, output: str, kind: Wanted | None, add: bool, store: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Embed what is not there yet, and build."""
        from rankhub_find.embedding import check_known, embedded, network_of

        ours = open_index(self.out, self.talk.work, options) if add and is_index(self.out) else None
        if ours is not None:
            _check_same(self.out, store)
            check_known(ours.network, self.run)
            output, ours.wanted = ours.network.output, kind or ours.wanted
        known = network_of(self.run, output)
        ahead = self.files if ours is None else _missing(ours, self.files)
        if len(ahead) < len(self.files):
            self.talk.note(f"{len(self.files) - len(ahead):,} images are in the index already")
        saved, begun, cost, added, stopped = time.monotonic(), time.monotonic(), 0.0, 0, False
        try:
            done = 0
            for names, vectors, skipped in _marked(embedded(self.run, output, ahead)):
                if names and ours is None:
                    ours = self._created(store, options, len(ahead), vectors.shape[1], kind or "auto", known)
                if names and not added and ours is not None:
                    self.talk.finish()
                    self.talk.pairs(ours.lines(len(ahead)))
                self.names += names
                self.parts += [vectors] if names else []
                self.skipped += skipped
                added, done = added + len(names), done + len(names) + len(skipped)
                self.talk.work(done, len(ahead), "embed")
                if ours is not None and len(self.names) >= ours.portion:
                    self._append(ours)
                if ours is not None and time.monotonic() - saved > max(SAVE_AFTER, 10 * cost):
                    before = time.monotonic()
                    self._keep(ours)
                    saved = time.monotonic()
                    cost = saved - before
            if ours is None:
                first = f", such as {readable(self.skipped[0][0])}: {self.skipped[0][1]}" if self.skipped else ""
                raise UserError(f"none of {len(self.files)} images can be read{first}")
            self._append(ours)
            ours.settle(self.talk.work)
            ours.save(self.out)
        except KeyboardInterrupt:
            self.talk.finish()
            if ours is None:
                raise
            stopped = True
            self._keep(ours)
        except _Ended as error:
            self.talk.finish()
            if ours is None:
                raise
            self._keep(ours)
            raise UserError(f"{error}; what is done is kept, and the same command with --add goes on") from error
        self.talk.finish()
        return self._say(ours, added, stopped, time.monotonic() - begun)

    def _created(
        self, store: str, options: Mapping[str, Any], rows: int, dim: int, kind: Wanted, known: KnownNetwork
    ) -> VectorIndex:
        """An index without vectors, in the store that is named or that suits."""
        name, why = chosen(rows, dim) if store == "auto" else (store, "")
        if why:
            self.talk.finish()
            self.talk.pairs({"store": f"{name.rpartition('/')[2]}: {why}"})
        return make_store(name, options).create(self.out, dim, known, kind, one_place(self.files))

    def _append(self, ours: VectorIndex) -> None:
        import numpy as np

        names, parts = self.names, self.parts
        self.names, self.parts = [], []
        if names:
            ours.append(names, np.concatenate(parts))

    def _keep(self, ours: VectorIndex) -> None:
        """Save what is done as a flat index."""
        self._append(ours)
        ours.unsettled()
        ours.save(self.out)

    def _say(self, ours: VectorIndex, added: int, stopped: bool, seconds: float) -> dict[str, Any]:
        rows = [{"path": path, "reason": reason} for path, reason in self.skipped]
        table = self.out / "skipped.csv"
        if rows:
            write_table(table, rows, ["path", "reason"])
            for path, reason in self.skipped[:SHOWN]:
                self.talk.note(f"{readable(path)} is left out: {reason}")
            self.talk.note(f"{len(rows):,} images are left out, {table}")
        else:
            table.unlink(missing_ok=True)
        if stopped:
            self.talk.note(f"stopped; what is done is kept as a {ours.kind} index, the same command with --add goes on")
        self.talk.line(f"{added:,} images added, {len(ours):,} in all, {ours.kind}, {seconds:,.0f} s: {self.out}")
        return {
            "index": str(self.out),
            "kind": ours.kind,
            "why": ours.why,
            "added": added,
            "images": len(ours),
            "skipped": rows,
            "network": ours.network.digest,
            "output": ours.network.output,
            "seconds": round(seconds, 1),
            "stopped": stopped,
        }


def _missing(ours: VectorIndex, files: Sequence[NamedFile]) -> Sequence[NamedFile]:
    """The files that are not in an index.

    Raises:
        UserError: One can never be in it, which is said before any is embedded.
    """
    import numpy as np

    left = array("q")
    for first in range(0, len(files), ASKED):
        names = [file.name for file in files[first : first + ASKED]]
        barred = ours.barred(names)
        if barred is not None:
            raise UserError(barred)
        known = ours.known(names)
        left.extend(first + number for number, name in enumerate(names) if name not in known)
    return files if len(left) == len(files) else ChosenFiles(files, np.array(left, dtype=np.int64))


def _remove(ours: VectorIndex, remove: Sequence[str], out: Path, talk: Talk) -> dict[str, Any]:
    """Take out images and folders of them."""
    gone: list[str] = []
    for path in remove:
        absolute = located(path.rstrip("/") or path)
        found = [absolute] if ours.known([absolute]) else ours.below(separated(absolute))
        if not found:
            raise UserError(f"there is no image {readable(path)}, and none below a folder of that name, in {out}")
        gone += found
    count = ours.remove(gone, talk.work)
    talk.finish()
    ours.save(out)
    talk.line(f"{count:,} images removed, {len(ours):,} are left: {out}")
    return {"index": str(out), "kind": ours.kind, "removed": count, "images": len(ours)}
