from __future__ import annotations

import csv
import sys

import pytest

RUN = """
import json, pathlib, sys
recipe, seed, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
value = {"quality_quickstart_supervised": 0.5, "quality_quickstart_ranking": 0.6, "quality_quickstart": 0.7}[recipe]
if seed == 9 and recipe == "quality_quickstart":
    sys.exit("no such seed")
place = folder / "evaluation" / "after_training"
place.mkdir(parents=True)
found = {"srocc_by_reference": value, "srocc": value + seed / 10, "plcc_fitted": value, "rmse": 0.25}
(place / "metrics.json").write_text(json.dumps({"quality": {"metrics": found}}))
"""


@pytest.fixture
def compare(tmp_path, monkeypatch, load_tool):
    """Runs the tool with runs that only write their figures; gives its exit code and the runs that were begun."""
    tool = load_tool("compare_quality")
    begun: list[tuple[str, ...]] = []

    def command(recipe, seed, folder, overrides):
        begun.append((recipe, seed, *overrides))
        return [sys.executable, "-c", RUN, recipe, str(seed), str(folder)]

    monkeypatch.setattr(tool, "command", command)

    def run(*arguments: str) -> tuple[int, list[tuple[str, ...]]]:
        begun.clear()
        monkeypatch.setattr(sys, "argv", ["compare_quality", "--out", str(tmp_path / "out"), *arguments])
        return tool.main(), list(begun)

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


def test_its_recipes_are_shipped(load_tool):
    from rankhub.recipe import shipped

    tool = load_tool("compare_quality")
    assert set(tool.RECIPES.values()) <= set(shipped.names())
    real = tool.command("quality_quickstart", 3, "out/x", ["optimizer.lr=0.1"])
    assert real[1:] == [
        "-m", "rankhub", "run", "quality_quickstart", "seed=3", "optimizer.lr=0.1", "--out", "out/x"
    ]  # fmt: skip
