"""A run's folder: where it lies and what is written in it, but for checkpoints."""

import dataclasses
import importlib.metadata
import json
import math
import os
import platform
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import torch
from annotated_types import Gt
from pydantic import BaseModel, FiniteFloat

from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.data import LabelKind, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import read_json, unwritable, write_text
from rankhub.recipe.load import LoadedRecipe
from rankhub.recipe.phases import old_forms
from rankhub.recipe.reader import read_yaml, write_yaml
from rankhub.recipe.shipped import Source, read_file

RESOLVED = "recipe.resolved.yaml"
LABELS = "labels.json"
_LOCKED = ("rankhub", "torch", "torchvision", "timm", "numpy", "pillow", "scipy", "scikit-learn", "scikit-image")


def new_folder(name: str, out: Path | None) -> Path:
    """Make the folder of a new run, ``runs/<name>/<time>`` unless ``out`` names one; a run overwrites no other."""
    if out is not None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"--out {out} is there already; a run overwrites nothing: name another folder, or --resume")
        return _made(out, exist_ok=True)
    base = Path("runs") / name
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in range(1, 1000):
        folder = base / (stamp if number == 1 else f"{stamp}_{number}")
        if not folder.exists():
            return _made(folder, exist_ok=False)
    raise UserError(f"{base} holds too many runs of {stamp}; name a folder with --out")


def _made(folder: Path, *, exist_ok: bool) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        raise UserError(f"the run's folder {folder.absolute()} cannot be made: {error.strerror}") from error
    return folder


