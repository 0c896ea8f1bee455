"""Which jobs a plan has: points, budgets, what they start from, their identity, trials and what those may see."""

from __future__ import annotations

import shutil

import pytest
from helpers import scored_layouts
from helpers.studies import jobs_of, make_cells, write_plan

import rankhub
from rankhub import UserError
from rankhub.interfaces.data import OpenContext
from rankhub_study.records import write_record

WEIGHTS = {"streams.ranked.objectives.margin_ranking.weight": [0.1, 10.0]}


@pytest.fixture
def said(tmp_path, cells):
    """Jobs of the tiny plan, with entries at its top replaced."""

    def make(*overrides, out="out", **changes):
        plan = write_plan(tmp_path, **changes)
        return jobs_of(plan, tmp_path / out, f"data.labeled.root={cells}", *overrides)

    return make


def finish(job, mae=1.0):
    job.folder.mkdir(parents=True, exist_ok=True)
    rows = {"after training": {"counting.mae": mae, "quality.srocc": mae}}
    write_record(job.folder, {"rows": rows, "pairs": {}, "steps": job.steps, "training": 2.0, "seconds": 3.0})


def test_jobs_are_said_seed_by_seed_and_after_what_they_start_from(said):
    jobs = said().said()
    assert [(job.method, dict(job.point)["seed"], job.steps) for job in jobs] == [
        (method, seed, steps)
        for seed in (0, 1)
        for method, steps in (("supervised", 12), ("ranking", 4), ("finetune", 8))
    ]
    assert [job.start.title if job.start else "" for job in jobs] == [
        "",
        "",
        "ranking, seed 0",
        "",
        "",
        "ranking, seed 1",
    ]
    assert f'"run": "{jobs[1].folder}"' in str(jobs[2].changes[-1])
    assert len({job.folder for job in jobs}) == 6


def test_a_method_without_an_axis_has_one_job_and_what_is_skipped_none(said):
    methods = said().plan.model_dump(mode="json", by_alias=True)["methods"]
    methods["ranking"]["axes"] = []
    axes = {"labels": {"path": "data.labeled.labels", "values": [4, 8]}, "seed": [0, 1]}
    jobs = said(
        axes=axes, methods=methods, skip=[{"labels": [8], "seed": 1}, {"method": "supervised", "seed": 0}]
    ).said()
    assert [job.method for job in jobs].count("ranking") == 1
    found = [(job.method, *(label for _, label in job.point)) for job in jobs if job.method != "ranking"]
    assert found == [("finetune", 4, 0), ("finetune", 8, 0), ("supervised", 4, 1), ("finetune", 4, 1)]


def test_two_methods_that_are_the_same_have_a_job_each(said):
    same = {"recipe": "counting_supervised", "sets": ["labels"]}
    jobs = said(methods={"supervised": same, "again": same}, axes={"seed": [0]}).said()
    assert [job.method for job in jobs] == ["supervised", "again"]


def test_data_that_a_plan_adds_can_be_given_on_the_command_line(said, cells):
    overrides = {**said().plan.overrides, "data.more": {"like": "labeled"}}
    jobs = said(f"data.more.root={cells}", overrides=overrides)
    assert jobs.recipes.strangers() == []
    assert jobs.recipes.load("supervised").resolved()["data"]["more"]["root"] == str(cells)


def test_forwards_are_held_equal(said):
    methods = {
        "supervised": {"recipe": "counting_supervised", "sets": ["labels"]},
        "multitask": {"recipe": "counting_multitask", "sets": ["labels", "ranks"]},
        "alternating": {
            "recipe": "counting_alternating",
            "sets": ["labels", "ranks"],
            "overrides": {"mix": {"alternate": 5}},
        },
    }
    by_method = {job.method: job for job in said(methods=methods, budget={"forwards": 800}).said()}
    # 2 images with 2 crops, and 2 with 3.
    assert {name: (job.steps, job.forwards) for name, job in by_method.items()} == {
        "supervised": (200, 800), "multitask": (80, 800), "alternating": (160, 800)
    }  # fmt: skip
    with pytest.raises(UserError, match="method multitask: 12 forwards are no whole number of its steps of 10 views"):
        said(methods=methods, budget={"forwards": 12}).said()


def test_phases_share_a_budget_as_the_recipe_does(said):
    methods = {
        "two": {"recipe": "counting_finetune", "overrides": {"phases.ranking.steps": 30, "phases.finetune.steps": 10}}
    }
    (job, _) = said(methods=methods, baseline="two", budget={"steps": 20}).said()
    assert job.changes[-2:] == ("phases.ranking.steps=15", "phases.finetune.steps=5")


def test_seconds_become_steps_once_the_speed_is_known(said):
    jobs = said(methods={"supervised": {"recipe": "counting_supervised", "sets": ["labels"]}}, budget={"seconds": 60})
    (speed,) = jobs.said()
    assert (speed.kind, speed.steps, len(jobs.waiting())) == ("speed", 30, 2)
    finish(speed)  # 2 s for 30 steps
    assert [job.steps for job in jobs.said()] == [30, 900, 900]


def test_what_a_start_has_spent_is_part_of_the_budget(said):
    with pytest.raises(UserError, match="method finetune: what it starts from has spent its whole budget of 4 steps"):
        said(budget={"steps": 4}).said()


def test_the_identity_is_that_of_recipe_and_data_wherever_they_lie(said, tmp_path):
    copy = tmp_path / "elsewhere"
    make_cells(copy)
    before = [job.identity for job in said().said()]
    assert [job.identity for job in said(f"data.labeled.root={copy}", out="other").said()] == before
    assert [job.identity for job in said("loader.workers=1", "log.every_steps=7").said()] == before
    assert not set(before) & {job.identity for job in said("optimizer.lr=0.5").said()}
    shutil.copyfile(copy / "000dots.png", copy / "001dots.png")
    assert not set(before) & {job.identity for job in said(f"data.labeled.root={copy}").said()}


