"""Every plan that comes along fits the recipes that it compares, and says what it changes in them."""

from __future__ import annotations

import re

import pytest
from helpers import counting_layouts

import rankhub
from rankhub_study.changed import changed
from rankhub_study.check import check
from rankhub_study.choice import Jobs
from rankhub_study.plan import read_plan
from rankhub_study.points import labels, narrowed
from rankhub_study.recipes import Recipes
from rankhub_study.verb import find_plan, shipped_plans, task_of

PLANS = shipped_plans()
NO_DATA = {"quality_quickstart", "labeling_quality", "scenes_few_labels", "scenes_settings"}
"""Plans that need nothing that does not come with rankhub."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folders in which data sets find what they look for before they read."""
    root = tmp_path_factory.mktemp("data")
    counting_layouts.ucf_cc_50(root, images=1)
    (root / "labels.csv").write_text("image,reference,distortion,dmos,matched_by\n")
    for name in ("unlabeled", "train"):
        (root / name).mkdir()
    return root


def jobs_of(name, data, tmp_path):
    file = find_plan(name)
    plan, document = read_plan(file)
    # The command that the plan's header gives, with one folder for all.
    (line,) = re.findall(rf"^#   rankhub study {name} ?(.*?)(?: --jobs 1)? --out OUT", file.read_text(), re.MULTILINE)
    overrides = [f"{word.partition('=')[0]}={data}" for word in line.split()]
    assert bool(overrides) != (name in NO_DATA)
    return Jobs(Recipes(plan, document, overrides), tmp_path)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_fits_its_recipes(name, data, tmp_path):
    jobs = jobs_of(name, data, tmp_path)
    check(jobs)
    assert jobs.plan.title
    assert jobs.plan.description
    for method in jobs.plan.methods.values():
        assert not method.recipe.endswith(".yaml"), "plans are over recipes that come along"
    firsts = [f"{axis}={labels(jobs.plan.axis(axis))[0]}" for axis in jobs.plan.axes]
    few = Jobs(Recipes(narrowed(jobs.plan, firsts), jobs.recipes.document, jobs.recipes.extra), tmp_path)
    said = few.said()
    assert {job.method for job in said} == set(jobs.plan.methods), "each method has a job from the start"
    for method in jobs.plan.methods:
        job = next(job for job in said if job.method == method)
        task = task_of(jobs, job)
        rankhub.load_recipe(task.recipe, list(task.overrides), overlays=list(task.overlays), need_data=True)
    text = changed(jobs)
    for method, one in jobs.plan.methods.items():
        assert f"## {jobs.plan.called(method)}: {one.recipe}" in text


def test_plans_stand_beside_the_recipes(repo):
    folder = repo / "recipes" / "studies"
    assert set(PLANS.values()) == set(folder.glob("*/plan.yaml"))
    assert {path.name for path in folder.iterdir()} == set(PLANS)


def test_a_plan_can_be_narrowed(data, tmp_path):
    jobs = jobs_of("cells", data, tmp_path)
    plan = narrowed(jobs.plan, ["seed=0", "labels=4", "labels=8", "method=supervised"])
    few = Jobs(Recipes(plan, jobs.recipes.document, jobs.recipes.extra), tmp_path)
    assert [dict(job.point) for job in few.said()] == [{"labels": 4, "seed": 0}, {"labels": 8, "seed": 0}]
    for wrong, expected in (("seed=9", "seed= one of 0, 1, 2"), ("sed=0", "one of method, labels, seed")):
        with pytest.raises(rankhub.UserError, match=expected):
            narrowed(jobs.plan, [wrong])
