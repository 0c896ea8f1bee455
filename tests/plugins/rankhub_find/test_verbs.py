"""`rankhub index`, `search` and `duplicates` as a user calls them."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from helpers.commands import call
from PIL import Image

import rankhub
from rankhub_find import Index, embedding
from rankhub_find.embedding import embedded
from rankhub_use.named import NamedFile


@pytest.fixture
def index(made, tmp_path, capsys):
    """An index of all photos."""
    done = call(capsys, "index", made / "run", made / "photos", "--out", tmp_path / "index")
    assert done.code == 0, done.err
    return tmp_path / "index"


def test_an_index_says_what_it_will_be_and_lists_what_it_cannot_read(made, tmp_path, capsys):
    done = call(capsys, "index", made / "run", made / "photos", "--out", tmp_path / "index", "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert (found["kind"], found["images"], found["added"], found["stopped"]) == ("flat", 12, 12, False)
    assert [row["path"] for row in found["skipped"]] == [str(made / "photos" / "broken.png")]
    assert "exact, and fast enough below 100,000 rows" in done.err
    assert "training" in done.err
    with (tmp_path / "index" / "skipped.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [str(made / "photos" / "broken.png")]


def test_a_copy_is_found_beside_its_original(index, made, tmp_path, capsys):
    query, sheet = made / "photos" / "3.png", tmp_path / "sheet.png"
    done = call(capsys, "search", index, query, "-k", 3, "--json", "--sheet", sheet)
    assert done.code == 0, done.err
    rows = json.loads(done.out)
    assert [row["rank"] for row in rows] == [1, 2, 3]
    copies = {str(query), str(made / "photos" / "copy" / "3.png")}
    assert {row["path"] for row in rows[:2]} == copies
    assert [row["similarity"] for row in rows[:2]] == [1.0, 1.0]
    assert rows[2]["similarity"] < 1
    with Image.open(sheet) as picture:
        assert picture.width > 4 * 100
    out = tmp_path / "found.csv"
    assert call(capsys, "search", index, query, made / "photos" / "5.png", "-k", 2, "--out", out).code == 0
    with out.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["query"], row["rank"]) for row in table] == [
        (str(made / "photos" / f"{name}.png"), str(rank)) for name in (3, 5) for rank in (1, 2)
    ]
    shown = call(capsys, "search", index, query, "-k", 1)
    assert shown.out.split()[:2] == ["1", "1.0000"]


def test_the_vectors_are_those_of_embed(index, made):
    run, found = rankhub.load_run(made / "run"), Index.open(index)
    rows = run.embed(found.names, normalize=True)
    np.testing.assert_allclose(found.vectors, rows, atol=1e-6)
    (block,) = embedded(run, "embedding.embedding", [NamedFile(name, name) for name in found.names[:3]])
    np.testing.assert_allclose(block[1], run.embed(found.names[:3], "embedding.embedding"), atol=1e-6)


def test_an_image_finds_itself_at_one_in_any_company(index, made, tmp_path, capsys):
    """Its vector is the same bit for bit, whatever it is indexed or asked with."""
    found = Index.open(index)
    for company in (["3.png"], ["9.png", "3.png", "broken.png"], [f"{n}.png" for n in reversed(range(10))]):
        other = tmp_path / f"index{len(company)}"
        paths = [made / "photos" / name for name in company]
        assert call(capsys, "index", made / "run", *paths, "--out", other).code == 0
        opened = Index.open(other)
        for row, name in enumerate(opened.names):
            assert opened.vectors[row].tobytes() == found.vectors[found.names.index(name)].tobytes()
    rows = json.loads(call(capsys, "search", index, made / "photos", "-k", 1, "--json").out)
    assert [row["similarity"] for row in rows] == [1.0] * 12


def test_copies_are_a_group(index, made, tmp_path, capsys):
    out = tmp_path / "groups.json"
    done = call(capsys, "duplicates", index, "--above", 1, "--out", out, "--sheet", tmp_path / "groups.png")
    assert done.code == 0, done.err
    groups: dict[int, set[str]] = {}
    for row in json.loads(out.read_text()):
        groups.setdefault(row["group"], set()).add(row["path"])
    wanted = [{str(made / "photos" / f"{n}.png"), str(made / "photos" / "copy" / f"{n}.png")} for n in (3, 4)]
    assert list(groups.values()) == wanted
    assert (tmp_path / "groups.png").stat().st_size > 1000
    assert "2 groups of 4 images among 12; 2 beside the first of each" in done.out


def test_images_are_added_and_removed(index, made, tmp_path, capsys):
    removed = call(capsys, "index", "--out", index, "--remove", made / "photos" / "copy")
    assert removed.code == 0, removed.err
    assert len(Index.open(index)) == 10
    assert json.loads(call(capsys, "duplicates", index, "--above", 1, "--json").out) == []
    again = call(capsys, "index", made / "run", made / "photos", "--out", index, "--add", "--json")
    assert json.loads(again.out)["added"] == 2
    assert "10 images are in the index already" in again.err
    assert len(Index.open(index)) == 12


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(made, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(embedding, "BLOCK", 4)
    whole = embedding.answer_files

    def stops(run, files, batch_size):
        for answers in whole(run, files, batch_size):
            if any(name.endswith("7.png") for name, _ in answers.answered):
                raise KeyboardInterrupt
            yield answers

    monkeypatch.setattr(embedding, "answer_files", stops)
    command = ["index", made / "run", made / "photos", "--out", tmp_path / "index"]
    done = call(capsys, *command)
    assert done.code == 130
    assert "--add goes on" in done.out
    kept = len(Index.open(tmp_path / "index"))
    assert 0 < kept < 12
    monkeypatch.setattr(embedding, "answer_files", whole)
    assert call(capsys, *command, "--add").code == 0
    assert sorted(Index.open(tmp_path / "index").names) == sorted(
        str(path) for path in (made / "photos").rglob("*.png") if path.name != "broken.png"
    )


def test_an_index_refuses_another_network_and_other_preprocessing(index, made, capsys):
    query = made / "photos" / "3.png"
    for network in (["--run", made / "other"],):
        done = call(capsys, "search", index, query, *network)
        assert (done.code, done.out) == (2, "")
        assert "weights or preprocessing differ" in done.err
    for change in ("predict.size=24", "backbone.normalize=none"):
        done = call(capsys, "index", made / "run", query, "--out", index, "--add", "--set", change)
        assert done.code == 2
        assert "weights or preprocessing differ" in done.err


def test_an_index_finds_its_network_or_is_told_where_it_is(made, tmp_path, capsys):
    import shutil

    shutil.copytree(made / "run", tmp_path / "run")
    call(capsys, "index", tmp_path / "run", made / "photos", "--out", tmp_path / "index")
    shutil.move(tmp_path / "run", tmp_path / "moved")
    query = made / "photos" / "3.png"
    lost = call(capsys, "search", tmp_path / "index", query)
    assert lost.code == 2
    assert "name it with --run" in lost.err
    assert call(capsys, "search", tmp_path / "index", query, "--run", tmp_path / "moved").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "{made}/run", "{made}/photos"], "name the index's folder with --out"),
        (["index", "{made}/run", "--out", "{tmp}/x"], "name a run and images"),
        (["index", "{made}/run", "{made}/none", "--out", "{tmp}/x"], "there is no file or folder"),
        (["index", "{made}/run", "{made}/photos/broken.png", "--out", "{tmp}/x"], "none of 1 images can be read"),
        (["index", "{made}/run", "{made}/photos", "--out", "{made}/photos"], "holds other things than an index"),
        (["index", "{made}/run", "{made}/photos", "--out", "{tmp}/x", "--kind", "tree"], "no kind of index 'tree'"),
        (["index", "{made}/run", "{made}/photos", "--out", "{tmp}/x", "--kind", "ivfpq"], "at least 9,984 rows"),
        (["index", "{made}/run", "{made}/photos", "--out", "{tmp}/x", "--output", "head.x"], "no output 'head.x'"),
        (["index", "--out", "{tmp}/x", "--remove", "a.png"], "there is no index at"),
        (["search", "{made}/index", "{tmp}"], "there is no image in"),
        (["index", "{made}/run", "{made}/photos", "--out", "/proc/none"], "cannot be written"),
        (["search", "{tmp}/none", "{made}/photos/1.png"], "there is no index at"),
        (["search", "{made}/photos", "{made}/photos/1.png"], "is no index"),
        (["duplicates", "{tmp}/none"], "there is no index at"),
        (["duplicates", "{made}/index", "--above", "nan"], "--above nan is not a number from -1 to 1"),
        (["duplicates", "{made}/index", "--above", "95%"], "--above 95% is not a number from -1 to 1"),
        (["search", "{made}/index", "{made}/photos/1.png", "-k", "0"], "-k 0 is not a whole number, at least 1"),
        (["duplicates", "{tmp}/none", "--out", "groups.txt"], "has to end in .csv or .json"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(made, tmp_path, capsys, arguments, said):
    done = call(capsys, *(argument.format(made=made, tmp=tmp_path) for argument in arguments))
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1 or said in done.err.splitlines()[-1]


def test_an_index_is_not_replaced_unless_asked_for(index, made, capsys):
    command = ["index", made / "run", made / "photos" / "1.png", "--out", index]
    assert "--add adds to it, --force replaces it" in call(capsys, *command).err
    assert len(Index.open(index)) == 12
    assert call(capsys, *command, "--force").code == 0
    assert len(Index.open(index)) == 1
