"""An index in a folder: plain arrays, names as JSON, and a manifest with the length and SHA-256 of each file.

Nothing in it is code or is unpickled. A manifest is written last and names its files by their content, so that a
folder always holds one whole index, the old one or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import digest_of, read_json, whole, write_text
from rankhub_find.kinds import Kind, Wanted
from rankhub_find.structures import TYPES, Arrays

MANIFEST = "index.json"
NOTE = "store.json"
_REMEDY = "make the index again with `rankhub index RUN SOURCES --out FOLDER --force`"
_LARGEST = 2**40
"""Bytes of a file, and rows, above which a manifest is not believed."""


class StoredFile(BaseModel):
    """One file of an index."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z]{1,20}\.[0-9a-f]{16}\.(bin|json)$")]
    bytes: Annotated[int, Field(ge=0, le=_LARGEST)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class KnownNetwork(BaseModel):
    """The network that made an index's vectors.

    Attributes:
        digest: Of its weights and of what it does to an image before it sees it; "" where the vectors were given.
        run: Where it was when the index was made.
        output: Which of its outputs the vectors are.
    """

    model_config = ConfigDict(extra="forbid")
    digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    run: str = ""
    output: str = ""


class Manifest(BaseModel):
    """What an index is, and of which files it consists."""

    model_config = ConfigDict(extra="forbid")
    format: Literal["rankhub index 1"] = "rankhub index 1"
    kind: Kind
    wanted: Wanted
    rows: Annotated[int, Field(ge=0, le=_LARGEST)]
    dim: Annotated[int, Field(ge=1, le=2**20)]
    learned: Annotated[int, Field(ge=0)] = 0
    network: KnownNetwork
    files: dict[str, StoredFile]


def is_index(folder: Path) -> bool:
    """Whether there is an index in a folder."""
    return (folder / MANIFEST).is_file()


def write(folder: Path, manifest: Manifest, names: Sequence[str], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an index, in the place of one that is there.

    Raises:
        UserError: It cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"names": _put(folder, "names", "json", [json.dumps(list(names)).encode()])}
    for name, array in arrays.items():
        flat = array.reshape(-1)
        step = 2**24
        parts = (np.ascontiguousarray(flat[first : first + step]).data.cast("B") for first in range(0, len(flat), step))
        files[name] = _put(folder, name, "bin", parts)
    write_text(folder / MANIFEST, manifest.model_copy(update={"files": files}).model_dump_json(indent=2) + "\n")
    (folder / NOTE).unlink(missing_ok=True)  # of another store's index
    kept = {file.name for file in files.values()}
    for path in folder.iterdir():  # of an index that was there before
        if path.name not in kept and path.suffix in (".bin", ".json") and _is_ours(path.name):
            with suppress(OSError):
                path.unlink()


def _is_ours(name: str) -> bool:
    parts = name.split(".")
    return len(parts) == 3 and parts[0] in {"names", "vectors", "alive", *(n for t in TYPES.values() for n in t)}


def _put(folder: Path, name: str, ending: str, parts: Any) -> StoredFile:
    """Write a file under a name made of its content."""
    digest, size = hashlib.sha256(), 0
    plain = folder / f"{name}.{ending}"
    with whole(plain) as beside, beside.open("wb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            size += len(part)
        file.flush()
        os.fsync(file.fileno())
    own = plain.with_name(f"{name}.{digest.hexdigest()[:16]}.{ending}")
    plain.replace(own)
    return StoredFile(name=own.name, bytes=size, sha256=digest.hexdigest())


def read(folder: Path) -> tuple[Manifest, list[str], Arrays]:
    """The index in a folder; its vectors stay in their file, which is mapped.

    Raises:
        UserError: There is none, or it is damaged; one sentence.
    """
    if not folder.is_dir():
        raise UserError(f"there is no index at {folder}; `rankhub index RUN SOURCES --out {folder}` makes one")
    if not is_index(folder):
        raise UserError(f"{folder} is no index: it has no {MANIFEST}; name the folder that `rankhub index` wrote")
    manifest: Manifest = read_json(folder / MANIFEST, Manifest, _REMEDY)
    types: dict[str, Any] = {"vectors": np.float32, "alive": np.bool_, **TYPES[manifest.kind]}
    lengths = {"vectors": manifest.rows * manifest.dim, "alive": manifest.rows}
    if set(manifest.files) != {"names", *types}:
        raise damaged(folder, f"a {manifest.kind} index has the files {', '.join(sorted({'names', *types}))}")
    paths = {name: _checked(folder, file) for name, file in manifest.files.items()}
    arrays: Arrays = {}
    for name, kind in types.items():
        size, width = manifest.files[name].bytes, np.dtype(kind).itemsize
        if size % width or size // width != lengths.get(name, size // width):
            raise damaged(folder, f"{paths[name].name} has {size:,} bytes, which do not fit {manifest.rows:,} rows")
        stored = np.uint8 if kind is np.bool_ else kind
        if size:
            arrays[name] = np.memmap(paths[name], stored, "r")
        else:
            arrays[name] = np.empty(0, stored)
    if len(arrays["alive"]) and arrays["alive"].max() > 1:
        raise damaged(folder, f"{paths['alive'].name} holds more than 0 and 1")
    arrays["alive"] = arrays["alive"].astype(bool)
    return manifest, _names(folder, paths["names"], manifest.rows), arrays


def _names(folder: Path, path: Path, rows: int) -> list[str]:
    try:
        names = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or len(names) != rows or not all(isinstance(name, str) for name in names):
        raise damaged(folder, f"{path.name} is no list of {rows:,} names")
    return names


def _checked(folder: Path, file: StoredFile) -> Path:
    """A file whose length and digest are those of the manifest."""
    path = folder / file.name
    try:
        if path.is_symlink() or not path.is_file():
            raise damaged(folder, f"{file.name} is not there")
        if path.stat().st_size != file.bytes:
            raise damaged(folder, f"{file.name} has {path.stat().st_size:,} bytes, not {file.bytes:,}")
        if digest_of(path) != file.sha256:
            raise damaged(folder, f"{file.name} is not as it was written")
    except OSError as error:
        raise UserError(f"the index {folder} cannot be read: {file.name}: {error.strerror}") from None
    return path


def damaged(folder: Path, why: str) -> UserError:
    """The sentence on an index that is not used."""
    return UserError(f"the index {folder} is damaged: {why}; {_REMEDY}")
