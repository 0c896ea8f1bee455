"""Tables that grow: what is read back is what was written, wherever a kill cut them off."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from rankhub import UserError
from rankhub_use.tables import CsvTable, JsonTable, ParquetTable, table_for

ROWS = [("a.png", 0.1), ('two\nlines, "quoted".png', -2.5), ("=1+1.png", math.nan), ("größe.png", 1e-30), ("\r.png", 4)]


def filled(path, rows=ROWS, safe=False):
    table = table_for(path, ["path", "score"], safe)
    table.begin()
    table.write(rows[:2])
    table.write(rows[2:])
    return table


def test_csv_jsonl_and_parquet_hold_the_same(tmp_path):
    for ending in (".csv", ".jsonl", ".parquet"):
        table = filled(tmp_path / f"x{ending}")
        assert not table.path.exists()
        table.finish()
        assert not table.beside.exists()
    rows = list(csv.reader(io.StringIO((tmp_path / "x.csv").read_bytes().decode(), newline="")))
    assert rows == [["path", "score"], *([name, str(value)] for name, value in ROWS)]
    found = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [(one["path"], one["score"]) for one in found] == [(n, None if v != v else v) for n, v in ROWS]
    parquet = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "x.parquet").to_pylist()
    assert parquet == found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "x.jsonl", "x.parquet"]


@pytest.mark.parametrize("kind", [CsvTable, JsonTable])
def test_wherever_it_is_cut_off_whole_rows_are_found_and_one_goes_on_behind_them(tmp_path, kind):
    table = kind(tmp_path / "x", ["path", "score"])
    table.begin()
    table.write(ROWS)
    table.finish()
    complete = table.path.read_bytes()
    ends = [len(table.header())]
    for row in ROWS:
        ends.append(ends[-1] + len(table.encode(row)))
    for cut in range(len(complete) + 1):
        table.beside.write_bytes(complete[:cut])
        found = list(table.names())
        done = max((number for number, end in enumerate(ends) if end <= cut), default=0)
        assert found == [(table.shown(name), end) for (name, _), end in zip(ROWS, ends[1:], strict=True)][:done]
        if done:
            table.resume(found[-1][1])
            table.write(ROWS[done:])
            table.finish()
            assert table.path.read_bytes() == complete


def test_names_are_recognized_though_an_apostrophe_stands_before_them(tmp_path):
    table = filled(tmp_path / "x.csv", safe=True)
    assert [name for name, _ in table.names()] == [table.shown(name) for name, _ in ROWS]
    assert table.shown("=1+1.png") == "'=1+1.png"


def test_without_pyarrow_parquet_is_a_sentence_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr("rankhub_use.tables.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install rankhub\[parquet\]"):
        ParquetTable(tmp_path / "x.parquet", ["path"])


def test_what_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        filled(tmp_path / "no" / "x.csv")
