"""The measurement of counting: its runs, the draw of labels, what it reads from runs and what it draws."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from comparison.jobs import Job
from comparison.results import RECORD
from counting_study import figure, report, results, sweep
from counting_study.labeled import Draws, draws
from counting_study.runs import Runs
from counting_study.settings import METHODS, RANKING, Settings
from counting_study.study import SWEEP, SWEEP_LABELS, SWEEP_SEED, Images, Study
from PIL import Image

from rankhub.cli.main import execute

LABELS, SEEDS = (4, 8), (0, 1, 2)
TRAIN = tuple(f"{number:02d}cell.png" for number in range(12))


@pytest.fixture
def study(tmp_path):
    return Study(Images(tmp_path / "cells", held_out=4), tmp_path / "out", Settings(), LABELS, SEEDS)


@pytest.fixture
def runs(study):
    return Runs(study, Draws(study.images, TRAIN, study.out / "labeled"))


def finish(job: Job, mae: float = 5.0, rmse: float = 6.0) -> None:
    """Make what a run leaves behind."""
    place = job.folder / "evaluation" / "after_training"
    place.mkdir(parents=True, exist_ok=True)
    found = {"mae": mae, "rmse": rmse, "mae_of_training_mean": 50.0 + job.number, "rmse_of_training_mean": 60.0}
    both = {"counting": {"metrics": found}, "ranking_accuracy": {"metrics": {"accuracy": 0.75}}}
    name = "ranking_accuracy" if job.method == "ranking" else "counting"
    (place / "metrics.json").write_text(json.dumps({name: both[name]}))
    (job.folder / RECORD).write_text(json.dumps({"seconds": 1.0}))


def complete(runs: Runs) -> list[Job]:
    """Do every run that can be said, in order, until there is no more."""
    done: list[Job] = []
    there: set[Path] = set()
    while fresh := [job for job in runs.ordered(lambda job: job.folder in there) if job.folder not in there]:
        job = fresh[0]
        finish(job, mae=4.0 + job.number + 3.0 * (job.method == "supervised"))
        done.append(job)
        there.add(job.folder)
    return done


def values_of(job: Job) -> dict:
    """Path -> value of what the run changes."""
    return {path: json.loads(text) for path, _, text in (one.partition("=") for one in job.overrides)}


def test_each_run_comes_once_and_after_what_it_starts_from(runs):
    done = complete(runs)
    assert len({job.folder for job in done}) == len(done) == len(SEEDS) * (1 + len(LABELS) * len(METHODS))
    for number, job in enumerate(done):
        start = values_of(job).get("start_from")
        assert (start is not None) == (job.method == "finetune")
        if start is not None:  # one ranking run of the seed, whatever the number of labels
            assert start["run"] == str(runs.ranking(job.number).folder)
            assert start["run"] in {str(before.folder) for before in done[:number]}


def test_runs_that_cannot_be_said_yet_count_in_the_estimate(runs):
    said = list(runs.ordered(lambda job: False))
    later = runs.expected(said)
    assert {job.method for job in later} == {"finetune"}
    assert len(said) + len(later) == len(SEEDS) * (1 + len(LABELS) * len(METHODS))


def test_all_methods_do_equally_many_steps_on_the_same_data(runs):
    settings = runs.study.settings
    for name, method in METHODS.items():
        values = values_of(runs.final(name, 8, 1))
        (phase,) = values["phases"]
        before = settings.ranking_steps if method.after_ranking else 0
        assert phase["steps"] + before == settings.steps
        assert set(values["streams"]) == ({"ranked", "labeled"} if method.uses_ranks else {"labeled"})
        assert phase["streams"] == list(values["streams"])
        assert phase["streams"][-1] == "labeled"  # where streams take turns, the last steps are labeled
        assert ("mix" in phase) == method.alternates
        assert values["data.labeled"]["root"] == str(runs.draws.folder(8, 1))
        assert values["data.test"] == {**runs.study.images.data(), "part": "held_out"}
        assert ("data.unlabeled" in values) == method.uses_ranks
        if method.uses_ranks:  # without `labels`, the part is all images to train on
            assert values["data.unlabeled"] == {**runs.study.images.data(), "part": "unlabeled"}
            assert values["streams"]["ranked"]["data"] == "unlabeled"
    (phase,) = values_of(runs.ranking(1))["phases"]
    assert (phase["steps"], set(phase["streams"])) == (settings.ranking_steps, {"ranked"})


@pytest.mark.parametrize("name", ["ranking", *METHODS])
def test_every_method_makes_a_valid_recipe(runs, name, capsys):
    job = runs.ranking(0) if name == "ranking" else runs.final(name, 4, 0)
    assert execute(["validate", job.recipe, *job.overrides]) == 0, capsys.readouterr().err


def test_ranking_alone_has_a_margin(runs):
    (objective,) = values_of(runs.ranking(0))["streams"]["ranked"]["objectives"]
    assert objective["margin"] > 0
    assert objective["weight"] == 1.0
    assert RANKING.recipe == "counting_ranking"


def test_turns_divide_the_steps():
    settings = Settings()
    assert settings.steps % (2 * settings.alternate) == 0
    assert settings.views_of(METHODS["alternating"]) * 2 == settings.views_of(METHODS["multitask"])


def test_settings_are_changed_by_name():
    changed = Settings().changed(["steps=50", "ranking_steps=20", 'nested_crops={"crops": 3}', "adaptive=0.3"])
    assert (changed.steps, changed.nested_crops, changed.adaptive) == (50, {"crops": 3}, 0.3)
    assert Settings().changed([]) == Settings()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("stps=5", "'stps=5' changes no setting; expected NAME=VALUE of"),
        ("steps", "'steps' changes no setting"),
        ("output=count", "the value of 'output=count' is no JSON"),
        ("ranking_steps=600", "ranking_steps must be at least 1 and below steps"),
    ],
)
def test_a_change_that_cannot_be_made_is_one_sentence(change, sentence):
    with pytest.raises(ValueError, match="^" + sentence):
        Settings().changed([change])


def test_changed_settings_make_other_runs(study, runs):
    other = Runs(Study(study.images, study.out, Settings(weight=3.0), LABELS, SEEDS), runs.draws)
    assert other.final("multitask", 4, 0).folder != runs.final("multitask", 4, 0).folder
    assert other.final("supervised", 4, 0).folder == runs.final("supervised", 4, 0).folder


def test_fewer_labels_are_part_of_more_and_seeds_differ(runs):
    for seed in SEEDS:
        assert set(runs.draws.labeled(4, seed)) < set(runs.draws.labeled(8, seed)) <= set(TRAIN)
        assert len(runs.draws.labeled(8, seed)) == 8
    assert len({tuple(runs.draws.labeled(4, seed)) for seed in SEEDS}) == len(SEEDS)


@pytest.fixture
def cells(tmp_path):
    """12 images and their dots, in the folder of the study."""
    folder = tmp_path / "cells"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(draw.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{number:02d}cell.png")
        dots = np.zeros((16, 16, 3), np.uint8)
        dots[4, 2 : 2 + number] = 255
        Image.fromarray(dots).save(folder / f"{number:02d}dots.png")
    return folder


def test_labeled_images_are_links_and_never_test_images(cells, tmp_path):
    found = draws(Study(Images(cells, held_out=3), tmp_path / "out", labels=(4,), seeds=(0,)))
    assert len(found.train) == 9
    found.make(4, 0)
    labeled = {path.name for path in found.folder(4, 0).iterdir()}
    others = {path.name for path in found.others_folder(4, 0).iterdir()}
    assert (len(labeled), len(others)) == (8, 10)  # images and dots
    assert not labeled & others
    assert {name for name in labeled | others if name.endswith("cell.png")} == set(found.train)
    for link in found.folder(4, 0).iterdir():
        assert link.readlink() == cells / link.name


def test_too_few_images_are_one_sentence(cells, tmp_path, load_tool, capsys):
    code = load_tool("measure_counting").main([str(cells), "--out", str(tmp_path / "out"), "--held-out", "6"])
    assert code == 2
    said = capsys.readouterr().err
    assert f"{cells} has 6 images to train on beside 6 held out; 32 with labels leave none without" in said


def test_table_and_figure_are_written_from_what_is_there(runs):
    assert report.write_report(runs) == "no run with labels is there yet"
    complete(runs)
    text = report.write_report(runs)
    assert "| supervised only | 8.0 ± 1.0 | 8.0 ± 1.0 |" in text
    assert "| multi-task | 5.0 ± 1.0 | 5.0 ± 1.0 |" in text
    assert "| mean count of the labeled | 51.0 ± 1.0 | 51.0 ± 1.0 |" in text
    gain = [100 * (5.0 / 8.0 - 1) if seed == 1 else 100 * ((4.0 + seed) / (7.0 + seed) - 1) for seed in SEEDS]
    assert f"| multi-task | {statistics.fmean(gain):+.0f} ± {statistics.stdev(gain):.0f} |" in text
    assert "75.0 % of the pairs" in text
    assert "24 of 24 runs are there" in text
    rows = list(csv.DictReader((runs.study.out / "table.csv").open()))
    assert len(rows) == 24
    assert {row["rmse"] for row in rows} == {"6.0"}
    with Image.open(runs.study.out / "figure.png") as picture:
        assert picture.size[0] > 800


def test_differences_are_taken_over_the_seeds_that_both_have(runs):
    finish(runs.final("supervised", 4, 0), mae=10.0)
    finish(runs.final("multitask", 4, 0), mae=9.0)
    finish(runs.final("multitask", 4, 2), mae=1.0)
    found = report.found(runs)
    assert results.gains(found, "multitask", 4) == [pytest.approx(-10.0)]
    assert results.errors(found, results.BASELINE, 4, "mae") == {0: 50.0, 2: 52.0}


def test_error_bars_are_of_the_sample_and_axes_logarithmic(runs, tmp_path, monkeypatch):
    complete(runs)
    drawn = []
    monkeypatch.setattr(figure.plt, "close", drawn.append)
    figure.draw(report.found(runs), "made up", "cells", tmp_path / "figure.png")
    monkeypatch.undo()
    (picture,) = drawn
    (axes,) = picture.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [container.get_label() for container in axes.containers] == [one.title for one in METHODS.values()]
    for bars in axes.containers:
        for (_, low), (_, high) in bars.lines[2][0].get_segments():
            assert (high - low) / 2 == pytest.approx(1.0)  # of three seeds one apart
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [list(line.get_ydata()) for line in dashed] == [[51.0, 51.0]]
    figure.plt.close(picture)


def test_no_test_image_chooses_in_the_sweep(runs):
    jobs = list(runs.sweep(lambda job: False))
    assert len({job.folder for job in jobs}) == len(jobs) == len(SWEEP)
    for job in jobs:
        values = values_of(job)
        assert values["data.test"]["root"] == str(runs.draws.others_folder(SWEEP_LABELS, SWEEP_SEED))
        assert values["data.labeled"]["root"] == str(runs.draws.folder(SWEEP_LABELS, SWEEP_SEED))
        assert values["seed"] == SWEEP_SEED
        assert values["phases"][0]["steps"] == runs.study.settings.steps


def test_every_variation_but_the_references_changes_its_run(runs):
    plain = {name: values_of(runs.final(name, SWEEP_LABELS, SWEEP_SEED))["streams"] for name in METHODS}
    for variation in SWEEP:
        changed = values_of(runs.variation(variation))["streams"] != plain[variation.method]
        assert changed == bool(variation.changes), variation.name


def test_the_table_of_the_sweep_compares_with_both_references(runs):
    assert sweep.write_sweep(runs) == "no run of the sweep is there yet"
    for number, variation in enumerate(SWEEP):
        finish(runs.variation(variation), mae=10.0 + number)
    text = sweep.write_sweep(runs)
    weight = next(number for number, one in enumerate(SWEEP) if one.changes == {"weight": 1.0})
    base = next(number for number, one in enumerate(SWEEP) if one.name == "multi-task as set")
    against = f"{10 * weight:+d} % | {100 * ((10 + weight) / (10 + base) - 1):+.0f} %"
    assert f"| weight 1 | weight 1.0 | {10 + weight}.0 | 6.0 | {against} |" in text
    assert len(list(csv.DictReader((runs.study.out / "sweep.csv").open()))) == len(SWEEP)
    assert (runs.study.out / "sweep.md").read_text() == text
