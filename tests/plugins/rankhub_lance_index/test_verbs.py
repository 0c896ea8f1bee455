"""`rankhub index --store lance`, `search` and `duplicates` as a user calls them, beside those of faiss."""

from __future__ import annotations

import json

import pytest
from helpers.commands import call

pytest.importorskip("lance")


def test_the_verbs_say_of_both_stores_the_same(shot, tmp_path, capsys):
    said = {}
    for store in ("lance", "faiss"):
        out = tmp_path / store
        done = call(capsys, "index", shot / "run", shot / "photos", "--out", out, "--store", store, "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["kind"] == "flat"
        found = call(capsys, "search", out, shot / "photos" / "0.png", "-k", 5, "--json", "--sheet", f"{out}.png")
        groups = call(capsys, "duplicates", out, "--above", 0.9999, "--json")
        assert (found.code, groups.code) == (0, 0), found.err + groups.err
        said[store] = json.loads(found.out), json.loads(groups.out)
    assert said["lance"] == said["faiss"]
    assert [row["similarity"] for row in said["lance"][0][:2]] == [1.0, 1.0]


def test_an_index_grows_shrinks_and_keeps_its_network_and_store(shot, tmp_path, capsys):
    out, photos = tmp_path / "index", shot / "photos"
    few = [photos / f"{number}.png" for number in range(3)]
    first = call(capsys, "index", shot / "run", *few, "--out", out, "--store", "lance", "--option", "memory_gb=0.5")
    assert first.code == 0, first.err
    assert "500 MB of vectors (memory_gb)" in first.out + first.err
    more = call(capsys, "index", shot / "run", photos, "--out", out, "--add", "--json")
    assert (more.code, json.loads(more.out)["added"], json.loads(more.out)["images"]) == (0, 5, 8), more.err
    less = call(capsys, "index", "--out", out, "--remove", photos / "0.png", "--json")
    assert (less.code, json.loads(less.out)["images"]) == (0, 7), less.err
    found = json.loads(call(capsys, "search", out, photos / "0.png", "-k", 20, "--json").out)
    assert sorted(row["path"] for row in found) == sorted(str(photos / f"{number}.png") for number in range(1, 8))
    for wrong, sentence in (
        (("index", shot / "other", photos, "--out", out, "--add"), "weights or preprocessing differ"),
        (("index", shot / "run", photos, "--out", out, "--add", "--store", "faiss"), "is in the store lance"),
        (("index", shot / "run", photos, "--out", tmp_path / "x", "--store", "lanse"), "lance"),
        (("search", out, photos / "0.png", "--option", "nprobe=3"), "nprobes"),
    ):
        done = call(capsys, *wrong)
        assert done.code == 2
        assert sentence in done.err
        assert "Traceback" not in done.err


def test_the_default_says_which_store_it_takes_and_why(shot, tmp_path, capsys):
    done = call(capsys, "index", shot / "run", shot / "photos", "--out", tmp_path / "index")
    assert done.code == 0
    assert "faiss: 8 vectors of" in done.out + done.err
    assert "at most half of" in done.out + done.err
