"""`rankhub label` from the first round to the labels, as a user goes through it."""

from __future__ import annotations

import re

import pytest
import yaml
from helpers.commands import call
from helpers.labeling import fill_in, images_and_recipe, read, score_of, stop_after

from rankhub_active.labeling.pool import Pool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return images_and_recipe(tmp_path_factory.mktemp("loop"), 16)


def test_the_whole_loop(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)

    def label(*arguments, code=0):
        done = call(capsys, "label", *arguments)
        assert done.code == code, done.err
        return done

    assert (
        "Next: choose images to label: rankhub label next"
        in label("init", "tiny.yaml", "--images", "images", "--test", 2).out
    )
    assert "no image of the pool has a label yet" in label("train", code=2).err
    assert "Round 1: 8 images, chosen by random" in label("next", "--count", 6).out
    form = folder / "labeling/rounds/001/answers.csv"
    answered = fill_in(form, leave=1)
    assert f"{answered} labeled" in label("ingest", form).out
    label("ingest", form, code=2)  # twice is refused, and changes nothing

    # Ctrl-C in training, and again: it goes on.
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        stopped = label("train", code=130)
    assert "images that were asked for and have no answer yet: 1" in stopped.out
    assert stopped.out.splitlines()[-1].endswith("or train on the 6 new labels: rankhub label train")
    assert Pool(folder / "labeling").rounds()[1].trained is None
    done = label("train")
    assert "goes on after step 1" in done.out
    assert done.out.splitlines()[-1].startswith("Next: answer the one open image: rankhub label serve")
    run = folder / "labeling/runs/001"
    assert Pool(folder / "labeling").rounds()[1].trained == str(run)
    assert "has learned from these labels already" in label("train", code=2).err

    # The last answer comes late; then the network chooses.
    form.write_text("path,score\n" + read(form)[-1]["path"] + ",50\n")
    label("ingest", form)
    chosen = label("next", "--count", 3, "acquire={use: ranking_uncertainty, draws: 2}")
    assert "chosen by ranking_uncertainty draws=2" in chosen.out
    assert re.search(r"note: \d+ of \d+ pairs of views are in the wrong order", chosen.out)
    rows = read(folder / "labeling/rounds/002/ask.csv")
    assert [row["part"] for row in rows] == ["pool"] * 3
    shares = [float(row["priority"]) for row in rows]
    assert shares == sorted(shares, reverse=True)
    fill_in(folder / "labeling/rounds/002/answers.csv")
    label("ingest", "labeling/rounds/002/answers.csv")
    label("train", "steps=1")
    resolved = yaml.safe_load((folder / "labeling/runs/002/recipe.resolved.yaml").read_text())
    assert resolved["start_from"]["run"] == str(run)
    assert resolved["phases"][0]["steps"] == 1
    learned = {row["path"]: float(row["score"]) for row in read(folder / "labeling/labels/002/labels.csv")}
    assert len(learned) == 9

    label("export", "labels.csv")
    table = {row["path"]: row for row in read(folder / "labels.csv")}
    assert len(table) == 16
    assert {
        path: float(row["label"]) for path, row in table.items() if row["label"] and row["part"] == "pool"
    } == learned
    for path, row in table.items():
        if row["label"] and row["label"] != "50.0":
            assert float(row["label"]) == score_of(path)
    tests = {path for path, row in table.items() if row["part"] == "test"}
    assert len(tests) == 2
    for number in ("001", "002"):
        assert not tests & {row["path"] for row in read(folder / f"labeling/labels/{number}/pool.csv")}
        assert not tests & {row["path"] for row in read(folder / f"labeling/labels/{number}/labels.csv")}


def test_without_a_pool_it_is_a_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for verb in ("train", "next"):
        done = call(capsys, "label", verb)
        assert done.code == 2
        assert "holds no pool: pool.db is not in it; make one: rankhub label init" in done.err.replace("\n", " ")
