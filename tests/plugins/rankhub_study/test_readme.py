"""The plan in the plugin's README runs as it stands."""

from __future__ import annotations

import csv
import re

import pytest
from helpers.commands import call

from rankhub_study.plan import Plan


@pytest.fixture(scope="module")
def readme(repo):
    return (repo / "plugins" / "rankhub_study" / "README.md").read_text()


def test_the_plan_runs(readme, capsys, tmp_path, cells):
    (plan,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(plan)
    out = tmp_path / "out"
    done = call(capsys, "study", tmp_path / "mine.yaml", f"data.labeled.root={cells}", "--out", out, "--only", "seed=0")
    assert done.code == 0, done.out + done.err
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["labels"], row["at"]) for row in rows} == {
        (method, labels, at) for method in ("supervised", "multitask") for labels in "48" for at in ("0", "0.5", "1")
    }


def test_every_key_of_a_plan_is_explained(readme):
    table = readme.partition("## What it writes")[0]
    for key in set(Plan.model_fields) - {"title", "description", "overrides", "overlays"}:
        assert f"`{key}`" in table, key
