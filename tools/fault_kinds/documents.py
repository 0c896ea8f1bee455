"""Hostile recipes, files in a run's folder, archives: a sentence, and nothing is run, written outside, or eaten up."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml

from fault_kinds.child import CommandEnd, Told, call, rankhub
from fault_kinds.world import PREDICT, RECIPE, RESUME, FaultType, World, unsaid

CANARY = "canary"
"""A file that hostile content makes where it is run."""
_MOST = 500
"""MB that a hostile file may take."""

_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
RECIPES: dict[str, str | bytes] = {
    "aliases that multiply": _BOMB,
    "deep in brackets": "name: " + "[" * 20_000,
    "deep in braces": "name: " + "{a: " * 5_000,
    "deep in dashes": "- " * 3_000 + "x",
    "a call": f"name: !!python/object/apply:os.system ['touch {CANARY}']\n{RECIPE}",
    "an object": f"x: !!python/object/new:subprocess.Popen [['touch', {CANARY}]]\n{RECIPE}",
    "a tag of its own": RECIPE.replace("seed: 3", "seed: !mine 3"),
    "an alias to itself": f"description: &a [*a]\n{RECIPE}",
    "infinity": RECIPE.replace("2.0e-3", ".inf"),
    "no number": RECIPE.replace("2.0e-3", ".nan"),
    "a number beyond all": RECIPE.replace("2.0e-3", "1e400"),
    "a whole number of 5000 digits": RECIPE.replace("seed: 3", f"seed: {'9' * 5000}"),
    "a key twice": RECIPE.replace("seed: 3", "seed: 3\nseed: 4"),
    "a key twice, deep": RECIPE.replace("batch_size: 4", "batch_size: 4\n    batch_size: 2"),
    "a NUL": RECIPE.replace("tiny", "ti\0ny"),
    "no UTF-8": RECIPE.encode().replace(b"tiny", b"t\xefny"),
    "nothing": "",
    "null": "null\n",
    "a list": "[]\n",
    "a text": "just a text\n",
    "two documents": f"{RECIPE}---\n{RECIPE}",
    "a text of 3 MB": RECIPE.replace("name: tiny", f"name: tiny\ndescription: {'x' * 3_000_000}"),
    "a name that leads out": RECIPE.replace("name: tiny", "name: ../../tiny"),
    "a name of control signs": RECIPE.replace("name: tiny", 'name: "ti\\a\\nny"'),
    "extends itself": f"extends: tiny.yaml\n{RECIPE}",
    "extends a folder": f"extends: .\n{RECIPE}",
    "extends a system's file": f"extends: /etc/passwd\n{RECIPE}",
    "like in a ring": RECIPE.replace("use: scored_csv, root: data", "like: test"),
    "like what is not there": RECIPE.replace("like: labeled", "like: nothing"),
    "weights by timm's own loader": RECIPE.replace(
        "stem: small", f"stem: small, args: {{checkpoint_path: {CANARY}.pt}}"
    ),
    "an alias without its anchor": RECIPE.replace("seed: 3", "seed: *a"),
    "a tab": RECIPE.replace("  labeled: {use", "\tlabeled: {use"),
}
"""Each must be refused."""
_VALUES: tuple[Any, ...] = (None, [], {}, "", -1, 0, 10**30, True, "../..", [[[]]], {"use": "x"}, "1e-3", "x" * 9999)
_TEXTS = (b"", b"null", b"[]", b"{}", b"3", b'"x"', b"{", b"[" * 50_000, b'{"a": NaN}', b"\xff\xfe\0", b"\0" * 200)
_FILES = (
    "run/lock.json",
    "run/labels.json",
    "run/checkpoints/step_000000006/state.json",
    "run/checkpoints/best_step_*/state.json",
    "run/metrics.jsonl",
    "run/recipe.resolved.yaml",
    "run/recipe.resolved.yaml",
    "cache/image_folder/*/faults.json",
)


def _mutated(data: Any, draw: Random) -> Any:
    """Plain data with one entry changed, taken out or called otherwise."""
    places = list(_places(data))
    if not places:
        return draw.choice(_VALUES)
    parent, key = draw.choice(places)
    act = draw.random()
    if act < 0.7:
        parent[key] = draw.choice(_VALUES)
    elif act < 0.85 or isinstance(parent, list):
        del parent[key]
    else:
        parent[f"{key}_"] = parent.pop(key)
    return data


def _places(data: Any) -> Any:
    for key in list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield data, key
        yield from _places(data[key])


def recipe(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """A recipe that is checked."""
    work = world.at("fresh", root / "work")
    if number < len(RECIPES) or draw.random() < 0.3:
        name, content = list(RECIPES.items())[number % len(RECIPES)]
        codes: tuple[int, ...] = (2,)
    else:
        name, codes = "an entry changed", (0, 2)
        content = yaml.safe_dump(_mutated(yaml.safe_load(RECIPE), draw), sort_keys=False)
    (work / "tiny.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = rankhub(("validate", "tiny.yaml"), work, limit=60)
    return f"recipe, {name}", _harmless(ended, work) or ended.wrong(*codes)


def _harmless(ended: CommandEnd, work: Path) -> str | None:
    if (work / CANARY).exists():
        return "CODE WAS RUN"
    grown = ended.peak - float(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
    if ended.code == -99 or grown > _MOST:
        return f"hangs, or takes {grown:.0f} MB"
    return None


def record(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """A file of a run, replaced or with an entry changed; the run is resumed, or answers."""
    predicts = draw.random() < 0.3
    work = world.at("whole" if predicts else "half", root / "work")
    pattern = "run/labels.json" if predicts else _FILES[number % len(_FILES)]
    file = draw.choice(sorted(work.glob(pattern)))
    before = file.read_text()
    lines = file.name.endswith("l")  # .jsonl: one line of it
    if draw.random() < 0.5:
        text = draw.choice(_TEXTS)
        content = before.encode() + text if lines and "metrics" in file.name else text
    elif lines and "metrics" in file.name:
        rows = before.splitlines()
        rows[draw.randrange(len(rows))] = json.dumps(_mutated(json.loads(rows[0]), draw))
        content = "\n".join([*rows, ""]).encode()
    elif lines:
        content = yaml.safe_dump(_mutated(yaml.safe_load(before), draw), sort_keys=False).encode()
    else:
        content = json.dumps(_mutated(json.loads(before), draw)).encode()
    file.write_bytes(content)
    done = f"{'predict' if predicts else 'resume'}, {file.relative_to(work)}: {content[:60]!r}"
    return done, _answers(world, work, predicts, file)


def _answers(world: World, work: Path, predicts: bool, file: Path) -> str | None:
    ended = rankhub(PREDICT if predicts else RESUME, work)
    if (wrong := _harmless(ended, work) or ended.wrong(0, 2)) is not None or ended.code == 2:
        return wrong
    if predicts:
        return None if (work / "answers.csv").read_bytes() == world.answers else "OTHER ANSWERS, unsaid"
    return unsaid(world, work, file, ended.said)


class _Runs:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return __import__("os").system, (f"touch {CANARY}",)


def _pickled() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(
            "archive/data.pkl", pickle.dumps({"optimizer": _Runs(), "random": {}, "scaler": {}}, protocol=2)
        )
        packed.writestr("archive/version", "3\n")
        packed.writestr("archive/byteorder", "little")
    return file.getvalue()


def _objects() -> bytes:
    file = io.BytesIO()
    np.savez(file, rows=np.array([_Runs()], dtype=object))
    return file.getvalue()


_LARGE = {"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
_WEIGHTS = "run/checkpoints/step_000000006/model.safetensors"
_BINARY: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
    ("run/checkpoints/step_000000006/optimizer.pt", "a pickle that calls", _pickled),
    ("run/checkpoints/step_000000006/optimizer.pt", "a bare pickle that calls", lambda: pickle.dumps(_Runs())),
    (_WEIGHTS, "a pickle that calls", _pickled),
    (_WEIGHTS, "a header of 2^60 bytes", lambda: struct.pack("<Q", 1 << 60) + b"{}"),
    (_WEIGHTS, "a deep header", lambda: struct.pack("<Q", 100_000) + b"[" * 100_000),
    (_WEIGHTS, "a tensor of 4 TB", lambda: struct.pack("<Q", 200) + json.dumps(_LARGE).ljust(200).encode()),
    ("cache/image_folder/*/index.npz", "pickled objects", _objects),
    ("cache/image_folder/*/index.npz", "no archive", lambda: b"PK\3\4 and no more"),
)


def binary(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """Weights, optimizer and cache in which something else lies."""
    pattern, what, content = _BINARY[number % len(_BINARY)]
    work = world.at("half", root / "work")
    file = next(iter(sorted(work.glob(pattern))))
    file.write_bytes(content())
    return f"{pattern}: {what}", _answers(world, work, False, file)


def _member(name: str, content: bytes = b"x" * 9, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[..., None]:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, len(content) if kind == tarfile.REGTYPE else 0
        tar.addfile(info, io.BytesIO(content))

    return add


_GOOD = _member("set/a.bin", b"a" * 500)
TARS: dict[str, list[Callable[..., None]]] = {
    "sound": [_GOOD],
    "a link out": [_member("set/link", kind=tarfile.SYMTYPE, link="../.."), _member("set/link/evil"), _GOOD],
    "a hard link out": [_member("set/a.bin", kind=tarfile.LNKTYPE, link="/etc/hostname")],
    "a link in place of the file": [_member("set/a.bin", kind=tarfile.SYMTYPE, link="/etc/hostname")],
    "an absolute path": [_member("/tmp/evil"), _GOOD],
    "a path out": [_member("set/../../evil"), _GOOD],
    "a path out, with backslashes": [_member("set\\..\\..\\evil"), _GOOD],
    "a device": [_member("set/a.bin", kind=tarfile.CHRTYPE)],
    "a pipe": [_member("set/a.bin", kind=tarfile.FIFOTYPE)],
    "the file twice": [_GOOD, _member("set/a.bin", b"b" * 500)],
    "the file of another size": [_member("set/a.bin", b"a" * 501)],
    "a file that grows": [_GOOD, _member("set/names.txt", b"\0" * ((1 << 26) + 1))],
    "no file of the set": [_member("set/other.bin")],
    "a folder in place of the file": [_member("set/a.bin", kind=tarfile.DIRTYPE)],
}


def _tar(root: Path, content: bytes) -> list[str]:
    from rankhub_data.archive import Archive, fetch_archive

    (root / "sets").mkdir()
    (root / "sets/it.tar.gz").write_bytes(content)
    files = {"a.bin": 500} | ({"names.txt": None} if len(content) > 10_000 else {})
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    archive = Archive("http://localhost:9/it.tar.gz", len(content), digest, "set", files)
    place = fetch_archive(archive, root / "sets", None, lambda *_: None)
    return sorted(path.name for path in place.iterdir() if path.stat().st_size == 500 and not path.is_symlink())


def archive(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """A tar archive that a data set is unpacked from, or a workbook, which is a ZIP archive."""
    if number % 3 == 1:
        return _workbook(root, draw)
    what = list(TARS)[number % len(TARS)]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for add in TARS[what]:
            add(tar)
    content = gzip.compress(packed.getvalue(), 6, mtime=0)
    if what == "sound" and number >= len(TARS):
        content, what = content[: draw.randrange(20, len(content))], "cut off"
    told = call(partial(_tar, root, content), root)
    out = [path for path in root.rglob("*") if path.name in ("evil", "link") or path.is_symlink()]
    if out or Path("/tmp/evil").exists():
        return f"tar, {what}", f"WRITTEN OUT OF ITS FOLDER: {out}"
    if what in ("sound", "the file twice", "cut off") and told.value == ["a.bin"]:  # cut off behind the file is no harm
        return f"tar, {what}", None
    return f"tar, {what}", _refused(told)


def _refused(told: Told) -> str | None:
    if told.grown > _MOST:
        return f"takes {told.grown:.0f} MB"
    return told.broken or (None if told.sentence else f"taken without a word: {str(told.value)[:200]}")


def _workbook(root: Path, draw: Random) -> tuple[str, str | None]:
    import openpyxl

    from rankhub_tables.sheet import read_sheet

    book, file = openpyxl.Workbook(), root / "scores.xlsx"
    for row in (("path", "score"), ("a.png", 1.5), ("b.png", 2.5)):
        book.active.append(row)
    book.save(file)
    parts = {info.filename: zipfile.ZipFile(file).read(info) for info in zipfile.ZipFile(file).infolist()}
    what = draw.choice(["entities", "a part gone", "cut off", "flipped", "garbage in a part", "a bomb"])
    name = draw.choice(sorted(parts))
    if what == "entities":
        name = "xl/worksheets/sheet1.xml"
        entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 9}">' for n in range(1, 9))
        parts[name] = f'<!DOCTYPE x [<!ENTITY e0 "x">{entities}]><worksheet>&e8;</worksheet>'.encode()
    elif what == "a part gone":
        del parts[name]
    elif what == "garbage in a part":
        parts[name] = draw.randbytes(200)
    elif what == "a bomb":
        parts["xl/worksheets/sheet1.xml"] += b" " * (300 << 20)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for part, content in parts.items():
            packed.writestr(part, content)
    raw = bytearray(file.read_bytes())
    if what == "flipped":
        raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
    file.write_bytes(raw[: draw.randrange(len(raw))] if what == "cut off" else raw)

    def read() -> list[list[str]]:
        return [[row["path"], row["score"]] for row in read_sheet(file, None, ["path", "score"], "save it as CSV")]

    told = call(read, root)
    right = told.value == [["a.png", "1.5"], ["b.png", "2.5"]] and told.grown < _MOST
    return f"workbook, {what} ({name})", None if right else _refused(told)


_ATTEMPTS = (recipe, archive, record, recipe, binary, archive, record, recipe)


def document(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """One of them in turn, each with numbers of its own from 0."""
    turn, at = divmod(number, len(_ATTEMPTS))
    attempt = _ATTEMPTS[at]
    own = turn * _ATTEMPTS.count(attempt) + _ATTEMPTS[:at].count(attempt)
    return attempt(world, root, draw, own)


KINDS = [FaultType("documents", 200, document, 12)]
