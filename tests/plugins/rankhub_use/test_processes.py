"""Several processes of a launcher share what a verb answers; the first one writes what one would have written."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from helpers.commands import call
from helpers.launched import forked

from rankhub.interfaces.processes import Processes
from rankhub_use import filling


@pytest.fixture(scope="module")
def asked(place):
    """The folder of the run, with an image that cannot be read among the photos."""
    (place / "mixed").mkdir(exist_ok=True)
    for number, photo in enumerate(sorted((place / "photos").glob("*.png"))):
        data = photo.read_bytes()
        (place / "mixed" / photo.name).write_bytes(data[:60] if number == 7 else data)
    return place


@pytest.fixture
def both(asked, tmp_path, monkeypatch, capsys):
    """Calls a verb on one process, here, and on two: the folder in which each has written, and what it has said."""

    def called(*arguments):
        monkeypatch.chdir(asked)
        one, two = tmp_path / "1", tmp_path / "2"
        one.mkdir()
        two.mkdir()
        alone = call(capsys, *(text.replace("OUT", str(one)) for text in arguments))
        assert alone.code == 0, alone.err
        code, together = forked(2, *(text.replace("OUT", str(two)) for text in arguments), cwd=asked)
        assert code == 0, together
        said = [alone.out.replace("\r\n", "\n") + alone.err, together]
        return [(folder, text.replace(str(folder), "OUT")) for folder, text in zip((one, two), said, strict=True)]

    return called


@pytest.mark.parametrize("verb", ["predict", "embed"])
def test_two_processes_write_what_one_writes(both, verb):
    """Scores with pictures and remarks, vectors, what is left out: byte for byte, at one thread each."""
    out = "OUT/scores.csv" if verb == "predict" else "OUT/vectors"
    (one, alone), (two, together) = both(verb, "run", "mixed", "--out", out, "--set", "threads=1")
    assert sorted(alone.splitlines()) == sorted(together.splitlines())
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    for name in names:
        ours, theirs = ((folder / name).read_bytes().replace(str(folder).encode(), b"OUT") for folder in (one, two))
        assert ours == theirs, name
    (skipped,) = [name for name in names if name.name.endswith("_skipped.csv")]
    assert [row["path"] for row in csv.DictReader((two / skipped).open())] == ["07.png"]
    if verb == "embed":
        assert np.load(two / "vectors/embeddings.npy").shape[0] == 11


def test_two_processes_print_what_one_prints(both):
    (_, alone), (_, together) = both("predict", "run", "photos", "--set", "threads=1")
    rows = [[line for line in said.splitlines() if ".png," in line] for said in (alone, together)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 12


def test_two_processes_measure_what_one_measures(both):
    found = []
    for folder, said in both("evaluate", "run", "--out", "OUT/found", "--set", "threads=1"):
        assert said.count("now") == 1
        found.append(json.loads((folder / "found/metrics.json").read_text()))
    assert found[0] == found[1]
    assert found[0]


def test_what_is_wrong_is_said_once(asked, tmp_path):
    code, said = forked(2, "predict", "run", "nowhere", "--out", tmp_path / "x.csv", cwd=asked)
    assert code == 2
    assert said.count("error:") == 1
    assert "nowhere" in said


@pytest.mark.parametrize(("count", "files"), [(2, 0), (2, 1), (2, 7), (3, 8), (3, 2), (2, 30)])
def test_rounds_cover_all_files_in_order(monkeypatch, count, files):
    """Each process sees the same rounds, and what they have together is the files in order, each once."""
    monkeypatch.setattr(filling, "ROUND", 4)
    rounds = []
    for rank in range(count):
        own = []
        monkeypatch.setattr(filling, "gathered", lambda _, found, own=own: own.append(found) or [found])
        list(filling.shared(lambda part: [(part, [])], list(range(files)), Processes(rank, count, rank)))
        rounds.append(own)
    assert len({len(own) for own in rounds}) == 1
    seen = [file for each in zip(*rounds, strict=True) for found in each for rows, _ in found for file in rows]
    assert seen == list(range(files))
