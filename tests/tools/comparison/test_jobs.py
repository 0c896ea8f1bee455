from __future__ import annotations

import dataclasses
import json

from comparison.jobs import Comparison, expected, ordered
from comparison.plan import load_plan

from rankhub import load_recipe


def values(job) -> dict[str, object]:
    return {path: json.loads(value) for path, value in (line.split("=", 1) for line in job.overrides)}


def test_all_methods_do_the_same_number_of_forwards(comparison):
    for name, method in comparison.plan.methods.items():
        for job in (*comparison.trials(name), *comparison.finals(name, {})):
            found = values(job)
            views = found["streams.views.generator"][0]
            of_image = views["views"] + sum(one["views"] for one in views.get("crops", []))
            steps = found["steps"] * found["streams.views.batch_size"] * of_image
            assert steps == job.forwards == {"trial": 256, "final": 1024}[job.kind]
        assert len(comparison.trials(name)) == 3
        assert len(comparison.finals(name, {})) == len(method.seeds)


def test_the_choice_of_a_trial_stands_over_the_method_and_that_over_what_all_share(comparison):
    setting = {"lr": 0.2}
    (job, _) = comparison.finals("many", setting)
    found = values(job)
    assert found["optimizer"] == {"use": "adamw", "lr": 0.1}
    assert found["optimizer.lr"] == 0.2
    paths = list(found)
    assert paths.index("optimizer") < paths.index("optimizer.lr"), "overrides are applied in order"


def test_trials_share_a_seed_and_their_own_data_and_finals_have_the_plans_seeds(comparison):
    trials, finals = comparison.trials("many"), comparison.finals("many", {})
    assert {values(job)["seed"] for job in trials} == {1000}
    assert all(values(job)["data.photos.part"] == "train" for job in trials)
    assert [values(job)["seed"] for job in finals] == [0, 1]
    assert all("data.photos.part" not in values(job) for job in finals)


def test_evaluations_come_after_equal_forwards(comparison):
    assert values(comparison.finals("many", {})[0])["evaluate_every_epochs"] == 1
    assert values(comparison.finals("two", {})[0])["evaluate_every_epochs"] == 2


def test_a_changed_plan_takes_no_old_run_for_its_own(comparison):
    plan = comparison.plan.model_copy(update={"overrides": {**comparison.plan.overrides, "clip_grad": 1.0}})
    other = dataclasses.replace(comparison, plan=plan)
    folders = {job.folder for job in comparison.trials("two")}
    assert folders == {job.folder for job in dataclasses.replace(comparison).trials("two")}
    assert folders.isdisjoint(job.folder for job in other.trials("two"))


def test_the_best_trial_is_chosen_and_of_equals_the_first(comparison):
    settings = comparison.settings("two")
    assert comparison.chosen("two", lambda job: None) is None
    assert comparison.chosen("two", lambda job: 0.5) == settings[0]
    assert comparison.chosen("two", lambda job: {0: 0.1, 1: None, 2: 0.3}[job.number]) == settings[2]


def order(comparison, done) -> list[str]:
    jobs = ordered(comparison, list(comparison.plan.methods), lambda job: 0.5, lambda job: job.folder in done)
    return [f"{job.method} {job.kind}{job.number}" for job in jobs]


def test_final_runs_wait_for_their_trials_and_go_seed_by_seed(comparison):
    trials = [f"{name} trial{n}" for name in ("many", "two") for n in range(3)]
    late = [f"late trial{n}" for n in range(3)]
    assert order(comparison, set()) == [*trials, *late]
    done = {job.folder for name in ("many", "two", "late") for job in comparison.trials(name)}
    finals = ["many final0", "two final0", "many final1", "two final1"]
    speeds = ["many speed0", "two speed0", "late speed0"]
    assert order(comparison, done) == [*trials, *finals, *late, "late final0", *speeds]


def test_what_will_come_is_known_before_it_can_be_said(comparison):
    names = list(comparison.plan.methods)
    trials = {name: comparison.trials(name) for name in names}
    jobs = [job for name in names for job in trials[name]] + comparison.finals("two", {"lr": 0.1})
    later = [f"{job.method} {job.kind}{job.number}" for job in expected(comparison, names, jobs)]
    assert later == ["many final0", "many final1", "many speed0", "two speed0", "late final0", "late speed0"]


def test_every_setting_of_the_plans_that_come_along_makes_a_valid_recipe(repo, tmp_path):
    for path in sorted((repo / "tools" / "comparisons").glob("*.yaml")):
        plan = load_plan(path, tmp_path)
        found = Comparison(plan, path.parent, tmp_path / "out", 1)
        for name, method in plan.methods.items():
            for setting in (*found.settings(name)[:1], *_others(method)):
                job = found.finals(name, setting)[0]
                recipe = load_recipe(job.recipe, job.overrides)
                (stream,) = recipe.resolved()["streams"].values()
                assert [objective["head"] for objective in stream["objectives"]] == ["embedding"]


def _others(method) -> list[dict[str, object]]:
    """Settings with the other choices of what is a whole mapping; their options are checked one by one."""
    first = {name: dimension.choices[0] for name, dimension in method.search.items()}
    return [
        {**first, name: choice}
        for name, dimension in method.search.items()
        for choice in dimension.choices[1:]
        if isinstance(choice, dict)
    ]
