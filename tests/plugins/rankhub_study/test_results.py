"""What jobs come to: folds, pooled predictions, paired differences, intervals, table and figure."""

from __future__ import annotations

import csv
import json
import random
import statistics
from dataclasses import replace

import numpy as np
import pytest
import yaml
from helpers.studies import PLAN
from matplotlib import pyplot

from rankhub import UserError
from rankhub_study.figure import draw
from rankhub_study.plan import Plan
from rankhub_study.points import narrowed, points
from rankhub_study.records import write_record
from rankhub_study.results import POOLED, Results, interval, write_results
from rankhub_study.table import markdown

TWO = {
    "axes": {"labels": [4, 8], "fold": [0, 1, 2], "seed": [0, 1, 2, 3]},
    "metrics": {
        "counting.mae": "MAE",
        "pooled": {"metric": "counting.mae", "folds": "pooled"},
        "order": {"metric": "counting.srocc", "folds": "pooled", "percent": True, "difference": False},
    },
    "methods": {
        "supervised": {"recipe": "x"},
        "multitask": {"recipe": "y"},
        "ranking": {"recipe": "z", "axes": ["seed"]},
    },
}


def plan_of(**changes):
    return Plan.model_validate_json(json.dumps({**yaml.safe_load(PLAN), **changes}))


def found(root, plan, leave_out=()):
    """A study's folder with made results, and the true and predicted values behind them."""
    pairs, listed = {}, []
    for method in plan.methods:
        for point in points(plan, method):
            if (method, point) in leave_out:
                continue
            rng = random.Random(f"{method}{point}")
            true = [rng.uniform(0, 10) for _ in range(rng.randint(4, 7))]
            predicted = [value + rng.gauss(0.5, 2) for value in true]
            pairs[method, point] = (true, predicted)
            mae = statistics.fmean(abs(a - b) for a, b in zip(true, predicted, strict=True))
            folder = f"runs/{method}/{len(listed)}"
            (root / folder).mkdir(parents=True)
            rows = {
                "before training": {"counting.mae": 9.0},
                "step 6": {"counting.mae": mae + 1},
                "after training": {"counting.mae": mae},
            }
            record = {"rows": rows, "pairs": {"after training": {"counting": [true, predicted]}}, "steps": 12}
            write_record(root / folder, {**record, "seconds": 3.0, "training": 2.0})
            told = {"method": method, "kind": "final", "point": point, "folder": folder, "start": None, "setting": ""}
            listed.append({**told, "number": 0, "forwards": 100, "searched": False})
    (root / "manifest.json").write_text(json.dumps({"signs": {"counting.mae": -1.0}, "jobs": listed}))
    return Results.read(plan, root), pairs


def spearman(true, predicted):
    """By the definition: Pearson's correlation of ranks that are counted one by one."""

    def ranks(values):
        return [
            sum(other < value for other in values) + sum(other == value for other in values) / 2 for value in values
        ]

    return float(np.corrcoef(ranks(true), ranks(predicted))[0, 1])


def test_folds_are_averaged_or_pooled(tmp_path):
    results, pairs = found(tmp_path, plan_of(**TWO))
    for labels in (4, 8):
        cell = (("labels", labels),)
        for column, metric in (("counting.mae", None), ("pooled", None), ("order", spearman)):
            values = results.by_seed("multitask", column, cell, 1.0)
            assert [dict(seed)["seed"] for seed in values] == [0, 1, 2, 3]
            for seed, value in values.items():
                mine = [pairs["multitask", point] for point in results.points("multitask", cell, seed)]
                assert len(mine) == 3
                true, predicted = ([one for pair in mine for one in pair[side]] for side in (0, 1))
                slow = (
                    metric(true, predicted)
                    if metric
                    else statistics.fmean(abs(a - b) for a, b in zip(true, predicted, strict=True))
                )
                if column == "counting.mae":
                    slow = statistics.fmean(
                        statistics.fmean(abs(a - b) for a, b in zip(*pair, strict=True)) for pair in mine
                    )
                assert value == pytest.approx(slow)


