"""The measurement of crowds: its folds, what a fold may see, and its table."""

from __future__ import annotations

import csv
import json

import pytest
from comparison.jobs import Job
from comparison.results import RECORD
from crowd_study import report
from crowd_study.runs import COMPARED, FOLDS, Crowds

from rankhub.cli.main import execute


@pytest.fixture
def crowds(tmp_path):
    return Crowds(tmp_path / "ucf", tmp_path / "out")


def finish(job: Job, mae: float, baseline: float = 500.0) -> None:
    """Make what a run leaves behind."""
    place = job.folder / "evaluation" / "after_training"
    place.mkdir(parents=True)
    found = {"mae": mae, "rmse": 2 * mae, "mae_of_training_mean": baseline, "rmse_of_training_mean": 2 * baseline}
    (place / "metrics.json").write_text(json.dumps({"counting": {"metrics": found}}))
    (job.folder / RECORD).write_text(json.dumps({"seconds": 1.0}))


def data_of(job: Job) -> dict:
    """Data set -> options."""
    pairs = (one.partition("=") for one in job.overrides if one.startswith("data."))
    return {path.removeprefix("data."): json.loads(text) for path, _, text in pairs}


def test_each_method_runs_on_each_fold(crowds):
    jobs = list(crowds.ordered(lambda job: False))
    assert len({job.folder for job in jobs}) == len(jobs) == FOLDS * len(COMPARED)


def test_no_run_sees_a_photo_of_its_test_fold(crowds):
    for fold in range(FOLDS):
        data = data_of(crowds.run("multitask", fold))
        assert {name: (one["part"], one["fold"]) for name, one in data.items()} == {
            "labeled": ("train", fold),
            "unlabeled": ("unlabeled", fold),
            "test": ("held_out", fold),
        }
        assert set(data_of(crowds.run("supervised", fold))) == {"labeled", "test"}


def test_the_settings_make_a_valid_recipe(crowds, capsys):
    job = crowds.run("multitask", 4)
    assert execute(["validate", job.recipe, *job.overrides]) == 0, capsys.readouterr().err


def test_fewer_labels_leave_the_ranked_photos_as_they_are(crowds):
    few = data_of(Crowds(crowds.root, crowds.out, labels=10).run("multitask", 0))
    assert few["labeled"]["labels"] == 10
    assert "labels" not in few["unlabeled"]
    assert "labels" not in data_of(crowds.run("multitask", 0))["labeled"]


def test_the_average_waits_for_all_folds(crowds):
    assert report.write_report(crowds) == "no fold is there yet"
    for fold in range(FOLDS):
        finish(crowds.run("supervised", fold), 400.0 + 10 * fold, 500.0 + fold)
    finish(crowds.run("multitask", 3), 350.0)
    text = report.write_report(crowds)
    assert "| supervised only | 400 / 800 | 410 / 820 | 420 / 840 | 430 / 860 | 440 / 880 | **420 / 840** |" in text
    assert "| multi-task |  |  |  | 350 / 700 |  |  |" in text
    lines = list(csv.DictReader((crowds.out / "table.csv").open()))
    assert [(one["method"], one["fold"], one["mae"]) for one in lines if one["method"] == "multi-task"] == [
        ("multi-task", "3", "350.0")
    ]
    assert sum(one["method"] == report.MEAN_COUNT for one in lines) == FOLDS
    assert (crowds.out / "table.md").read_text() == text


def test_a_folder_without_the_photos_is_one_sentence(load_tool, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        load_tool("measure_crowds").main([str(tmp_path)])
    assert ended.value.code == 2
    assert f"{tmp_path} has no 1_ann.mat; expected the folder of UCF_CC_50" in capsys.readouterr().err


def test_settings_that_cannot_be_changed_are_one_sentence(load_tool, tmp_path, capsys):
    (tmp_path / "1_ann.mat").touch()
    with pytest.raises(SystemExit):
        load_tool("measure_crowds").main([str(tmp_path), "--set", "wieght=1"])
    assert "'wieght=1' changes no setting" in capsys.readouterr().err
