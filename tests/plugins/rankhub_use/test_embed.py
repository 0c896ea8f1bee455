"""`rankhub embed`: vectors and whose they are."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from helpers.commands import call

import rankhub
from rankhub import Run
from rankhub_use.vectors import VectorTable, npy_header


def index(folder):
    with (folder / "index.csv").open(newline="") as file:
        return [row["path"] for row in csv.DictReader(file)]


def test_vectors_and_their_names_are_those_of_the_api(place, capsys, tmp_path):
    out = tmp_path / "vectors"
    done = call(capsys, "embed", place / "run", place / "photos", "--out", out, "--json")
    assert done.code == 0, done.err
    found = np.load(out / "embeddings.npy")
    names = index(out)
    run = rankhub.load_run(place / "run")
    expected = run.embed([place / "photos" / name for name in names])
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert json.loads(done.out)["width"] == found.shape[1]
    about = json.loads((out / "embeddings.npy.json").read_text())
    assert (about["output"], about["images"], about["normalized"]) == ("backbone", 12, False)
    assert call(capsys, "embed", place / "run", place / "photos", "--out", out).code == 2  # it is there already
    more = ("--output", "score.score", "--force")
    assert call(capsys, "embed", place / "run", place / "photos", "--out", out, *more).code == 0
    assert np.load(out / "embeddings.npy").shape == (12, 1)


def test_parquet_and_unit_length(place, capsys, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "x.parquet"
    assert call(capsys, "embed", place / "run", place / "photos", "--out", out, "--normalize").code == 0
    table = parquet.read_table(out).to_pydict()
    lengths = np.linalg.norm(np.array(table["embedding"]), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)
    assert table["path"] == [f"{number:02d}.png" for number in range(12)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.parquet", "x.parquet.json"]


def test_one_goes_on_where_one_stopped_and_ends_the_same(place, capsys, tmp_path, monkeypatch):
    command = ("embed", place / "run", place / "photos", "--batch-size", 2, "--out")
    assert call(capsys, *command, tmp_path / "whole").code == 0
    answers, seen = Run.answers, []

    def stopped(self, *arguments, **options):
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(1)
        yield from answers(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "answers", stopped)
        assert call(capsys, *command, tmp_path / "out").code == 130
    with (tmp_path / "out" / "embeddings.npy.partial").open("ab") as file:
        file.write(b"a vector whose name is not written")
    assert call(capsys, *command, tmp_path / "out", "--resume").code == 0
    for name in ("embeddings.npy", "index.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_name_whose_vector_is_lost_is_no_row(tmp_path):
    table = VectorTable(tmp_path, 3)
    table.begin()
    table.write([(f"{number}.png", np.full(3, number)) for number in range(5)])
    table.close()
    table.numbers.write_bytes(table.numbers.read_bytes()[:-13])
    assert [name for name, _ in table.names()] == ["0.png", "1.png", "2.png"]
    table.resume(list(table.names())[1][1])
    table.write([("x.png", np.full(3, 9))])
    table.finish()
    assert np.load(tmp_path / "embeddings.npy")[:, 0].tolist() == [0, 1, 9]
    assert index(tmp_path) == ["0.png", "1.png", "x.png"]


@pytest.mark.parametrize("rows", [0, 1, 10**12])
def test_the_header_has_one_length(rows):
    assert len(npy_header(rows, 2048)) == 128


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--output", "score.nothing"), "there are backbone, score.score"),
        (("--out", "a/b/x.parquet"), "there is no folder"),
        (("--out", "photos/00.png"), "is a file; name a folder"),
        (("--out", "photos"), "--out photos holds other things, such as 00.png; name another folder"),
        (("--out", "photos", "--force"), "holds other things"),
        (("--out", "photos", "--resume"), "holds other things"),
        (("--batch-size", "0"), "--batch-size 0 is not a whole number, at least 1"),
        (("--batch-size", "1e3"), "--batch-size 1e3 is not a whole number, at least 1"),
    ],
)
def test_mistakes_are_sentences(place, capsys, monkeypatch, tmp_path, arguments, sentence):
    monkeypatch.chdir(place)
    out = () if "--out" in arguments else ("--out", tmp_path / "out")
    done = call(capsys, "embed", "run", "photos", *arguments, *out)
    assert done.code == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_no_folder_stays_where_nothing_came_of_it(place, capsys, tmp_path):
    (tmp_path / "broken.jpg").write_text("no image")
    for verb in ("embed", "audit"):
        done = call(capsys, verb, place / "run", tmp_path / "broken.jpg", "--out", tmp_path / "a" / "b")
        assert (done.code, list(tmp_path.iterdir())) == (2, [tmp_path / "broken.jpg"])
        assert "1 of 1 images have no answer" in done.err
    (tmp_path / "there").mkdir()  # the user's own stays
    assert call(capsys, "embed", place / "run", tmp_path / "broken.jpg", "--out", tmp_path / "there").code == 2
    assert (tmp_path / "there").is_dir()
