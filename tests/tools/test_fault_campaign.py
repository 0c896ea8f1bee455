"""The oracles of the campaign notice what they are there for; CI runs a part of the campaign itself."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TOOL = Path(__file__).parents[2] / "tools/fault_campaign.py"


@pytest.fixture
def kinds(load_tool):
    load_tool("fault_campaign")
    import fault_kinds

    return fault_kinds


@pytest.mark.parametrize(
    ("code", "err", "codes", "wrong"),
    [
        (0, "", (0,), None),
        (2, "error: labels.csv, line 3: no number; mend it\n", (2,), None),
        (2, "error: it cannot be used:\n  line 1: a\n  line 2: b\n2 errors in it\n", (2,), None),
        (2, "error: it cannot be read\nDo this in one of two ways\n", (2,), "not one sentence"),
        (2, "error: re-run with `weights_only` set to False\n", (2,), "not one sentence"),
        (2, "", (2,), "not one sentence"),
        (0, "", (2,), "exit 0 in place of 2"),
        (-15, "", (143,), "exit -15 in place of 143"),
        (1, "Traceback (most recent call last):\nValueError: x\n", (0, 1, 2), "a traceback: .*ValueError: x"),
    ],
)
def test_how_a_command_ends_is_judged(kinds, code, err, codes, wrong):
    found = kinds.child.CommandEnd(code, "", err, 0.0).wrong(*codes)
    assert found is None if wrong is None else re.match(wrong, found)


def write_run(folder, weights=b"w", metrics=((1, 0.5), (2, 0.25)), table=b"t"):
    (folder / "run/checkpoints/step_000000002").mkdir(parents=True)
    (folder / "run/checkpoints/step_000000002/model.safetensors").write_bytes(weights)
    lines = [json.dumps({"step": step, "loss": loss, "views_per_s": random.random()}) for step, loss in metrics]
    (folder / "run/metrics.jsonl").write_text("\n".join(lines))
    (folder / "run/results.csv").write_bytes(table)
    return folder


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, None),
        ({"weights": b"v"}, "OTHER WEIGHTS: step_000000002/model.safetensors"),
        ({"metrics": ((1, 0.5), (2, 0.26))}, "OTHER METRICS"),
        ({"metrics": ((1, 0.5),)}, "OTHER METRICS: 1 lines in place of 2"),
        ({"table": b"u"}, "ANOTHER TABLE"),
    ],
)
def test_another_result_is_noticed(kinds, tmp_path, changed, wrong):
    made = kinds.world.World(tmp_path, result=kinds.world.result_of(write_run(tmp_path / "one")))
    found = kinds.world.differs(made, write_run(tmp_path / "other", **changed))
    assert found is None if wrong is None else found.startswith(wrong)


def test_a_result_that_is_not_there_is_noticed(kinds, tmp_path):
    made = kinds.world.World(tmp_path, result=kinds.world.result_of(write_run(tmp_path / "one")))
    (tmp_path / "one/run/results.csv").unlink()
    assert "said it was done" in kinds.world.differs(made, tmp_path / "one")


def test_other_pixels_are_noticed(kinds):
    seen = np.random.default_rng(0).uniform(0, 255, (5, 7, 3))
    alike = kinds.pictures._alike
    assert alike(seen + 1, seen, 1.5, True)
    assert not alike(seen + 2, seen, 1.5, True)
    assert not alike(seen[:, ::-1], seen, 1.5, True)
    assert not alike(seen.swapaxes(0, 1), seen, 1.5, True)
    assert alike(seen, seen * 16, 1.5, False), "values without an agreed range, in their order"
    assert not alike(seen * 0, seen * 16, 1.5, False), "black"
    assert not alike(255 - seen, seen * 16, 1.5, False), "inverted"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("seed", range(60))
def test_the_images_are_what_their_bands_show(kinds, seed):
    draw = random.Random(seed)
    made = draw.choice([kinds.pictures._png, kinds.pictures._pnm, kinds.pictures._tiff, kinds.pictures._saved])(draw)
    others = kinds.pictures._references(made.content)
    assert others, made.what
    alike = kinds.pictures._alike
    if "extrasamples" not in made.what:  # of which the references leave out what is transparent
        assert any(
            alike(made.seen, other, max(made.near, 3), agreed) for other in others for agreed in (True, False)
        ), made.what


@pytest.mark.parametrize(
    ("found", "due", "said", "holds"),
    [
        ({"a": 1.0, "b": 2.0}, "same", "", True),
        ({"a": 1.0, "b": 2.5}, "same", "", False),
        ({"a": 1.0}, "same", "", False),
        ({"a": 1.0}, "either", "b is not there", True),
        ({"a": 1.0}, "either", "", False),
        ({"a": 1.0, "b": 2.0}, "refused", "", False),
        ({"a": 1.0}, "refused", "b is not there", True),
        ({"a": 1.0, "b": 2.5}, "cut", "", True),
        ({"a": 1.5, "b": 2.5}, "cut", "", False),
        ({"a": 1.0, "c": 2.0}, "cut", "", False),
    ],
)
def test_other_values_of_a_table_are_noticed(kinds, found, due, said, holds):
    sheet = kinds.tables.TableFile("scores", [], [], {"a": 1.0, "b": 2.0}, ",", "\n", "utf-8")
    assert (kinds.tables._against(sheet, found, due, said) is None) == holds


def test_a_part_has_some_of_each_kind_and_what_was_cut_short_is_tried_again(load_tool, tmp_path):
    tool = load_tool("fault_campaign")
    first = list(tool.in_turn({"a": 4, "b": 2}))[:4]
    assert first == [("a", 0), ("b", 0), ("a", 1), ("a", 2)]
    line = json.dumps({"kind": "a", "number": 0, "seed": 0})
    other = json.dumps({"kind": "a", "number": 1, "seed": 1})
    (tmp_path / "outcomes.jsonl").write_text(f'{line}\n{other}\n{{"kind": "a", "num')
    assert list(tool.recorded(tmp_path / "outcomes.jsonl", 0)) == [("a", 0)]


def test_a_campaign_goes_on_and_counts(tmp_path):
    command = [sys.executable, str(TOOL), "--out", str(tmp_path), "--kind", "tables", "--jobs", "1", "--count"]
    for count in ("2", "3"):
        done = subprocess.run([*command, count], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len((tmp_path / "outcomes.jsonl").read_text().splitlines()) == int(count)
    assert (tmp_path / "counts.csv").read_text().splitlines()[1].startswith("tables,3,3,0,")
