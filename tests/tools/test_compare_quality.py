from __future__ import annotations

import csv
import sys

import pytest
from comparison import queue
from comparison.results import RECORD

from rankhub import list_recipes

RUN = """
import json, pathlib, sys
recipe, seed, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
value = {"quality_quickstart_supervised": 0.5, "quality_quickstart_ranking": 0.6, "quality_quickstart": 0.7}[recipe]
if seed == 9 and recipe == "quality_quickstart":
    sys.exit("no such seed")
if folder.exists():
    sys.exit("the folder is there")
place = folder / "evaluation" / "after_training"
place.mkdir(parents=True)
found = {"srocc_by_reference": value, "srocc": value + seed / 10, "plcc_fitted": value, "rmse": 0.25}
(place / "metrics.json").write_text(json.dumps({"quality": {"metrics": found}}))
"""


@pytest.fixture
def compare(tmp_path, monkeypatch, load_tool):
    """Runs the tool with runs that only write their figures; gives its exit code and the runs that were begun."""
    tool, real = load_tool("compare_quality"), queue.command
    begun: list[tuple[str, ...]] = []

    def command(job):
        begun.append((job.recipe, job.number, *job.overrides[1:]))
        return [sys.executable, "-c", RUN, job.recipe, str(job.number), str(job.folder)]

    monkeypatch.setattr(queue, "command", command)

    def run(*arguments: str) -> tuple[int, list[tuple[str, ...]]]:
        begun.clear()
        monkeypatch.setattr(sys, "argv", ["compare_quality", "--out", str(tmp_path / "out"), *arguments])
        return tool.main(), list(begun)

    run.tool, run.command = tool, real
    return run


def test_the_table_has_the_three_methods_and_nothing_is_done_twice(compare, tmp_path, capsys):
    code, begun = compare("--seeds", "0", "2")
    assert (code, len(begun)) == (0, 6)
    with (tmp_path / "out" / "table.csv").open() as file:
        lines = {line["method"]: line for line in csv.DictReader(file)}
    assert list(lines) == ["supervised only", "ranking only", "multi-task"]
    assert float(lines["multi-task"]["srocc mean"]) == pytest.approx(0.8)
    assert float(lines["multi-task"]["srocc std"]) == pytest.approx(0.2 / 2**0.5)
    shown = capsys.readouterr().out
    assert "0.800 ± 0.141" in shown
    assert "over 2 seeds" in shown
    (row,) = [line for line in shown.splitlines() if "ranking only" in line and "│" in line]
    assert "–" in row, "ranking alone knows no unit"
    assert compare("--seeds", "0", "2") == (0, [])


def test_other_overrides_are_other_runs(compare):
    assert compare()[1] == [(name, 0) for name in (
        "quality_quickstart_supervised", "quality_quickstart_ranking", "quality_quickstart"
    )]  # fmt: skip
    assert compare("optimizer.lr=0.1")[1] == [(name, 0, "optimizer.lr=0.1") for name in (
        "quality_quickstart_supervised", "quality_quickstart_ranking", "quality_quickstart"
    )]  # fmt: skip


def test_a_failed_run_is_shown_and_the_others_count(compare, capsys):
    assert compare("--seeds", "9")[0] == 1
    said = capsys.readouterr()
    assert "multi-task, seed 9 failed" in said.err
    assert "no such seed" in said.err
    assert "supervised only" in said.out


def test_what_is_no_override_is_named(compare, capsys):
    with pytest.raises(SystemExit):
        compare("fast")
    assert "fast is no override" in capsys.readouterr().err


def test_a_folder_that_holds_no_recipe_is_begun_anew(compare, tmp_path):
    stray = tmp_path / "out" / "quality_quickstart_seed0" / "stray.txt"
    stray.parent.mkdir(parents=True)
    stray.touch()
    code, begun = compare()
    assert (code, len(begun)) == (0, 3)
    assert not stray.exists()


def test_its_recipes_are_shipped_and_an_interrupted_run_goes_on(load_tool, tmp_path):
    tool = load_tool("compare_quality")
    assert set(tool.RECIPES.values()) <= {recipe.name for recipe in list_recipes()}
    job = tool.job_of("multi-task", 3, tmp_path, ["optimizer.lr=0.1"])
    fresh = ["quality_quickstart", "seed=3", "optimizer.lr=0.1", "--out", str(job.folder)]
    assert queue.command(job)[1:] == ["-m", "rankhub", "run", *fresh]
    job.folder.mkdir()
    (job.folder / "recipe.resolved.yaml").touch()
    assert queue.command(job)[1:] == ["-m", "rankhub", "run", "--resume", str(job.folder)]


def test_a_run_without_the_figures_is_named(compare, capsys):
    compare.tool.METRICS["other"] = "Other"
    assert compare()[0] == 1
    assert "quality_quickstart_supervised_seed0 has no figures of the evaluator quality" in capsys.readouterr().err


def test_an_interrupted_run_is_resumed(compare, tmp_path, monkeypatch):
    compare()
    folder = tmp_path / "out" / "quality_quickstart_seed0"
    (folder / RECORD).unlink()
    (folder / "recipe.resolved.yaml").touch()
    begun = []

    def resumed(job):
        begun.append(compare.command(job)[1:])
        return [sys.executable, "-c", "", "--resume"]

    monkeypatch.setattr(queue, "command", resumed)
    assert compare()[0] == 0
    assert begun == [["-m", "rankhub", "run", "--resume", str(folder)]]
