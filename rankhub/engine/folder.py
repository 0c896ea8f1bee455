"""A run's folder: where it lies and what is written in it, but for checkpoints."""

from __future__ import annotations

import csv
import dataclasses
import importlib.metadata
import io
import json
import math
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.recipe.phases import old_forms
from rankhub.recipe.reader import read
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


def write_text(path: Path, text: str) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(text, newline="")
    beside.replace(path)


def write_start(folder: Path, text: str, resolved: str, overrides: Sequence[str], lock: Any) -> None:
    """Write the recipe as given and as resolved, and the lock of versions."""
    write_text(folder / "recipe.yaml", text)
    write_text(folder / "lock.json", json.dumps({"overrides": list(overrides), **lock}, indent=1) + "\n")
    write_text(folder / RESOLVED, resolved)


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
    if old_forms(read(source.text, source.file).data):
        raise UserError(
            f"the run {run.absolute()} was begun by an earlier version of rankhub, whose recipes had another form; "
            "train it anew, or use the version that its lock.json names"
        )
    return source


def write_labels(folder: Path, labels: Mapping[str, LabelSpec]) -> None:
    """Write what the labels are, so that the network can be built again, and its answers read, without the data."""
    plain = {name: dataclasses.asdict(label) for name, label in labels.items()}
    write_text(folder / LABELS, json.dumps(plain, indent=1) + "\n")


def read_labels(folder: Path) -> dict[str, LabelSpec]:
    """What :func:`write_labels` wrote; a UserError if it cannot be read."""
    path = folder / LABELS
    try:
        stored: dict[str, dict[str, Any]] = json.loads(path.read_text())
        for label in stored.values():
            label.update({key: tuple(value) for key, value in label.items() if isinstance(value, list)})
        return {name: LabelSpec(**label) for name, label in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not there or cannot be read ({error}); name the folder of a whole run") from None


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


def check_plugins(folder: Path, catalog: Catalog) -> None:
    """See that the plugins which a run's recipe names are there; a UserError with what to install."""
    lock, known = _lock(folder), {plugin.owner for plugin in catalog.plugins}
    text = resolved_recipe(folder).text
    gone = [owner for owner in lock.get("plugins", {}) if owner not in known and re.search(rf"\b{owner}/", text)]
    for owner in gone:
        version, reason = lock["plugins"][owner], catalog.reason(owner)
        source = f"{lock.get('distributions', {}).get(owner, owner)} {version}"
        raise UserError(
            f"the run {folder.absolute()} needs the plugin {owner}, of {source} by its lock.json, which "
            + (f"cannot be used: {reason}" if reason else f"is not installed; install {source.replace(' ', '==')}")
        )


def _lock(folder: Path) -> dict[str, Any]:
    """What :func:`versions` was when a run began; empty if it cannot be read."""
    try:
        return dict(json.loads((folder / "lock.json").read_text()))
    except (OSError, ValueError):
        return {}


def changed_versions(folder: Path, now: Mapping[str, Any]) -> list[str]:
    """Sentences on what has another version than when the run began; its weights may then differ in the last bits."""
    then, sentences = _lock(folder), []
    for part in ("libraries", "plugins"):
        for name, version in now[part].items():
            before = then.get(part, {}).get(name)
            if before not in (None, version):
                sentences.append(f"{name} is {version} now and was {before} when the run began")
    return sentences


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV."""
    write_text(path, as_csv(rows))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV; the columns are the keys in the order in which they first occur."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_picture(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write [H, W, 3] uint8 as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


class Journal:
    """Appends to ``metrics.jsonl``; ``path`` None: nothing is written.

    Lines of steps later than ``step``, and a last line cut short, are removed.
    """

    def __init__(self, path: Path | None, step: int) -> None:
        if path is not None and path.exists():
            kept = [line for line in path.read_text().splitlines() if 0 <= _step(line) <= step]
            write_text(path, "".join(line + "\n" for line in kept))
        self._file = None if path is None else path.open("a", buffering=1)

    def write(self, values: Mapping[str, Any]) -> None:
        """One line; it must have a ``step``. It is handed to the system at once."""
        if self._file is not None:
            self._file.write(json.dumps({key: _plain(value) for key, value in values.items()}) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _step(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return -1  # cut short


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return round(value, 9) if isinstance(value, float) and abs(value) >= 1e-3 else value