def test_a_method_without_an_axis_stands_at_all_its_values(tmp_path):
    results, pairs = found(tmp_path, plan_of(**TWO))
    at_four, at_eight = (results.by_seed("ranking", "order", (("labels", labels),), 1.0) for labels in (4, 8))
    assert at_four == at_eight == {seed: pytest.approx(spearman(*pairs["ranking", seed])) for seed in at_four}


def test_a_seed_counts_once_all_of_its_folds_are_there(tmp_path):
    plan = plan_of(**TWO)
    gone = ("multitask", (("labels", 4), ("fold", 1), ("seed", 2)))
    results, _ = found(tmp_path, plan, leave_out=[gone])
    cell = (("labels", 4),)
    assert [dict(seed)["seed"] for seed in results.by_seed("multitask", "pooled", cell, 1.0)] == [0, 1, 3]
    ours, theirs = (results.by_seed(name, "pooled", cell, 1.0) for name in ("multitask", "supervised"))
    paired = results.differences("multitask", "pooled", cell, 1.0)
    assert paired == {seed: pytest.approx(value - theirs[seed]) for seed, value in ours.items()}
    assert results.differences("supervised", "pooled", cell, 1.0) == {}


def test_the_interval_is_that_of_plain_resampling():
    values = [0.3, -0.1, 0.25, 0.5, 0.05]
    low, high = interval(values)
    draws = random.Random(1)
    means = sorted(statistics.fmean(draws.choices(values, k=len(values))) for _ in range(20_000))
    assert low == pytest.approx(means[500], abs=0.01)
    assert high == pytest.approx(means[19_500], abs=0.01)
    assert interval(values) == (low, high)
    assert interval([0.2]) is None
    assert interval([0.2, 0.2]) == (pytest.approx(0.2), pytest.approx(0.2))


@pytest.mark.parametrize("name", ["mae", "rmse", "plcc", "krocc"])
def test_pooled_metrics_are_by_their_definitions(name):
    draw = random.Random(name)
    true, predicted = ([draw.randint(0, 6) for _ in range(20)] for _ in range(2))
    errors = [b - a for a, b in zip(true, predicted, strict=True)]
    pairs = [((true[i] - true[j]), (predicted[i] - predicted[j])) for i in range(20) for j in range(i)]
    agree = sum((a > 0) == (b > 0) for a, b in pairs if a and b) - sum((a > 0) != (b > 0) for a, b in pairs if a and b)
    slow = {
        "mae": statistics.fmean(map(abs, errors)),
        "rmse": statistics.fmean(error**2 for error in errors) ** 0.5,
        "plcc": statistics.correlation(true, predicted),
        "krocc": agree / (sum(a != 0 for a, _ in pairs) * sum(b != 0 for _, b in pairs)) ** 0.5,
    }
    assert POOLED[name](np.array(true, float), np.array(predicted, float)) == pytest.approx(slow[name])


def test_a_correlation_of_equal_predictions_is_undefined():
    assert np.isnan(POOLED["srocc"](np.array([1.0, 2.0, 3.0]), np.ones(3)))
    assert np.isnan(POOLED["plcc"](np.array([1.0, 2.0]), np.array([1.0, 2.0])))


def test_the_table_has_mean_deviation_seeds_and_paired_difference(tmp_path):
    results, _ = found(tmp_path, plan_of(**TWO, evaluate_at=[0.5], references=["before training"], note="A note."))
    text = markdown(results)
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    assert lines[0] == [
        "labels",
        "training",
        "method",
        "seeds",
        "MAE",
        "Δ MAE",
        "pooled",
        "Δ pooled",
        "order (%)",
        "seconds",
        "forwards",
    ]
    assert lines[2][2:5] == ["untrained", "", "9.000 ± 0.000"]
    (ours,) = [line for line in lines if line[:3] == ["8", "100%", "multitask"]]
    values = list(results.by_seed("multitask", "counting.mae", (("labels", 8),), 1.0).values())
    differences = list(results.differences("multitask", "counting.mae", (("labels", 8),), 1.0).values())
    assert ours[3:5] == ["4", f"{statistics.fmean(values):.3f} ± {statistics.stdev(values):.3f}"]
    low, high = interval(differences)
    assert ours[5] == f"{statistics.fmean(differences):+.3f} [{low:+.3f}, {high:+.3f}]".replace("-", "−")
    (half,) = [line for line in lines if line[:3] == ["8", "50%", "multitask"]]
    assert float(half[4].split()[0]) == pytest.approx(statistics.fmean(values) + 1, abs=0.001)
    assert half[6] == "", "predictions in the middle are not there"
    assert "MAE lower" in text
    assert "52 of 52 jobs are there" in text
    assert text.endswith("A note.\n")
    few = replace(results, plan=narrowed(results.plan, ["seed=0"]))
    assert "13 of 13 jobs are there" in markdown(few), "of a part, only its own jobs count"