def test_trials_are_equally_many_the_first_with_the_own_setting_and_the_best_is_taken(said):
    trials = {
        "number": 3,
        "choose": "counting.mae",
        "budget": 0.5,
        "at": {"seed": 7},
        "hold_out": {"data": "labeled", "share": 0.5},
    }
    methods = {
        "supervised": {"recipe": "counting_supervised", "sets": ["labels"]},
        "multitask": {"recipe": "counting_multitask", "sets": ["labels", "ranks"], "search": WEIGHTS},
    }
    jobs = said(methods=methods, trials={**trials, "search": {"optimizer.lr": [0.001, 0.01, 0.1]}})
    tried = jobs.said()
    assert [(job.method, job.kind, job.number, job.steps) for job in tried] == [
        (name, "trial", number, 6) for name in methods for number in range(3)
    ]
    assert {dict(job.point)["seed"] for job in tried} == {7}
    assert tried[0].setting == tried[3].setting == {}
    assert all(job.setting["optimizer.lr"] in (0.01, 0.1) for job in tried[1:3]), "the own one is not tried twice"
    assert all(len(job.setting) == 2 for job in tried[4:])
    assert sorted(jobs.waiting()) == ["multitask"] * 2 + ["supervised"] * 2
    for number, job in enumerate(tried):
        finish(job, mae=[3.0, 2.0, 4.0, 1.0, 2.0, 3.0][number])
    finals = [job for job in jobs.said() if job.kind == "final"]
    assert {job.method: job.setting for job in finals} == {"supervised": tried[1].setting, "multitask": {}}
    assert all(job.steps == 12 for job in finals)


def test_a_failed_trial_is_not_waited_for(said):
    trials = {"number": 2, "choose": "counting.mae", "hold_out": {"data": "labeled"}}
    methods = {"supervised": {"recipe": "counting_supervised", "sets": ["labels"], "search": {"optimizer.lr": [0.1]}}}
    jobs = said(methods=methods, trials=trials)
    first, second = jobs.said()
    finish(second)
    jobs.lost.add(first.folder)
    assert {str(job.setting) for job in jobs.said() if job.kind == "final"} == {"{'optimizer.lr': 0.1}"}


def test_too_small_a_search_is_refused(said):
    trials = {
        "number": 4,
        "choose": "counting.mae",
        "hold_out": {"data": "labeled"},
        "search": {"optimizer.lr": [0.001, 0.1]},
    }
    with pytest.raises(UserError, match="it has 2 different settings to try, and every method gets 4 trials"):
        said(trials=trials).said()


def images_of(data, tmp_path):
    opened = rankhub.build("dataset", data)
    opened.open(OpenContext(tmp_path / "cache", 10**9, lambda done, total, what: None))
    return set(opened.facts("path"))


def test_trials_that_are_nested_never_see_what_their_fold_tests(tmp_path, monkeypatch):
    for attribute, value in scored_layouts.SIZES.items():
        monkeypatch.setattr(attribute, value)
    scored_layouts.scored_csv(tmp_path / "set")
    plan = write_plan(
        tmp_path,
        overrides={
            "data.scored": {
                "use": "scored_csv", "root": "set", "higher_is_better": True, "reference": "reference", "part": "train",
                "folds": 3, "fold": 0,
            },
            "backbone": {"use": "timm", "model": "test_resnet"},
        },
        sets={},
        axes={"fold": {"path": "data.scored.fold", "values": [0, 1, 2]}, "seed": [0, 1]},
        methods={
            "supervised": {"recipe": "quality_supervised"},
            "ranking": {"recipe": "quality_ranking", "search": {}, "budget": {"steps": 4}},
            "finetune": {"recipe": "quality_supervised", "start_from": "ranking"},
        },
        trials={
            "number": 2, "choose": "quality.srocc", "nested": ["fold"], "search": {"optimizer.lr": [0.01]},
            "hold_out": {"data": "scored", "share": 0.5},
        },
        metrics={"quality.srocc": {"folds": "pooled"}},
    )  # fmt: skip
    jobs = jobs_of(plan, tmp_path / "out", f"data.scored.root={tmp_path / 'set'}")
    tried = jobs.said()
    for _ in range(3):  # what starts from a trial is said once that is over
        for job in tried:
            finish(job, mae=float(job.number == dict(job.point)["fold"] % 2))
        tried = [job for job in jobs.said() if job.kind == "trial"]
    assert {job.method for job in tried} == {"supervised", "ranking", "finetune"}
    # Two of the methods, three folds, two settings; of what they start from one trial a fold.
    assert len(tried) == 2 * 3 * 2 + 3
    finals = [job for job in jobs.said() if job.kind == "final" and job.method == "supervised"]
    tested = {
        dict(job.point)["fold"]: images_of(
            jobs.recipes.load("supervised", job.changes).resolved()["data"]["test"], tmp_path
        )
        for job in finals
    }
    assert len(set.union(*tested.values())) == sum(map(len, tested.values()))
    for job in tried:
        loaded = jobs.recipes.load(job.method, [one for one in job.changes if "start_from" not in str(one)])
        seen = {name: images_of(loaded.resolved()["data"][name], tmp_path) for name in ("scored", "test")}
        assert not seen["scored"] & seen["test"]
        assert not (seen["scored"] | seen["test"]) & tested[dict(job.point)["fold"]]
        assert job.start is None or job.start.kind == "trial"
    # Each fold has its own choice.
    assert {dict(job.point)["fold"]: bool(job.setting) for job in finals} == {0: False, 1: True, 2: False}
