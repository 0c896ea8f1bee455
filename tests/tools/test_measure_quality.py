"""The measurement of image quality: its order of runs, what it reads from them and what it draws."""

from __future__ import annotations

import csv
import json
import statistics
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from comparison.jobs import Job
from comparison.queue import Queue
from comparison.results import RECORD
from PIL import Image
from quality_study import photos, report, results
from quality_study.runs import INNER_FOLDS, Runs
from quality_study.study import METHODS, Study, units

from rankhub import load_recipe

REFERENCES = ("a", "b", "c", "d")


@pytest.fixture
def runs(tmp_path):
    live = tmp_path / "live"
    live.mkdir()
    with (live / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "matched_by"])
        writer.writerows(
            [f"{name}{n}.png", "file order" if n % 2 else "level rank"] for name in REFERENCES for n in range(6)
        )
    return Runs(Study(live, tmp_path / "photos", tmp_path / "out", steps=8, ranking_steps=5), "a")


def finish(job: Job, noise: float = 10.0, srocc: float = 0.5, references=REFERENCES) -> None:
    """Make what a run leaves behind, with predictions that are off by ``noise``."""
    place = job.folder / "evaluation" / "after_training"
    place.mkdir(parents=True, exist_ok=True)
    (place / "metrics.json").write_text(json.dumps({"quality": {"metrics": {"srocc": srocc}, "notes": []}}))
    (job.folder / RECORD).write_text(json.dumps({"seconds": 1.0}))
    draw = np.random.default_rng(zlib.crc32(job.method.encode()) + job.number)
    with (place / "quality_images.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "reference", "kind", "score", "predicted"])
        for name in references:
            writer.writerows([f"{name}{n}.png", name, "blur", 15 * n, 15 * n + noise * draw.normal()] for n in range(6))


def complete(runs: Runs) -> list[Job]:
    """Do every run that can be said, in order, until there is no more."""
    done: list[Job] = []
    there: set[Path] = set()
    while fresh := [job for job in runs.ordered(lambda job: job.folder in there) if job.folder not in there]:
        job = fresh[0]
        fold = int(job.setting[-1]) if "fold" in job.setting else None
        finish(job, references=REFERENCES if fold is None else REFERENCES[fold : fold + 1])
        done.append(job)
        there.add(job.folder)
    return done


def test_each_run_comes_once_and_after_what_it_starts_from(runs):
    done = complete(runs)
    assert len({job.folder for job in done}) == len(done)
    trials = sum(method.trials for method in METHODS.values()) * INNER_FOLDS
    tuned = [method for method in METHODS.values() if method.trials]
    assert len({method.trials for method in tuned}) == 1
    ranking = 1 + 3  # for the trials, and for each seed
    assert len(done) == ranking + trials + len(units()) * len(tuned) * len(REFERENCES)
    for number, job in enumerate(done):
        starts = [json.loads(one.partition("=")[2]) for one in job.overrides if one.startswith("start_from=")]
        assert bool(starts) == METHODS[job.method].after_ranking
        for start in starts:
            assert start["run"] in {str(before.folder) for before in done[:number]}


def test_all_methods_do_equally_many_steps_on_equal_crops(runs):
    for name, method in METHODS.items():
        job = (
            runs.final(name, 1.0, 0, 0, method.setting(0) if method.trials else {})
            if method.trials
            else runs.ranking(0)
        )
        values = {path: json.loads(text) for path, _, text in (one.partition("=") for one in job.overrides)}
        before = 5 if method.after_ranking else 0
        assert values["steps"] + before == (8 if method.uses_labels else 5)
        crops = [value for path, value in values.items() if path.endswith(".generator")]
        assert crops
        assert all(steps[-1]["size"] == values["predict"]["size"] == 96 for steps in crops)
    assert "steps=5" in runs.ranking(0).overrides


@pytest.mark.parametrize("name", METHODS)
def test_every_method_makes_a_valid_recipe(runs, name):
    method = METHODS[name]
    job = runs.final(name, 1.0, 0, 0, method.setting(1)) if method.trials else runs.ranking(0)
    recipe = load_recipe(job.recipe, job.overrides).resolved()
    assert list(recipe["streams"]) == list(recipe["phases"][0]["streams"])
    assert ("ranked" in recipe["streams"], "labeled" in recipe["streams"]) == (method.uses_ranks, method.uses_labels)
    if method.uses_ranks:
        (objective,) = recipe["streams"]["ranked"]["objectives"]
        assert (objective["pairs"], objective["weight"]) == ("same_kind", 0.3 if method.trials else 1.0)


def test_trials_never_see_the_reference_that_is_tested_first(runs):
    for fold in range(INNER_FOLDS):
        (data,) = (one for one in runs.trial("multitask", 0, fold).overrides if one.startswith("data.scored="))
        options = json.loads(data.partition("=")[2])
        assert (options["leave_out"], options["folds"], options["fold"]) == (["a"], 3, fold)


def test_the_best_trial_is_chosen_once_all_are_there(runs):
    for trial in range(2):
        assert runs.chosen("supervised") is None
        for fold in range(INNER_FOLDS):
            finish(runs.trial("supervised", trial, fold), srocc=0.9 if trial == 1 else 0.1)
    assert runs.chosen("supervised") == 1


def test_figures_are_those_of_a_plain_computation(runs):
    true = np.array([10.0, 20, 30, 40, 50, 60])
    seen = results.Predictions(list("uvwxyz"), list("aaabbb"), true, np.array([1.0, 3, 2, 4, 5, 6]))
    found = seen.measure()
    differences = np.array([0, 1, -1, 0, 0, 0])
    assert found["srocc"] == pytest.approx(1 - 6 * (differences**2).sum() / (6 * 35))
    assert found["srocc_folds"] == pytest.approx((0.5 + 1.0) / 2)
    assert found["plcc"] == pytest.approx(np.corrcoef(true, seen.predicted)[0, 1])
    assert seen.only(["x", "u"]).images == ["u", "x"]


def test_table_and_figure_are_written_from_what_is_there(runs):
    assert report.write_report(runs) == "no method is complete yet"
    complete(runs)
    text = report.write_report(runs)
    assert "| ranking, then multi-task | 3 |" in text
    rows = list(csv.DictReader((runs.study.out / "table.csv").open()))
    assert {row["images"] for row in rows if row["rows"] == "certain"} == {"12"}
    assert {row["images"] for row in rows if row["rows"] == "all"} == {"24"}
    assert len(rows) == 2 * len(METHODS) * len(units())
    with Image.open(runs.study.out / "figure.png") as picture:
        assert picture.size[0] > 800


def test_error_bars_are_of_the_sample_and_the_title_counts_what_there_is(runs, monkeypatch):
    complete(runs)
    drawn = []
    monkeypatch.setattr(report.plt, "close", drawn.append)
    report.write_report(runs)
    monkeypatch.undo()
    (figure,) = drawn
    left = figure.axes[0]
    assert left.get_title() == "24 scored images, 4 references"
    rows = [row for row in csv.DictReader((runs.study.out / "table.csv").open()) if row["rows"] == "all"]
    for name, bars in zip(METHODS, left.containers, strict=True):
        mine = [row for row in rows if row["method"] == name]
        for share, ((_, low), (_, high)) in zip(
            sorted({float(row["labels"]) for row in mine}), bars.lines[2][0].get_segments(), strict=True
        ):
            values = [float(row["srocc"]) for row in mine if float(row["labels"]) == share]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            assert (high - low) / 2 == pytest.approx(spread, abs=1e-12)
    report.plt.close(figure)


@pytest.fixture
def pool(tmp_path):
    """Folders ``photos`` with 3 photos and ``references`` with a small copy of the second."""
    draw = np.random.default_rng(0)
    for folder in ("photos", "references"):
        (tmp_path / folder).mkdir()
    for number in range(3):
        low = draw.integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(low).resize((160, 120), Image.Resampling.BICUBIC).save(tmp_path / "photos" / f"{number}.png")
    with Image.open(tmp_path / "photos" / "1.png") as same:
        same.resize((80, 60)).save(tmp_path / "references" / "sea.bmp")
    return tmp_path


def test_a_photo_that_is_a_reference_is_left_out(pool):
    kept, left_out = photos.without_references(pool / "photos", pool / "references", pool / "kept")
    assert (kept, left_out) == (2, [("1.png", "sea.bmp")])
    assert sorted(path.name for path in (pool / "kept").iterdir()) == ["0.png", "2.png"]


def test_links_of_an_earlier_start_do_not_stay(pool):
    place = pool / "kept"
    place.mkdir()
    for name, target in (("1.png", "photos/1.png"), ("2.png", "elsewhere/2.png"), ("9.png", "nowhere.png")):
        (place / name).symlink_to(pool / target)  # since become a reference; of other photos; gone
    assert photos.without_references(pool / "photos", pool / "references", place)[0] == 2
    assert {link.name: link.readlink() for link in place.iterdir()} == {
        name: pool / "photos" / name for name in ("0.png", "2.png")
    }


@pytest.mark.parametrize(
    ("emptied", "sentence"),
    [
        (["references/sea.bmp"], "references holds no image; expected the originals of the scored images"),
        (["photos/0.png", "photos/1.png", "photos/2.png"], "photos holds no image; expected photos without scores"),
        (["photos/0.png", "photos/2.png"], "photos holds only references (1 of them); expected photos without scores"),
    ],
)
def test_a_folder_without_images_is_one_sentence(pool, load_tool, monkeypatch, capsys, emptied, sentence):
    for name in emptied:
        (pool / name).unlink()
    (pool / "labels.csv").touch()
    (pool / "references").rename(pool / "ref_images")
    monkeypatch.setattr(
        sys, "argv", ["measure_quality", str(pool), str(pool / "photos"), "--out", str(pool / "out"), "--only-report"]
    )
    with pytest.raises(SystemExit) as ended:
        load_tool("measure_quality").main()
    assert ended.value.code == 2
    assert f"{pool}/{sentence.replace('references holds no', 'ref_images holds no')}" in capsys.readouterr().err


def test_a_preloaded_run_ends_as_any_other(tmp_path):
    quick = ("steps=1", "evaluate=[]", "threads=1")
    good = Job("m", "final", 0, "quickstart", quick, 1, "", tmp_path / "good")
    bad = Job("m", "final", 1, "quickstart", ("no.such=1",), 1, "", tmp_path / "bad")
    ended: dict[str, Path | None] = {}
    queue = Queue(
        lambda over: [good, bad],
        2,
        1,
        lambda jobs: [],
        lambda job, seconds, left: ended.update({job.folder.name: None}),
        lambda job, log: ended.update({job.folder.name: log}),
        preload=True,
    )
    assert not queue.work()
    assert ended["good"] is None
    assert "no.such" in ended["bad"].read_text()
    assert "Trained 1 steps" in (tmp_path / "good.log").read_text()
    assert sys.modules["comparison.preloaded"]
