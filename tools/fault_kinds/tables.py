"""Tables of scores, of points, of answers and of names, as people's tools and accidents write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from fault_kinds.child import call
from fault_kinds.world import FaultType, World

Meant = dict[str, Any]

NAMES = ["a b.png", "é1.png", "ü/2.png", "sub/3.png", "sub/4.png", "5.png", "6.png", "7.png"]
READERS = {"scores": ("path", "score"), "answers": ("path", "score"), "points": ("path", "x", "y"), "listed": ("path",)}


@dataclass
class TableFile:
    """A table before it is written.

    Attributes:
        reader: What reads it.
        header: Columns; the first is the path, the last a remark.
        rows: Cells.
        meant: What it says.
        sign: Between cells.
        end: Of a line.
        encoding: Of the text.
        top: Lines above the header.
        quoted: Share of the cells in quotation marks that need none.
    """

    reader: str
    header: list[str]
    rows: list[list[str]]
    meant: Meant
    sign: str
    end: str
    encoding: str
    top: list[str] = field(default_factory=list)
    quoted: float = 0.2

    def lines(self, draw: Random) -> list[str]:
        """Its lines."""
        return [
            *self.top,
            *(self.sign.join(self._cell(cell, draw) for cell in row) for row in [self.header, *self.rows]),
        ]

    def _cell(self, cell: str, draw: Random) -> str:
        needed = self.sign in cell or "\n" in cell or '"' in cell
        return '"' + cell.replace('"', '""') + '"' if needed or draw.random() < self.quoted else cell


def _sheet(draw: Random) -> TableFile:
    reader, rows, meant = draw.choice(sorted(READERS)), [], Meant()
    for name in draw.sample(NAMES, len(NAMES)):
        for _ in range(draw.randrange(1, 4) if reader == "points" else 1):
            values = [round(draw.uniform(2, 30), draw.randrange(3)) for _ in READERS[reader][1:]]
            remark = draw.choice(["", "good", "two words", "with, comma; and more", 'a 5" lens', "two\nlines", "=1+1"])
            rows.append([name, *map(repr, values), remark])
            if reader == "points":
                meant.setdefault(name, []).append(values)
            else:
                meant[name] = values[0] if values else 0
    meant = {name: sorted(value) if reader == "points" else value for name, value in meant.items()}
    encoding = draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"])
    header = [*READERS[reader], "remark"]
    return TableFile(reader, header, rows, meant, draw.choice(",;\t"), draw.choice(["\n", "\r\n", "\r"]), encoding)


def _each(act: Callable[[list[str]], Any]) -> Callable[[TableFile, Random], None]:
    def spoil(sheet: TableFile, draw: Random) -> None:
        for row in sheet.rows:
            act(row)

    return spoil


def _paths(act: Callable[[str], str]) -> Callable[[TableFile, Random], None]:
    return _each(lambda row: row.__setitem__(0, act(row[0])))


def _one(column: int, text: str) -> Callable[[TableFile, Random], None]:
    """Another text in a cell; from the second column on, where there are values."""

    def spoil(sheet: TableFile, draw: Random) -> None:
        draw.choice(sheet.rows)[column] = text

    return spoil


def _set(name: str, value: Any) -> Callable[[TableFile, Random], None]:
    return lambda sheet, draw: setattr(sheet, name, value)


def _upper(sheet: TableFile, draw: Random) -> None:
    sheet.header = [name.upper() for name in sheet.header]


def _appended(sheet: TableFile, draw: Random) -> None:
    sheet.rows += [list(row) for row in sheet.rows]


def _twice(sheet: TableFile, draw: Random) -> None:
    column = draw.randrange(len(sheet.header) - 1)
    sheet.header.append(sheet.header[column])
    for row in sheet.rows:
        row.append("7")


def _other_score(sheet: TableFile, draw: Random) -> None:
    row = draw.choice(sheet.rows)
    sheet.rows.append([row[0], "31.5", *row[2:]])


def _reordered(sheet: TableFile, draw: Random) -> None:
    order = draw.sample(range(len(sheet.header)), len(sheet.header))
    sheet.header = [sheet.header[at] for at in order]
    sheet.rows = [[row[at] for at in order] for row in sheet.rows]


def _ragged(sheet: TableFile, draw: Random) -> None:
    row = draw.choice(sheet.rows)
    row += ["x"] if draw.random() < 0.5 else []
    row[-1:] = [] if len(row) == len(sheet.header) else row[-1:]


def _shares(sheet: TableFile, draw: Random) -> None:
    for row in sheet.rows:
        row[1:3] = [repr(round(draw.random(), 4)), repr(round(draw.random(), 4))]


def _nul(text: str, draw: Random) -> str:
    at = draw.randrange(len(text))
    return f"{text[:at]}\0{text[at:]}"


def _stray(times: int) -> Callable[[str, Random], str]:
    def spoil(text: str, draw: Random) -> str:
        for _ in range(times):
            at = draw.choice([0, *(match.end() for match in re.finditer(r"[,;\t\n\r]", text[:-1]))])
            text = f'{text[:at]}"{text[at:]}'
        return text

    return spoil


_NO_NUMBERS = ("1_000", "1,000", "1 000", "12,5", "12%", "1.234.567", "ten", "=1+1", "٣", "0x10", "−3", "1e", "--3")
_SAME, _EITHER, _REFUSED = "same", "either", "refused"
_EVERY = frozenset(READERS)
_VALUED = _EVERY - {"listed"}

SPOILS: list[tuple[str, Callable[[TableFile, Random], Any], str, frozenset[str]]] = [
    ("as it is", _each(lambda row: None), _SAME, _EVERY),
    ("sep=", lambda sheet, draw: sheet.top.append(f"sep={sheet.sign}"), _SAME, _EVERY),
    ("blank lines above", _set("top", ["", ""]), _SAME, _EVERY),
    ("empty rows", lambda sheet, draw: sheet.rows.insert(2, [""] * len(sheet.header)), _SAME, _EVERY),
    ("all quoted", _set("quoted", 1.0), _SAME, _EVERY),
    ("other order of columns", _reordered, _SAME, _EVERY),
    ("upper case header", _upper, _SAME, _EVERY),
    ("blanks around", _each(lambda row: row.__setitem__(0, f" {row[0]} ")), _SAME, _EVERY),
    ("NFD names", _paths(lambda path: unicodedata.normalize("NFD", path)), _SAME, _EVERY),
    ("paths with ./", _paths(lambda path: f"./{path}"), _SAME, _EVERY),
    ("paths with backslashes", _paths(lambda path: path.replace("/", "\\")), _SAME, _EVERY),
    ("upper case paths", _paths(lambda path: path.upper()), _EITHER, _EVERY),
    ("a comment above", _set("top", ["# made by a tool"]), _EITHER, _EVERY),
    ("a huge remark", _one(-1, "x" * 2_000_000), _EITHER, _EVERY),
    ("rows twice", _appended, _EITHER, _EVERY - {"points"}),
    ("points twice", _appended, _REFUSED, frozenset({"points"})),
    ("points as shares", _shares, _REFUSED, frozenset({"points"})),
    ("header again", lambda sheet, draw: sheet.rows.insert(5, list(sheet.header)), _REFUSED, _EVERY),
    ("a column twice", _twice, _REFUSED, _EVERY),
    ("an image with two scores", _other_score, _REFUSED, frozenset({"scores", "answers"})),
    ("a row too long or too short", _ragged, _REFUSED, _EVERY),
    ("no column of paths", lambda sheet, draw: sheet.header.__setitem__(0, "file"), _REFUSED, _EVERY),
    ("header alone", lambda sheet, draw: sheet.rows.clear(), _REFUSED, _EVERY - {"answers"}),
    ("a huge header", lambda sheet, draw: sheet.header.__setitem__(-1, "x" * 200_000), _REFUSED, _EVERY),
    ("a path that is not there", _one(0, "no.png"), _REFUSED, _EVERY),
    ("a path that leads out", _one(0, "../out.png"), _REFUSED, _EVERY),
    ("an empty path", _one(0, ""), _REFUSED, _EVERY),
    *((f"{text!r} as a value", _one(1, text), _REFUSED, _VALUED) for text in _NO_NUMBERS),
    *((f"{text!r} as a value", _one(1, text), _REFUSED, _VALUED) for text in ("nan", "inf", "-Infinity", "1e999")),
    ("an empty value", _one(1, ""), _REFUSED, frozenset({"scores", "points"})),
]
_TEXTS: list[tuple[str, Callable[[str, Random], str], str]] = [
    ("a NUL", _nul, _REFUSED),
    ("a stray quotation mark", _stray(1), _EITHER),
    ("two stray quotation marks", _stray(2), _EITHER),
    ("mixed line ends", lambda text, draw: re.sub(r"\n", lambda _: draw.choice(["\n", "\r\n"]), text), _SAME),
    ("cut off", lambda text, draw: text[: draw.randrange(len(text))], "cut"),
    ("a web page", lambda text, draw: "<!doctype html>\n<html><body>404</body></html>\n", _REFUSED),
    ("nothing", lambda text, draw: "", _REFUSED),
    ("an opened cell at the end", lambda text, draw: f'{text}"', _REFUSED),
]


def _made(draw: Random, number: int) -> tuple[str, TableFile, bytes, str]:
    """What was done, the table, its bytes, and what is due."""
    sheet = _sheet(draw)
    kinds = len(SPOILS) + len(_TEXTS) + 2
    pick = number % kinds
    if pick < len(SPOILS):
        what, spoil, due, readers = SPOILS[pick]
        while sheet.reader not in readers:
            sheet = _sheet(draw)
        spoil(sheet, draw)
        return what, sheet, _text(sheet, draw).encode(sheet.encoding), due
    if pick < len(SPOILS) + len(_TEXTS):
        what, change, due = _TEXTS[pick - len(SPOILS)]
        sheet.end = "\n" if "line ends" in what else sheet.end
        return what, sheet, change(_text(sheet, draw), draw).encode(sheet.encoding), due
    if pick == kinds - 2:
        return "in Latin-1", sheet, _text(sheet, draw).encode("latin-1"), _REFUSED
    return "bytes of an image", sheet, b"\x89PNG\r\n\x1a\n" + draw.randbytes(400), _REFUSED


def _text(sheet: TableFile, draw: Random) -> str:
    return sheet.end.join(sheet.lines(draw)) + sheet.end


def _read(reader: str, folder: Path, source: Path) -> tuple[Meant, str]:
    """What the official reader makes of a table, and what it notes beside."""
    import rankhub
    from rankhub.interfaces.data import OpenContext

    if reader == "answers":
        from rankhub_active.labeling.answers import ingest
        from rankhub_active.labeling.pool import Pool
        from rankhub_active.labeling.settings import Settings

        (folder.parent / "pool").mkdir()
        pool = Pool.create(folder.parent / "pool", Settings(images=str(folder), takes="score", low=0, high=100), NAMES)
        done = ingest(pool, source)
        rows = pool.rows(state="labeled")
        return {row.path: float(row.label or "nan") for row in rows}, done.sentence() if done.left_open else ""
    spec: dict[str, Any] = {"use": "image_folder", "root": str(folder), "listed": str(source)}
    if reader == "scores":
        spec = {"use": "scored_csv", "root": str(folder), "table": str(source), "higher_is_better": True}
    if reader == "points":
        spec = {"use": "points", "root": str(folder), "annotations": str(source)}
    data = rankhub.build("dataset", spec)
    report = data.open(OpenContext(folder.parent / "cache", 1 << 30, lambda *_: None))
    said = " ".join([*report.notes, *(str(row) for table in report.tables.values() for row in table)])
    paths = [unicodedata.normalize("NFC", path.replace("\\", "/")).removeprefix("./") for path in data.facts("path")]
    if reader == "points":
        return {path: sorted(points[:, :2].tolist()) for path, points in zip(paths, data.points(), strict=True)}, said
    values = data.labels().tolist() if reader == "scores" else [0] * len(paths)
    return dict(zip(paths, values, strict=True)), said


def table(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """One table in the official reader of its kind: what is meant, or one sentence with a line."""
    folder = root / "images"
    for at, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (9 * at, 99, 9)).save(folder / name)
    what, sheet, content, due = _made(draw, number)
    source = root / "table.csv"
    source.write_bytes(content)
    told = call(partial(_read, sheet.reader, folder, source), root)
    done = f"{sheet.reader}, {what}, {sheet.sign!r} {sheet.end!r} {sheet.encoding}"
    if told.broken is not None:
        return done, told.broken
    if told.sentence is not None:
        if due == _SAME:
            return done, f"meant plainly, yet refused: {told.sentence[:300]}"
        return done, None if _is_placed(told.sentence) else f"a sentence without a place: {told.sentence[:300]}"
    found, said = told.value
    wrong = _against(sheet, found, due, said)
    return done, wrong and f"{wrong}: {str(found)[:300]}; said: {said[:200]}"


def _is_placed(sentence: str) -> bool:
    places = r"\bline \d|\bcolumn|\bfields?\b|first line|table\.csv|points|images|no label"
    return re.search(places, sentence) is not None


def _against(sheet: TableFile, found: Meant, due: str, said: str) -> str | None:
    """What is wrong with what was read."""
    rest = {name: value for name, value in found.items() if name in sheet.meant}
    spelled = {name.casefold(): value for name, value in sheet.meant.items()}
    if due in (_SAME, _EITHER):
        if {name.casefold().strip('"'): value for name, value in found.items()} == spelled:
            return None
        lacking = [name for name in sheet.meant if name not in found]
        return None if due == _EITHER and lacking and all(name in said for name in lacking) else "OTHER VALUES, unsaid"
    if due == "cut":  # a shorter number in the last row, nothing tells
        wrong = [name for name, value in rest.items() if value != sheet.meant[name]]
        return None if len(wrong) <= 1 and len(rest) == len(found) else "OTHER VALUES in a table that was cut off"
    lacking = [name for name in sheet.meant if name not in found]
    if lacking and rest == {name: sheet.meant[name] for name in rest} and any(name in said for name in lacking):
        return None  # the row was left out, and that is said
    return "taken, without a word"


KINDS = [FaultType("tables", 500, table, 60, runs=False)]