def write_start(folder: Path, loaded: LoadedRecipe, pinned: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the recipe as given and as resolved, with what is ``pinned`` of its data, and the lock of versions."""
    lock = {"overrides": list(loaded.changes), **versions(loaded.catalog)}
    write_text(folder / "recipe.yaml", loaded.text)
    write_text(folder / "lock.json", json.dumps(lock, indent=1) + "\n")
    resolved = loaded.resolved()
    for name, options in pinned.items():
        resolved["data"][name] |= options
    write_text(folder / RESOLVED, write_yaml(resolved))


def home_of(run: Path) -> Path:
    """The folder of a run, given it or one of its checkpoints; a UserError if it is no run."""
    return next((home for home in (run, run.parent.parent) if (home / RESOLVED).is_file()), None) or _no_run(run)


def _no_run(run: Path) -> NoReturn:
    raise UserError(f"{run.absolute()} is no run's folder: {RESOLVED} is not in it")


def resolved_recipe(run: Path) -> Source:
    """The resolved recipe of a run; a UserError if ``run`` is none, or one of an earlier version."""
    path = run / RESOLVED
    if not path.is_file():
        _no_run(run)
    source = read_file(path)
    if old_forms(read_yaml(source.text, source.file).data):
        raise UserError(
            f"the run {run.absolute()} was begun by an earlier version of rankhub, whose recipes had another form; "
            "train it anew, or use the version that its lock.json names"
        )
    return source


class _Label(BaseModel, extra="forbid"):
    """A :class:`LabelSpec` in a file: nothing may lack, for a default would be another scale."""

    kind: LabelKind | None
    higher_is_better: bool
    range: tuple[FiniteFloat, FiniteFloat] | None
    unit: str
    classes: tuple[str, ...]
    mean: FiniteFloat
    std: Annotated[FiniteFloat, Gt(0)]
    density: FiniteFloat


def write_labels(folder: Path, labels: Mapping[str, LabelSpec]) -> None:
    """Write what the labels are, so that the network can be built again, and its answers read, without the data."""
    plain = {name: dataclasses.asdict(label) for name, label in labels.items()}
    write_text(folder / LABELS, json.dumps(plain, indent=1) + "\n")


def read_labels(folder: Path) -> dict[str, LabelSpec]:
    """What :func:`write_labels` wrote; a UserError if it cannot be read."""
    stored = read_json(folder / LABELS, dict[str, _Label], "name the folder of a whole run, or copy it anew")
    return {name: LabelSpec(**dict(label)) for name, label in stored.items()}


def versions(catalog: Catalog) -> dict[str, Any]:
    """What this run was made with: Python, libraries, plugins."""
    libraries = {}
    for name in _LOCKED:
        try:
            libraries[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "command": sys.argv,
        "libraries": libraries,
        "plugins": {plugin.owner: plugin.version for plugin in catalog.plugins},
        "distributions": {plugin.owner: plugin.distribution for plugin in catalog.plugins},
    }


class _Lock(BaseModel):
    plugins: dict[str, str]
    distributions: dict[str, str] = {}


def check_plugins(folder: Path, catalog: Catalog) -> None:
    """See that the plugins which a run's recipe names are there; a UserError with what to install."""
    try:
        lock = read_json(folder / "lock.json", _Lock, "so what to install is not known")
    except UserError:
        return
    known, text = {plugin.owner for plugin in catalog.plugins}, resolved_recipe(folder).text
    for owner in [owner for owner in lock.plugins if owner not in known and re.search(rf"\b{owner}/", text)]:
        source, reason = f"{lock.distributions.get(owner, owner)} {lock.plugins[owner]}", catalog.reason(owner)
        raise UserError(
            f"the run {folder.absolute()} needs the plugin {owner}, of {source} by its lock.json, which "
            + (f"cannot be used: {reason}" if reason else f"is not installed; install {source.replace(' ', '==')}")
        )


class Journal:
    """Appends to ``metrics.jsonl``; ``path`` None: nothing is written.

    Lines of steps later than ``step`` are removed, and of a step only one stays.

    Attributes:
        remarks: Sentences on lines that were cut short or not a run's, which are removed too, and on steps without one.
    """

    def __init__(self, path: Path | None, step: int) -> None:
        self.remarks: list[str] = []
        self._path = path or Path()
        try:
            text = path.read_bytes() if path is not None and path.exists() else b""
            lines = {_step(line): line for line in text.split(b"\n") if line}
            if None in lines:
                self.remarks.append(f"{path}: what was cut short, or is no line of a run, is dropped")
            kept = {number: lines[number] for number in range(1, step + 1) if number in lines}
            if path is not None and len(kept) < step:
                self.remarks.append(f"{path} lacks {step - len(kept)} of the {step} steps that are done")
            if path is not None:
                write_text(path, "".join(line.decode() + "\n" for line in kept.values()))
            self._file = None if path is None else path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise unwritable(self._path, error) from error

    def write(self, values: Mapping[str, Any]) -> None:
        """One line; it must have a ``step``. It is handed to the system at once.

        Raises:
            UserError: The disk is full, or the file is not there any more and with it the folder of the run.
        """
        self.check()
        try:
            if self._file is not None:
                self._file.write(json.dumps({key: _plain(value) for key, value in values.items()}) + "\n")
        except OSError as error:
            raise unwritable(self._path, error, "make room, then go on with --resume") from error

    def check(self) -> None:
        """See that the file is still where it was; a UserError if the folder of the run was removed or moved."""
        if self._in_place():
            return
        gone = f"{self._path} was taken away during the run, so nothing more can be kept and training stops"
        raise UserError(f"{gone}; begin again, or put the folder back and go on with --resume")

    def write_through(self) -> None:
        """See all lines onto the disk, before a checkpoint counts.

        Raises:
            UserError: The file is another one by now: somebody else goes on with the run, or its folder was replaced.
        """
        if self._file is not None:
            os.fsync(self._file.fileno())
        if not self._in_place():
            raise UserError(f"{self._path} is not the file any more that this run began to write; it stops")

    def _in_place(self) -> bool:
        """Whether the file that is written to is the one that stands at its path; so it is where nothing is written."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return self._file is None or os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        return False

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):  # of a full disk, which was said
                self._file.close()


def _step(line: bytes) -> int | None:
    """Of a line; None if it is not one of a run."""
    try:
        step = json.loads(line.decode())["step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return step if type(step) is int else None


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return round(value, 9) if isinstance(value, float) and abs(value) >= 1e-3 else value
