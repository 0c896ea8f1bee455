"""The experiment on labeling in rounds: what it makes of the results, and a small one done for real."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import simulate_labeling
from labeling_study.chain import Chain
from labeling_study.figure import draw
from labeling_study.plan import Plan, read_acquirer
from labeling_study.report import write_report
from labeling_study.results import FINISHED, Found, first_at, read
from labeling_study.truth import IMAGES, LABELS, write_truth
from PIL import Image

import rankhub
from rankhub import UserError
from rankhub_active.labeling.pool import Pool

TINY = (
    "steps=2",
    "streams.labeled.batch_size=2",
    "data.labeled.labels=null",
    "data.labeled.images=7",
    "data.test.images=2",
    "data.unlabeled.images=4",
)


def plan(**changes) -> Plan:
    return dataclasses.replace(
        Plan(
            recipe="counting_quickstart",
            overrides=TINY,
            acquirers={"random": {"use": "random"}, "order": {"use": "ranking_uncertainty", "draws": 1}},
            seeds=(0, 1),
            start=2,
            step=2,
            budget=5,
            metric="counting.mae",
        ),
        **changes,
    )


def found(curves, sign=-1.0, **changes) -> Found:
    return Found(plan(**changes), sign, curves)


def test_the_last_round_ends_at_the_budget():
    assert plan().labels == [2, 4, 5]
    assert plan(budget=6).labels == [2, 4, 6]


@pytest.mark.parametrize(
    ("curve", "target", "sign", "at"),
    [
        ({2: 5.0, 4: 3.0, 5: 4.0}, 4.0, -1.0, 4),
        ({2: 5.0, 4: 3.0, 5: 4.0}, 5.0, -1.0, 2),
        ({2: 5.0, 4: 3.0, 5: 4.0}, 2.9, -1.0, None),
        ({4: 0.5, 2: 0.4}, 0.45, 1.0, 4),
    ],
)
def test_the_first_round_that_is_as_good(curve, target, sign, at):
    assert first_at(curve, target, sign) == at


def test_labels_needed_and_gains_are_of_the_seeds_that_both_have():
    chance = {0: {2: 9.0, 4: 7.0, 5: 5.0}, 1: {2: 8.0, 4: 8.0, 5: 7.0}, 2: {2: 1.0, 4: 1.0, 5: 1.0}}
    order = {0: {2: 9.0, 4: 5.0, 5: 4.0}, 1: {2: 8.0, 4: 6.5, 5: 8.0}, 3: {2: 0.0, 4: 0.0}}
    every = found({"random": chance, "order": order}, seeds=(0, 1, 2, 3))
    # Chance with all labels, seeds 0 and 1: 6.0. The order's means: 8.5, 5.75, 6.0.
    assert every.target([0, 1]) == 6.0
    assert every.needed("order") == 4
    assert every.needed_by_seed("order") == {0: 4, 1: None}
    # Rounds after the first: seed 0 is better by 2 and 1, seed 1 by 1.5 and -1.
    assert every.gains("order") == [1.5, 0.25]
    assert every.gains("random") == [0.0, 0.0, 0.0]


def test_a_higher_metric_is_better_where_it_is():
    curves = {"random": {0: {2: 0.1, 4: 0.2, 5: 0.3}}, "order": {0: {2: 0.1, 4: 0.3, 5: 0.4}}}
    every = found(curves, sign=1.0, seeds=(0,))
    assert every.needed("order") == 4
    assert every.gains("order") == pytest.approx([0.1])


def test_table_and_figure(tmp_path):
    curves = {
        "random": {0: {2: 9.0, 4: 7.0, 5: 5.0}, 1: {2: 9.0, 4: 7.0, 5: 6.0}},
        "order": {0: {2: 9.0, 4: 5.0, 5: 4.0}},
    }
    every = found(curves)
    text = write_report(every, 10, tmp_path)
    assert "| random | 2 | 9.000 ± 0.000 | 7.000 ± 0.000 | 5.500 ± 0.707 |  | 5 (100% of the budget) |" in text
    assert "| order | 1 | 9.000 | 5.000 | 4.000 | +1.500 (1 of 1 seeds) | 4 (80% of the budget) |" in text
    assert "2 (20%)" in text
    rows = list(csv.DictReader((tmp_path / "results.csv").open()))
    assert rows[0] == {"acquirer": "random", "seed": "0", "labels": "2", "share": "0.2", "counting.mae": "9.0"}
    assert len(rows) == 9
    draw(every, 10, "title", tmp_path / "figure.png")
    picture = np.asarray(Image.open(tmp_path / "figure.png").convert("RGB"))
    white = (picture == 255).all(axis=-1)
    assert 0.5 < white.mean() < 0.99


def test_small_shares_are_not_rounded_away(tmp_path):
    assert "| 2 (0.5%) | 4 (1.0%) | 5 (1.2%) |" in write_report(
        found({"random": {0: {2: 9.0, 4: 7.0, 5: 5.0}}}), 400, tmp_path
    )


def test_nothing_is_reported_before_a_seed_is_done(tmp_path):
    assert write_report(found({}), 10, tmp_path) == "no acquirer has finished a seed yet"


def test_acquirers_on_the_command_line():
    assert read_acquirer("coreset") == ("coreset", {"use": "coreset"})
    assert read_acquirer("wide={use: random}") == ("wide", {"use": "random"})
    with pytest.raises(ValueError, match="expected NAME"):
        read_acquirer("wide=[1]")


def test_another_plan_does_not_go_on(tmp_path):
    plan().keep(tmp_path)
    plan(seeds=(0, 1, 2), acquirers={"random": {"use": "random"}}).keep(tmp_path)
    with pytest.raises(ValueError, match="another experiment"):
        plan(step=3).keep(tmp_path)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two acquirers, one seed."""
    out = tmp_path_factory.mktemp("experiment")
    small = plan(seeds=(0,), budget=4)
    assert write_truth(small, out) == 7
    for name in small.acquirers:
        Chain(small, out, name, 0, 1).run()
    return small, out


