"""Labeling in rounds as jobs of a plan, and the pool that they choose from."""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from helpers.commands import call
from helpers.studies import jobs_of, write_plan

from rankhub import UserError
from rankhub_active.labeling.pool import Pool
from rankhub_study.plan import Patches, read_plan
from rankhub_study.records import read_record
from rankhub_study.results import Results
from rankhub_study.rounds import parts
from rankhub_study.verb import task_of
from rankhub_study.worker import STOPPED, execute

ROUNDS = {
    "rounds": {"labels": [2, 3, 5], "patches": {"side": 32, "number": 3}},
    "baseline": "random",
    "budget": {"steps": 3},
    "axes": {"seed": [0]},
    "metrics": {"counting.mae": "MAE", "pooled": {"metric": "counting.mae", "folds": "pooled"}},
}


def method(acquirer, **changes):
    return {
        "recipe": "counting_multitask",
        "sets": ["labels", "ranks"],
        "overrides": {"acquire": {"use": acquirer}},
        **changes,
    }


def test_rounds_share_their_first_and_choose_by_themselves(capsys, tmp_path, cells):
    methods = {
        "ranking": {
            "recipe": "counting_ranking",
            "sets": ["ranks"],
            "rounds": False,
            "axes": [],
            "budget": {"steps": 4},
        },
        "random": method("random", start_from={"method": "ranking", "parts": ["backbone"]}),
        "uncertainty": method("ranking_uncertainty", start_from={"method": "ranking", "parts": ["backbone"]}),
    }
    plan, out = write_plan(tmp_path, methods=methods, **ROUNDS), tmp_path / "out"
    said = call(capsys, "study", plan, f"data.labeled.root={cells}", "--out", out, "--jobs", 2)
    assert said.code == 0, said.out + said.err
    assert "4 jobs, 0 of them are there" in said.out
    with (out / "results.csv").open() as file:
        found = {(row["method"], row["seed"], row["at"]): float(row["value"]) for row in csv.DictReader(file)}
    assert set(found) == {(name, "0", at) for name in ("random", "uncertainty") for at in "235"}
    assert found["random", "0", "2"] == found["uncertainty", "0", "2"]
    pools = [Pool(file.parent) for file in sorted(out.glob("runs/*/*/pool.db"))]
    assert len(pools) == 1 + 2
    truth = next(iter(out.glob("pools/*/labels.csv"))).read_text()
    for pool in pools:
        labeled = pool.rows(state="labeled")
        assert len(labeled) in (2, 5)
        for row in labeled:  # what the pool was told is the truth
            assert truth.count(f"{row.path},") == max(1, (row.label or "").count("[") - 1)
    kept = [[path.parent.name for path in sorted(pool.folder.glob("runs/*/checkpoints"))] for pool in pools]
    assert sorted(kept) == [["001"], ["003"], ["003"]], "weights of the last round alone"
    by = {round.by.partition(" ")[0] for pool in pools for round in pool.rounds()[2:]}
    assert by == {"random", "ranking_uncertainty"}
    assert "labels to reach its end" in (out / "table.md").read_text()
    results = Results.read(read_plan(plan)[0], out)
    for name, labels in itertools.product(("random", "uncertainty"), (2.0, 3.0, 5.0)):
        (pooled, mean) = (results.by_seed(name, column, (), labels) for column in ("pooled", "counting.mae"))
        assert pooled == pytest.approx(mean), "of a single fold they are the same"
        assert len(mean) == 1


def test_rounds_that_are_stopped_in_a_training_go_on(tmp_path, cells):
    plan = write_plan(tmp_path, methods={"random": method("random")}, **{**ROUNDS, "budget": {"steps": 24}})
    rows = {}
    for name in ("stopped", "whole"):
        jobs = jobs_of(plan, tmp_path / name, f"data.labeled.root={cells}", "threads=1")
        for job in jobs.said():
            task = task_of(jobs, job)
            if name == "stopped" and job.kind == "rounds":
                threading.Thread(target=_interrupt, args=(job.folder / "runs" / "002",), daemon=True).start()
                assert execute(task) == STOPPED
                assert sorted(json.loads((job.folder / "rounds.json").read_text())) == ["2"]
                (job.folder / "rounds.json").unlink()  # as is said of a damaged one; the run goes on all the same
            assert execute(task) == 0
            rows[name] = {part: read_record(job.folder)[part] for part in ("rows", "pairs")}
    assert rows["stopped"] == rows["whole"]
    for name in ("rounds.json", "pairs.json"):  # each round is measured again by its own run, whose weights are gone
        (job.folder / name).unlink()
        (job.folder / "study.json").unlink()
        assert execute(task) == 0
        assert {part: read_record(job.folder)[part] for part in ("rows", "pairs")} == rows["whole"]
        kept = sorted(path.parent.name for path in job.folder.glob("runs/*/checkpoints"))
        assert kept == ["003"]


def _interrupt(run):
    """Ctrl-C once a training is under way."""
    while not (run / "metrics.jsonl").is_file() or len((run / "metrics.jsonl").read_text().splitlines()) < 5:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


def test_more_labels_than_the_pool_has_are_refused(capsys, tmp_path, cells):
    wide = {**ROUNDS, "rounds": {"labels": [2, 500]}}
    plan = write_plan(tmp_path, methods={"random": method("random")}, **wide)
    said = call(capsys, "study", plan, f"data.labeled.root={cells}", "--out", tmp_path / "out", "--jobs", 1)
    assert said.code == 1
    assert "`rounds.labels` wants 500, and data.labeled gives a pool of only 10" in said.out


def test_patches_do_not_overlap_and_keep_their_points():
    image = torch.arange(3 * 70 * 100, dtype=torch.int64).reshape(3, 70, 100)
    points = np.array([[0.0, 0.0], [99.9, 69.9], [100.0, 70.0], [31.9, 0.5], [32.0, 0.5], [64.0, 63.0]])
    found = list(parts(image, points, 5, Patches(side=32, number=6)))
    corners = [divmod(int(part[0, 0, 0]), 100) for part, _ in found]
    assert sorted(corners) == [(y, x) for y in (0, 32) for x in (0, 32, 64)]
    for (part, inside), (y, x) in zip(found, corners, strict=True):
        assert torch.equal(part, image[:, y : y + 32, x : x + 32])
        clipped = np.minimum(points, np.nextafter((100, 70), 0))
        wanted = [(px - x, py - y) for px, py in clipped if x <= px < x + 32 and y <= py < y + 32]
        assert inside.tolist() == [list(one) for one in wanted]
    assert corners != sorted(corners), "drawn at random"
    (whole,) = parts(image, points, 5, None)
    assert torch.equal(whole[0], image)


def test_an_image_with_too_few_squares_is_refused():
    with pytest.raises(UserError, match="an image of 100 x 70 pixels has only 6 squares of 32, not 7"):
        list(parts(torch.zeros(3, 70, 100), np.zeros((0, 2)), 0, Patches(side=32, number=7)))