def test_table_figure_and_results_are_the_same_each_time(tmp_path):
    results, _ = found(tmp_path, plan_of(**TWO, evaluate_at=[0.5]))
    seen = []
    for name in "ab":
        root = tmp_path / name
        root.mkdir()
        write_results(results, root)
        draw(results, root / "figure.png")
        seen.append([(root / "results.csv").read_bytes(), (root / "figure.png").read_bytes(), markdown(results)])
    assert seen[0] == seen[1]
    with (tmp_path / "a" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 52 * 3, "a line a job, metric and measurement"
    assert set(rows[0]) == {"method", "labels", "fold", "seed", "at", "metric", "value", "seconds", "forwards"}


def test_what_rounds_have_saved(tmp_path, monkeypatch):
    plan = plan_of(
        rounds={"labels": [2, 4, 6]},
        methods={"random": {"recipe": "x"}, "choice": {"recipe": "x"}},
        baseline="random",
        metrics={"counting.mae": "MAE"},
    )
    curves = {"random": {0: (9, 8, 6), 1: (9, 6, 4)}, "choice": {0: (9, 5, 4), 1: (9, 5, 5)}}
    listed = []
    for method, by_seed in curves.items():
        for seed, values in by_seed.items():
            folder = f"runs/{method}/{seed}"
            (tmp_path / folder).mkdir(parents=True)
            rows = {str(count): {"counting.mae": float(value)} for count, value in zip((2, 4, 6), values, strict=True)}
            write_record(tmp_path / folder, {"rows": rows, "pairs": {}, "steps": 0, "seconds": 1.0, "training": 1.0})
            told = {"method": method, "kind": "rounds", "point": [["seed", seed]], "folder": folder, "start": None}
            listed.append({**told, "setting": "", "number": 0, "forwards": 10, "searched": False})
    (tmp_path / "manifest.json").write_text(json.dumps({"signs": {"counting.mae": -1.0}, "jobs": listed}))
    text = markdown(Results.read(plan, tmp_path))
    assert "| random |  |  | 6 |" in text
    # Better by ((3 + 2) / 2, (1 - 1) / 2): 2.5 and 0; its mean of 5 after four labels is that of chance after six.
    assert "| choice | +1.250 [+0.000, +2.500] | 1 of 2 | 4 |" in text
    figures = []
    monkeypatch.setattr(pyplot, "close", figures.append)
    draw(Results.read(plan, tmp_path), tmp_path / "figure.png")
    (panel,) = figures[0].axes
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["2", "4", "6"], "no labels between the rounds"


def test_time_that_a_kill_has_taken_away_is_no_number(tmp_path):
    plan = plan_of(**TWO)
    found(tmp_path, plan)
    results = Results.read(plan, tmp_path)
    (first, *_) = [one for (name, _), one in results.finals.items() if name == "ranking"]
    before = [line for line in markdown(results).splitlines() if "ranking" in line]
    first.record["training"] = 0.0  # of a run that was killed when its training was over
    after = [line for line in markdown(results).splitlines() if "ranking" in line]
    assert before == after, "the mean is that of the others"
    (start, job, *_) = results.finals.values()
    assert job.seconds == 2.0
    assert replace(job, start=start).seconds == 4.0
    assert replace(job, start=first).seconds is None, "nor where what it began with was not timed"
    for one in results.finals.values():
        one.record["training"] = 0.0
    lines = [line.split(" | ") for line in markdown(results).splitlines() if line.startswith("| 8 | ")]
    assert lines
    assert all(line[-2].strip() == "" for line in lines)


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no study's folder"):
        Results.read(plan_of(), tmp_path)