def test_truth_is_what_the_recipe_learns_from(done):
    _, out = done
    rows = list(csv.DictReader((out / LABELS).open()))
    names = sorted(path.name for path in (out / IMAGES).iterdir())
    assert len(names) == 7
    assert {row["path"] for row in rows} == set(names)


def test_acquirers_share_the_first_labels_and_then_choose_for_themselves(done):
    small, out = done
    labeled = {}
    for name in small.acquirers:
        pool = Pool(out / name / "seed0")
        rows = pool.rows(state="labeled")
        labeled[name] = {number: {row.path for row in rows if row.round == number} for number in (1, 2)}
        assert {number: len(paths) for number, paths in labeled[name].items()} == {1: 2, 2: 2}
        truth = [tuple(row) for row in csv.reader((out / LABELS).open())][1:]
        for row in rows:
            mine = [[float(x), float(y)] for path, x, y in truth if path == row.path and x]
            assert np.allclose(json.loads(row.label), mine, atol=0.01)
        assert pool.rounds()[2].by.startswith(small.acquirers[name]["use"])
    assert labeled["random"][1] == labeled["order"][1]


def test_metrics_are_those_of_the_runs(done):
    small, out = done
    every = read(small, out, -1.0)
    for name in small.acquirers:
        curve = every.curves[name][0]
        assert set(curve) == {2, 4}
        run = Pool(out / name / "seed0").rounds()[2].trained
        metrics = json.loads((out.joinpath(run) / "evaluation/after_training/metrics.json").read_text())
        assert curve[4] == metrics["counting"]["metrics"]["mae"]
    with pytest.raises(ValueError, match=r"the recipe measures .*counting\.mae"):
        read(dataclasses.replace(small, metric="counting.no"), out, -1.0)


def test_what_is_there_is_not_done_again_and_a_lost_end_is_found(done, tmp_path):
    small, out = done
    again = tmp_path / "again"
    shutil.copytree(out, again)
    finished = again / "random" / "seed0" / FINISHED / "4.json"
    before = finished.read_text()
    finished.unlink()
    Chain(small, again, "random", 0, 1).run()
    assert finished.read_text() == before
    assert len(Pool(again / "random" / "seed0").rounds()) == 3


def test_a_run_that_was_stopped_halfway_is_done_again(done, tmp_path):
    small, out = done
    again = tmp_path / "again"
    shutil.copytree(out, again)
    place = again / "random" / "seed0"
    (place / "runs" / "009" / "checkpoints").mkdir(parents=True)
    (place / "labels" / "009").mkdir()
    Chain(dataclasses.replace(small, budget=6), again, "random", 0, 1).run()
    assert not (place / "runs" / "009").exists()
    assert not (place / "labels" / "009").exists()
    assert len(Pool(place).rows(state="labeled")) == 6


