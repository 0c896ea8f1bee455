from __future__ import annotations

import csv
import json
import sys

import pytest
from comparison import queue

RUN = """
import json, pathlib, sys
place, values = pathlib.Path(sys.argv[1]), dict(line.split("=", 1) for line in sys.argv[2:])
values = {key: json.loads(value) for key, value in values.items()}
views = values["streams.views.generator"][0]
forwards = values["steps"] * values["streams.views.batch_size"]
forwards *= views["views"] + sum(one["views"] for one in views.get("crops", []))
knn = values["optimizer.lr"] + values["seed"] / 1e6
rows = {"raw_pixels": 0.05, "before_training": 0.06, "after_training": knn} if values["evaluate"] else {}
for row, value in rows.items():
    folder = place / "evaluation" / row
    folder.mkdir(parents=True)
    found = {"knn": {"metrics": {"accuracy": value}}, "rankme": {"metrics": {"rankme": 9.0}}}
    (folder / "metrics.json").write_text(json.dumps(found))
folder = place / "checkpoints" / "step_000000001"
folder.mkdir(parents=True)
(folder / "state.json").write_text(json.dumps({"step": values["steps"], "facts": {"views": forwards}}))
(place / "recipe.resolved.yaml").write_text("average: null")
(place / "metrics.jsonl").write_text(json.dumps({"step": 1, "views_per_s": 128.0}))
"""


@pytest.fixture
def compare(plan_file, tmp_path, monkeypatch, load_tool):
    """Runs the tool on a plan whose runs only write what a run leaves behind; gives its exit code and new runs."""
    begun: list[str] = []

    def command(job):
        begun.append(f"{job.method} {job.kind}{job.number}")
        return [sys.executable, "-c", RUN, str(job.folder), *job.overrides]

    monkeypatch.setattr(queue, "command", command)
    monkeypatch.setattr(queue, "POLL", 0.01)
    tool = load_tool("compare_methods")
    data = tmp_path / "data"
    data.mkdir()

    def run(*arguments: str) -> tuple[int, list[str]]:
        begun.clear()
        out = str(tmp_path / "out")
        monkeypatch.setattr(sys, "argv", ["compare_methods", str(plan_file), str(data), "--out", out, *arguments])
        return tool.main(), sorted(begun)

    return run


def test_the_best_trial_is_trained_with_every_seed_and_nothing_is_done_twice(compare, tmp_path, capsys):
    code, begun = compare()
    assert code == 0
    per_method = {"many": (3, 2, 1), "two": (3, 2, 1), "late": (3, 1, 1)}
    kinds = ("trial", "final", "speed")
    wanted = [
        f"{name} {kind}{n}"
        for name, c in per_method.items()
        for kind, k in zip(kinds, c, strict=True)
        for n in range(k)
    ]
    assert begun == sorted(wanted)
    with (tmp_path / "out" / "table.csv").open() as file:
        lines = {line["method"]: line for line in csv.DictReader(file)}
    assert float(lines["Two views"]["knn accuracy mean"]) == pytest.approx(0.4 + 0.5e-6), "the best of three"
    assert float(lines["Many views"]["knn accuracy difference mean"]) == pytest.approx(-0.2)
    assert lines["Two views"]["views/s mean"] == "128.0"
    with (tmp_path / "out" / "trials.csv").open() as file:
        trials = list(csv.DictReader(file))
    assert len(trials) == 9
    chosen = [line["setting"] for line in trials if line["chosen"] == "True"]
    assert len(chosen) == 3
    assert "lr 0.4" in chosen
    assert (tmp_path / "out" / "figure.png").stat().st_size > 10_000
    table = (tmp_path / "out" / "table.md").read_text()
    assert table.strip() in capsys.readouterr().out
    (tmp_path / "out" / "table.md").unlink()
    assert compare() == (0, [])
    assert (tmp_path / "out" / "table.md").read_text() == table


def test_only_some_methods_and_then_only_the_report(compare, tmp_path, capsys):
    code, begun = compare("--methods", "two")
    assert code == 0
    assert {line.split()[0] for line in begun} == {"two"}
    assert compare("--only-report") == (0, [])
    assert "| Two views |" in capsys.readouterr().out


def test_a_damaged_run_is_named(compare, tmp_path, capsys):
    compare("--methods", "two")
    (record,) = (tmp_path / "out" / "two").glob("final0-*/checkpoints/*/state.json")
    record.write_text(json.dumps({"step": 1, "facts": {"views": 5}}))
    assert compare("--only-report")[0] == 1
    assert "did 5 encoder forwards, planned were 1,024" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--methods", "tow"), "the plan has no method tow; it has many, two, late"),
        (("--jobs", "0"), "at least 1"),
    ],
)
def test_wrong_arguments_are_named(compare, capsys, arguments, said):
    with pytest.raises(SystemExit):
        compare(*arguments)
    assert said in capsys.readouterr().err


def test_the_list_gives_the_commands(compare, capsys):
    assert compare("--list", "--methods", "two")[0] == 0
    out = capsys.readouterr().out
    assert out.count("to do") == 3
    assert "256 forwards" in out
