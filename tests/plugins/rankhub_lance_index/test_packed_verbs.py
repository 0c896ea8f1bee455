"""`rankhub index` of a packed table with `--store lance`: the vectors are a column of it, and every verb goes on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.commands import call
from helpers.packed import pack_folder
from PIL import Image

lance = pytest.importorskip("lance")
pytest.importorskip("rankhub_pack.place")


def column(table):
    opened = lance.dataset(str(table))
    names = [name for name in opened.schema.names if name.startswith("embedding_")]
    return names, [opened.count_rows() - opened.to_table(columns=[name])[name].null_count for name in names]


def test_the_commands_end_to_end(shot, tmp_path, capsys):
    photos, table, out = tmp_path / "photos", tmp_path / "photos.lance", tmp_path / "photos.index"
    photos.mkdir()
    for number in range(6):
        Image.open(shot / "photos" / f"{number}.png").save(photos / f"{number}.png")
    pack_folder(photos, table, classes=False)

    def done(*words, code=0):
        found = call(capsys, *words)
        assert found.code == code, found.out + found.err
        assert "Traceback" not in found.err
        return found

    made = done("index", shot / "run", table, "--store", "lance", "--out", out)
    names, vectors = column(table)
    assert (len(names), vectors) == (1, [6])
    assert f"flat in the column {names[0]} of the table {table}" in made.out + made.err
    beside = tmp_path / "beside.index"
    done("index", shot / "run", table, "--store", "lance", "--option", "beside=true", "--out", beside)
    done("index", shot / "run", table, "--store", "faiss", "--out", tmp_path / "faiss.index")
    query = f"{table}/3.png"
    said = [
        [
            json.loads(done("search", index, query, "-k", 4, "--json").out),
            json.loads(done("duplicates", index, "--above", 0.3, "--json").out),
        ]
        for index in (out, beside, tmp_path / "faiss.index")
    ]
    assert said[0] == said[1] == said[2]
    assert said[0][0][0]["path"] == query
    done("search", out, shot / "photos" / "3.png", "-k", 4, "--sheet", tmp_path / "sheet.png")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(photos / "new.png")
    pack_folder(photos, table, classes=False, append=True)
    assert len(json.loads(done("search", out, query, "-k", 20, "--json").out)) == 6
    more = json.loads(done("index", shot / "run", table, "--out", out, "--add", "--json").out)
    assert (more["added"], more["images"], column(table)[1]) == (1, 7, [7])
    less = json.loads(done("index", "--out", out, "--remove", f"{table}/new.png", "--json").out)
    assert (less["images"], column(table)[1], lance.dataset(str(table)).count_rows()) == (6, [6], 7)
    done("index", shot / "other", table, "--store", "lance", "--out", tmp_path / "other.index")
    assert column(table)[1] == [6, 7]
    assert json.loads(done("search", out, query, "-k", 4, "--json").out) == said[0][0]
    again = json.loads(done("index", shot / "run", table, "--store", "lance", "--out", out, "--force", "--json").out)
    assert (again["images"], column(table)[1]) == (7, [7, 7])
    wrong = done("index", shot / "run", shot / "photos", "--out", out, "--add", code=2)
    assert "is no image of the table" in wrong.err
    assert "memory" not in wrong.out + wrong.err, "which is said with the first images that are embedded"
    lance.dataset(str(table), version=1).restore()
    assert "any more" in done("search", out, shot / "photos" / "3.png", code=2).err