@pytest.mark.parametrize("wrong", [{"start": 5}, {"step": 0}, {"start": 0}, {"patches": (0, 1)}])
def test_a_plan_in_which_nothing_is_chosen(wrong):
    with pytest.raises(ValueError, match="--start"):
        plan(**wrong)


def test_the_budget_must_be_there(tmp_path):
    with pytest.raises(ValueError, match="a pool of only 7 images"):
        write_truth(plan(budget=8), tmp_path)
    with pytest.raises(ValueError, match="learns from no labels"):
        write_truth(plan(recipe="s2r2_folder", overrides=(f"data.photos.root={tmp_path}",)), tmp_path)
    with pytest.raises(UserError):
        write_truth(plan(recipe="no_such_recipe"), tmp_path)


def test_patches_hold_the_points_that_lie_in_them(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert write_truth(plan(), whole) == 7
    assert write_truth(plan(patches=(32, 9), budget=63), cut) == 63
    every, parts = truth(whole), truth(cut)
    image = np.asarray(Image.open(whole / IMAGES / "00003.png"))
    corners = {}
    for number in range(9):
        name = f"00003_{number}.png"
        patch = np.asarray(Image.open(cut / IMAGES / name))
        assert patch.shape == (32, 32, 3)
        (corner,) = [
            (x, y)
            for x in range(0, image.shape[1] - 31, 32)
            for y in range(0, image.shape[0] - 31, 32)
            if (image[y : y + 32, x : x + 32] == patch).all()
        ]
        corners[corner] = name
        inside = [
            (px - corner[0], py - corner[1])
            for px, py in every["00003.png"]
            if corner[0] <= px < corner[0] + 32 and corner[1] <= py < corner[1] + 32
        ]
        assert np.allclose(sorted(parts[name]), sorted(inside))
    assert len(corners) == 9
    with pytest.raises(ValueError, match=r"--patches 32 999: an image of .* pixels has only \d+ such squares"):
        write_truth(plan(patches=(32, 999)), tmp_path / "many")
    scored = plan(
        recipe="quality_quickstart",
        overrides=("data.labeled.per_photo=1", "data.labeled.labels=null"),
        patches=(32, 1),
        budget=3,
    )
    with pytest.raises(ValueError, match="is not known of parts of them"):
        write_truth(scored, tmp_path / "scored")


def truth(out):
    """Path -> its points."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in csv.DictReader((out / LABELS).open()):
        points.setdefault(row["path"], []).extend([(float(row["x"]), float(row["y"]))] if row["x"] else [])
    return points


PARENT = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
sys.path.insert(0, "{tools}")
from simulate_labeling import end_with_parent
if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=end_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 600).result()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_worker_ends_with_the_tool_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(tools=Path(simulate_labeling.__file__).parent))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.kill()
        parent.wait()
        begun = time.monotonic()
        while alive(worker) and time.monotonic() - begun < 60:
            time.sleep(0.05)
        assert not alive(worker)


def alive(process):
    """Whether it runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_wrong_use_of_the_command_is_one_sentence(load_tool, tmp_path, monkeypatch, capsys):
    tool = load_tool("simulate_labeling")
    monkeypatch.setattr(
        "sys.argv", ["simulate_labeling.py", "counting_quickstart", "--out", str(tmp_path), "--metric", "no.mae"]
    )
    assert tool.main() == 2
    assert "the recipe has the evaluators counting" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "overlays"),
    [
        ("tools/labeling_study/cells.yaml", []),
        ("tools/labeling_study/cells.yaml", ["tools/labeling_study/cells_ranked.yaml"]),
        ("tools/labeling_study/quality.yaml", []),
        ("quality_quickstart_ranking", ["tools/labeling_study/quality_ranked.yaml"]),
    ],
)
def test_the_recipes_of_the_experiments_are_fine(recipe, overlays, monkeypatch):
    monkeypatch.chdir(Path(simulate_labeling.__file__).parents[1])
    loaded = rankhub.load_recipe(recipe, overlays=overlays)
    assert len(loaded.recipe.phases) == 1
