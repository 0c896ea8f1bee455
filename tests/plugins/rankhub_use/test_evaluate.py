"""`rankhub evaluate`: the recipe's evaluators, or others, beside the reference rows."""

from __future__ import annotations

import json
import shutil

import pytest
from helpers.commands import call

import rankhub


def test_the_recipes_evaluators_say_again_what_the_run_measured(place, capsys, tmp_path):
    done = call(capsys, "evaluate", place / "run", "--out", tmp_path / "found", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    run = rankhub.load_run(place / "run")
    for name, value in run.metrics.items():
        label, _, metric = name.partition(".")
        assert said["metrics"][label][metric] == pytest.approx(value, abs=1e-5, nan_ok=True)
    assert [row[""] for row in said["rows"]] == ["after training", "before training", "now"]
    assert (tmp_path / "found" / "results.csv").is_file()
    assert list((tmp_path / "found").glob("quality_*.png"))
    assert call(capsys, "evaluate", place / "run", "--out", tmp_path / "found").code == 2


def test_other_data_are_measured_and_the_rows_of_the_runs_own_are_marked(place, capsys, tmp_path):
    other = tmp_path / "a=b"
    shutil.copytree(place / "photos", other)
    (other / "labels.csv").write_text("path,score\n" + "".join(f"{n:02d}.png,{n * n % 7}\n" for n in range(12)))
    done = call(capsys, "evaluate", place / "run", "--set", f"data.scored.root={other}", "--json")
    assert done.code == 0, done.err
    rows = {row[""]: row for row in json.loads(done.out)["rows"]}
    assert "before training (the run's own data)" in rows
    own = json.loads(call(capsys, "evaluate", place / "run", "--json").out)
    assert rows["now"] != own["rows"][-1]
    with rankhub.load_run(place / "run", overrides={"data.scored.root": str(other)}) as run:
        expected = run.evaluate()["quality"].metrics
    assert json.loads(done.out)["metrics"]["quality"] == pytest.approx(dict(expected), nan_ok=True)


def test_another_evaluator_is_measured_on_raw_pixels_too(place, capsys):
    spec = "{use: retrieval, by: instance, stream: ranked, data: scored}"
    done = call(capsys, "evaluate", place / "run", "--evaluator", spec, "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert [row[""] for row in rows] == ["raw pixels", "now"]
    assert rows[0].keys() == rows[1].keys()
    wrong = call(capsys, "evaluate", place / "run", "--evaluator", "nothing")
    assert wrong.code == 2
    assert "nothing" in wrong.err
