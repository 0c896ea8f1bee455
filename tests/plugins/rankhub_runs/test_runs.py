"""Runs of the fakes, and folders that are damaged by hand."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import fakes
from helpers.commands import call

import rankhub
import rankhub_data
import rankhub_guards
import rankhub_lock
import rankhub_runs
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import Callback
from rankhub_lock import held, locked
from rankhub_runs.reading import read_run
from rankhub_runs.record import lower_is_better

SMALL = {"phases.first.epochs": 1, "threads": 1, "device": "cpu"}


class StopAt(Callback):
    def step_logged(self, step, values):
        return "stop" if step == 3 else None


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three runs: ``a`` and ``b/c`` have ended, ``b/d`` was stopped."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        found = catalog()
        patch.setattr(Catalog, "discover", classmethod(lambda cls: found))
        for name, rate, watchers in (("a", 0.05, []), ("b/c", 0.2, []), ("b/d", 0.05, [StopAt()])):
            loaded = rankhub.load_recipe(fakes.RECIPE, {**SMALL, "optimizer.lr": rate})
            rankhub.train(loaded, folder / name, progress=False, callbacks=watchers)
    return folder


def catalog():
    plugins = {"rankhub_data": rankhub_data, "rankhub_lock": rankhub_lock, "rankhub_runs": rankhub_runs}
    return Catalog.of({"fakes": fakes, "rankhub_guards": rankhub_guards, **plugins})


@pytest.fixture
def runs(made, tmp_path, monkeypatch):
    found = catalog()
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    return shutil.copytree(made, tmp_path / "runs")


def listed(capsys, folder):
    called = call(capsys, "runs", "list", folder, "--json")
    assert called.code == 0, called.err
    return {os.path.relpath(run["run"], folder): run for run in json.loads(called.out)}


def test_list(runs, capsys):
    found = listed(capsys, runs)
    assert {name: (run["state"], run["step"], run["steps"]) for name, run in found.items()} == {
        "a": ("finished", 4, 4),
        "b/c": ("finished", 4, 4),
        "b/d": ("interrupted", 3, 4),
    }
    assert {run["recipe"] for run in found.values()} == {"fake"}
    assert found["a"]["metric"] == "spread spread"
    metrics = json.loads((runs / "a" / "evaluation" / "after_training" / "metrics.json").read_text())
    assert found["a"]["value"] == pytest.approx(metrics["spread"]["metrics"]["spread"])
    assert 0 < found["a"]["seconds"] < 100
    assert found["b/d"]["value"] is None


@pytest.mark.parametrize("columns", [20, 50, 200])
def test_no_name_is_cut_at_any_width(runs, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    called = call(capsys, "runs", "list", runs)
    assert called.code == 0
    assert all(word in called.out for word in ("b/c", "b/d", "finished", "interrupted", "3/4", "spread spread"))


def test_a_run_that_is_trained_now_and_one_that_was_killed(runs, capsys):
    with locked(runs / "a" / "running.json", sentence="held"):
        assert held(runs / "a" / "running.json")
        assert listed(capsys, runs)["a"]["state"] == "training now"
    assert not held(runs / "a" / "running.json")
    progress = json.loads((runs / "a" / "progress.json").read_text())
    (runs / "a" / "progress.json").write_text(json.dumps({**progress, "state": "training"}))
    assert listed(capsys, runs)["a"]["state"] == "interrupted"


def test_time_counts_all_starts_and_the_state_follows(runs):
    before = read_run(runs / "b" / "d")
    rankhub.resume(runs / "b" / "d", progress=False)
    after = read_run(runs / "b" / "d")
    assert (after.state, after.step) == ("finished", 4)
    assert after.seconds > before.seconds


def test_a_run_of_an_earlier_version_is_read_too(runs, capsys):
    for name in ("progress.json", "start.json"):
        (runs / "a" / name).unlink()
    run = listed(capsys, runs)["a"]
    assert (run["recipe"], run["state"], run["step"], run["steps"]) == ("fake", "finished", 4, None)
    called = call(capsys, "runs", "compare", runs / "a", runs / "b" / "c", "--json")
    assert list(json.loads(called.out)["settings"]) == ["optimizer.lr"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("start.json", b"{"),
        ("start.json", b"{}"),
        ("start.json", b"\xff\xfe"),
        ("progress.json", b"[]"),
        ("metrics.jsonl", b"\x00\x00\x00"),
        ("results.csv", b""),
        ("results.csv", b",knn accuracy\r\nafter training,much\r\n"),
        ("results.csv", b"\xff,\xff\n\xff,\xff\n"),
    ],
)
def test_a_damaged_run_is_a_row_with_its_sentence(runs, capsys, name, content):
    (runs / "a" / name).write_bytes(content)
    found = listed(capsys, runs)
    assert found["a"]["state"] == "damaged"
    assert str(runs / "a") in found["a"]["problem"]
    assert found["b/c"]["state"] == "finished"
    called = call(capsys, "runs", "list", runs)
    assert called.code == 0
    assert "damaged" in called.out


def test_a_folder_in_place_of_a_file_is_damage_too(runs, capsys):
    (runs / "a" / "metrics.jsonl").unlink()
    (runs / "a" / "metrics.jsonl").mkdir()
    assert listed(capsys, runs)["a"]["state"] == "damaged"


def test_compare(runs, capsys):
    called = call(capsys, "runs", "compare", runs / "a", runs / "b" / "c", "--json")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert found["settings"] == {"optimizer.lr": {"a": 0.05, "c": 0.2}}
    spread = found["metrics"]["spread.spread"]
    assert spread["lower_is_better"] is False
    assert spread["best"] == max(spread["values"], key=spread["values"].get)
    shown = call(capsys, "runs", "compare", runs / "a", runs / "b" / "c").out
    assert shown.count("*") == 1
    assert "optimizer.lr" in shown
    unfinished = call(capsys, "runs", "compare", runs / "a", runs / "b" / "d").out
    assert "d has no figures" in unfinished


def lower(run):
    """As if the evaluator said that lower is better."""
    progress = json.loads((run / "progress.json").read_text())
    (run / "progress.json").write_text(json.dumps({**progress, "lower_is_better": {"spread": ["spread"]}}))


def test_best_by_direction(runs, capsys):
    higher = json.loads(call(capsys, "runs", "best", runs, "--metric", "spread", "--json").out)
    assert [run["run"] for run in higher["runs"]] == sorted(
        (str(runs / name) for name in ("a", "b/c")), key=lambda path: -read_run(Path(path)).headline[1]
    )
    lower(runs / "a")
    disagree = call(capsys, "runs", "best", runs, "--metric", "spread.spread")
    assert disagree.code == 2
    assert "--lower or --higher" in disagree.err
    lower(runs / "b" / "c")
    other = json.loads(call(capsys, "runs", "best", runs, "--metric", "spread.spread", "--json").out)
    assert other["lower_is_better"] is True
    assert other["runs"] == higher["runs"][::-1]
    shown = call(capsys, "runs", "best", runs, "--metric", "spread spread")
    assert shown.out.strip().endswith(other["runs"][0]["run"])


def test_what_is_no_number_is_never_best(runs, capsys):
    file = runs / "a" / "evaluation" / "after_training" / "metrics.json"
    file.write_text(json.dumps({"spread": {"metrics": {"spread": float("nan")}, "notes": []}}))
    found = json.loads(call(capsys, "runs", "best", runs, "--metric", "spread", "--json").out)
    assert [(run["run"], run["value"] is None) for run in found["runs"]] == [
        (str(runs / "b" / "c"), False),
        (str(runs / "a"), True),
    ]
    compared = json.loads(call(capsys, "runs", "compare", runs / "a", runs / "b" / "c", "--json").out)
    assert compared["metrics"]["spread.spread"]["best"] == "c"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "nowhere"], "there is no folder nowhere"),
        (["compare", "a"], "name two runs or more"),
        (["compare", "a", "a"], "named twice"),
        (["compare", "a", "b"], "b is no run's folder"),
        (["best", ".", "--metric", "spread.spred"], "did you mean 'spread.spread'?"),
        (["best", "b/d", "--metric", "spread"], "no run in b/d has figures after training"),
    ],
)
def test_what_is_wrong_is_one_sentence(runs, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(runs)
    called = call(capsys, "runs", *arguments)
    assert called.code == 2
    assert said in called.err
    assert called.err.count("\n") == 1


def test_an_interrupt_ends_with_130(runs, capsys, monkeypatch):
    def interrupted(folder):
        raise KeyboardInterrupt

    import rankhub_runs.verbs

    monkeypatch.setattr(rankhub_runs.verbs, "read_run", interrupted)
    assert call(capsys, "runs", "list", runs).code == 130


def test_directions_are_those_of_the_evaluators():
    recipe = {"evaluate": [{"use": "alpha_req", "data": "test"}, {"use": "nobody_has_this"}]}
    assert lower_is_better(recipe) == {"alpha_req": ["distance"]}


NO_TORCH = """
import sys
from rankhub_cli.main import execute
assert execute(["runs", "list", sys.argv[1]]) == 0
assert execute(["runs", "best", sys.argv[1], "--metric", "spread"]) == 0
assert execute(["runs", "compare", sys.argv[1] + "/0", sys.argv[1] + "/1"]) == 0
loaded = {"torch", "numpy", "matplotlib"} & set(sys.modules)
assert not loaded, loaded
"""


def test_five_hundred_runs_are_listed_without_torch(runs, tmp_path):
    many = tmp_path / "many"
    for number in range(500):
        (many / str(number) / "evaluation" / "after_training").mkdir(parents=True)
        for name in (
            "start.json",
            "progress.json",
            "results.csv",
            "metrics.jsonl",
            "evaluation/after_training/metrics.json",
        ):
            os.link(runs / "a" / name, many / str(number) / name)
    command = [sys.executable, "-c", NO_TORCH, str(many)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished") == 500
