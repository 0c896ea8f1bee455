"""An index of the images of a table, searched, cleaned and drawn: as one of the files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.commands import call
from helpers.packed import pack_folder
from PIL import Image

from rankhub_find import Index, embedding
from rankhub_find.stores import FaissStore
from rankhub_lance import Store, StoreError
from rankhub_pack import place
from rankhub_pack.image_source import LanceSource
from rankhub_pack.place import LancePlace

lance = pytest.importorskip("lance")


@pytest.fixture
def table(made, tmp_path):
    """The twelve photos that can be read."""
    pack_folder(made / "photos", tmp_path / "photos.lance", classes=False)
    return tmp_path / "photos.lance"


@pytest.fixture
def handed(monkeypatch):
    """The places that stores were handed."""
    found, create = [], FaissStore.create

    def noting(store, folder, dim, network, wanted, images=None):
        found.append(images)
        return create(store, folder, dim, network, wanted, images)

    monkeypatch.setattr(FaissStore, "create", noting)
    return found


def run(capsys, *arguments, code=0):
    done = call(capsys, *arguments)
    assert done.code == code, done.out + done.err
    return done


def test_it_has_the_vectors_of_the_files_by_names_below_the_table(made, table, tmp_path, capsys, handed):
    run(capsys, "index", made / "run", table, "--out", tmp_path / "rows")
    run(capsys, "index", made / "run", made / "photos", "--out", tmp_path / "files")
    rows, files = Index.open(tmp_path / "rows"), Index.open(tmp_path / "files")
    assert [name.replace(str(table), str(made / "photos")) for name in rows.names] == files.names
    assert np.array_equal(rows.vectors, files.vectors)
    assert isinstance(handed[0], LancePlace)
    assert (handed[0].uri, handed[1]) == (str(table), None)


def test_more_than_one_place_whole_is_not_handed_on(made, table, tmp_path, capsys, handed):
    for number, sources in enumerate(([table, made / "photos"], [table / "1.png"], [table, table])):
        run(capsys, "index", made / "run", *sources, "--out", tmp_path / f"index{number}")
    assert [images is None for images in handed] == [True, True, False]
    assert [len(Index.open(tmp_path / f"index{number}")) for number in range(3)] == [24, 1, 12]


def test_rows_are_added_once_searched_for_and_removed(made, table, tmp_path, capsys):
    index, first = tmp_path / "index", [table / "1.png", table / "copy" / "3.png"]
    run(capsys, "index", made / "run", *first, "--out", index)
    again = run(capsys, "index", made / "run", table, "--out", index, "--add", "--json")
    assert (json.loads(again.out)["added"], json.loads(again.out)["images"]) == (10, 12)
    assert "2 images are in the index already" in again.err
    assert sorted(Index.open(index).names[2:]) == Index.open(index).names[2:]
    found = json.loads(run(capsys, "search", index, table / "3.png", "-k", 2, "--json").out)
    assert {row["query"] for row in found} == {str(table / "3.png")}
    assert {row["path"] for row in found} == {str(table / "3.png"), str(table / "copy" / "3.png")}
    assert [row["similarity"] for row in found] == [1.0, 1.0]
    of_file = json.loads(run(capsys, "search", index, made / "photos" / "3.png", "-k", 2, "--json").out)
    assert [row["path"] for row in of_file] == [row["path"] for row in found]
    every = json.loads(run(capsys, "search", index, table, "-k", 1, "--json").out)
    assert [row["similarity"] for row in every] == [1.0] * 12
    run(capsys, "index", "--out", index, "--remove", table / "1.png", "--remove", table / "copy")
    assert len(Index.open(index)) == 9
    run(capsys, "index", "--out", index, "--remove", f"{table}/")
    assert len(Index.open(index)) == 0
    refused = run(capsys, "index", "--out", index, "--remove", "s3://b/photos.lance/a", code=2)
    assert "there is no image s3://b/photos.lance/a" in refused.err


def test_tables_of_what_was_found_show_rows_from_here(made, table, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(capsys, "index", made / "run", "photos.lance", "--out", "index")
    shown = run(capsys, "search", "index", "photos.lance/5.png", "-k", 1)
    assert shown.out.split()[:3] == ["1", "1.0000", "photos.lance/5.png"]
    groups = run(capsys, "duplicates", "index", "--above", 1)
    assert [line.split()[2] for line in groups.out.splitlines()[:2]] == [
        "photos.lance/3.png",
        "photos.lance/copy/3.png",
    ]


def test_a_sheet_of_rows_is_that_of_the_files_and_opens_the_table_once(made, table, tmp_path, capsys, monkeypatch):
    opened, plain = [], Store.ask

    def asked(store, what, call):
        opened.append(what)
        return plain(store, what, call)

    for name, source in (("rows", table), ("files", made / "photos")):
        run(capsys, "index", made / "run", source, "--out", tmp_path / name)
        with monkeypatch.context() as patched:
            patched.setattr(Store, "ask", asked)
            run(capsys, "duplicates", tmp_path / name, "--above", 1, "--sheet", tmp_path / f"{name}.png")
    assert opened.count("the column id and height and width") == 1
    sheets = [np.asarray(Image.open(tmp_path / f"{name}.png"))[40:] for name in ("rows", "files")]
    width = min(sheet.shape[1] for sheet in sheets)  # titles are of other lengths
    assert np.array_equal(*(sheet[:, :width] for sheet in sheets))
    assert len(np.unique(sheets[0])) > 100


def test_rows_that_are_gone_are_tiles_without_a_picture(made, table, tmp_path, capsys):
    run(capsys, "index", made / "run", table, "--out", tmp_path / "index")
    lance.dataset(str(table)).delete("id = 'copy/3.png'")
    run(capsys, "duplicates", tmp_path / "index", "--above", 1, "--sheet", tmp_path / "some.png")
    table.rename(tmp_path / "moved.lance")
    run(capsys, "duplicates", tmp_path / "index", "--above", 1, "--sheet", tmp_path / "none.png")
    colours = [len(np.unique(np.asarray(Image.open(tmp_path / name)))) for name in ("some.png", "none.png")]
    assert colours[0] > colours[1]


def test_a_table_that_goes_away_leaves_what_is_done(made, table, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(embedding, "BLOCK", 2)
    monkeypatch.setattr(place, "BLOCK_BYTES", 1)  # a row a block
    read = LancePlace.read

    def away(images, row):
        if row == 7:
            raise StoreError("it does not answer")
        return read(images, row)

    command = ("index", made / "run", table, "--out", tmp_path / "index")
    with monkeypatch.context() as patched:
        patched.setattr(LancePlace, "read", away)
        done = run(capsys, *command, code=2)
    assert "it does not answer; what is done is kept, and the same command with --add goes on" in done.err
    assert len(Index.open(tmp_path / "index")) == 6
    run(capsys, *command, "--add")
    assert Index.open(tmp_path / "index").names == [f"{table}/{name}" for name in LanceSource().open(str(table)).names]
