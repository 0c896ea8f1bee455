from __future__ import annotations

import pytest
from comparison.plan import PlanError, load_plan


def test_the_folder_of_the_data_is_filled_in_everywhere(plan_file, tmp_path):
    plan = load_plan(plan_file, tmp_path / "data")
    assert plan.overrides["data.photos.root"] == f"{tmp_path}/data/train"


def test_crops_count_as_forwards_and_with_their_own_pixels(plan_file, tmp_path):
    late = load_plan(plan_file, tmp_path).methods["late"]
    assert late.forwards_of_step == 16 * 4
    assert late.pixels_of_view(8) == (2 * 64 + 2 * 16) / 4


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("trial_forwards: 256", "trial_forwards: 300", "no multiple of the 64 forwards of a step of many"),
        ("reference: two", "reference: tow", "'tow' is none of the methods: many, two, late"),
        ("trials: 3", "trials: 4", "two has 3 different settings"),
        ("evaluate_every: 4", "evaluate_every: 2", "no multiple of many's 4 views"),
        ("compared: [knn accuracy]", "compared: [mAP]", "mAP is none of the metrics"),
        ("trials: 3", "trails: 3", "trails"),
        ("recipe: many_recipe", "recipe: many.yaml", "recipe of many: there is no file"),
        ("forwards: 1024", "forwards: [", "expected"),
    ],
)
def test_a_plan_that_is_not_fair_or_not_readable_is_refused(plan_file, tmp_path, before, after, said):
    plan_file.write_text(plan_file.read_text().replace(before, after, 1))
    with pytest.raises(PlanError, match=said):
        load_plan(plan_file, tmp_path)


def test_the_plans_that_come_along_can_be_read(repo, tmp_path):
    plans = sorted((repo / "tools" / "comparisons").glob("*.yaml"))
    assert plans
    for path in plans:
        plan = load_plan(path, tmp_path)
        assert plan.trial_forwards < plan.forwards
        assert set(plan.final) & {"evaluate"}


def test_trials_of_the_plans_that_come_along_never_see_the_test_images(repo, tmp_path):
    for path in sorted((repo / "tools" / "comparisons").glob("*.yaml")):
        plan = load_plan(path, tmp_path)
        for name in ("photos", "train", "test"):
            data = plan.trial[f"data.{name}"]
            assert data["part"] == ("held_out" if name == "test" else "train")
            assert "test" not in [data["root"].rpartition("/")[2], *data.get("folders", [])]
            assert data["held_out"] == plan.trial["data.test"]["held_out"]
