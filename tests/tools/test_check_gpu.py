"""The checks of a GPU on the CPU: what is right passes, what is wrong is found, and one failure stops no other."""

from __future__ import annotations

import json

import pytest
import torch
from gpu_checks import components, runs
from gpu_checks.findings import Bench, Failed, Skipped, attempt, must
from gpu_checks.wheels import needed

import rankhub_views.colour as colour
from rankhub_s2r2.smooth_ap import SmoothAP


@pytest.fixture
def bench(tmp_path):
    return Bench(torch.device("cpu"), short=True, folder=tmp_path)


def test_golden_values_and_views_pass(bench):
    assert components.golden_losses(bench)["losses"] == 26
    assert components.views_against_cpu(bench)["largest difference of 255"] == 0


def test_a_wrong_loss_is_found(bench, monkeypatch):
    right = SmoothAP.total
    monkeypatch.setattr(SmoothAP, "total", lambda self, *handed: right(self, *handed) * 1.001)
    with pytest.raises(Failed, match="smooth_ap"):
        components.golden_losses(bench)


def test_views_that_differ_from_the_cpus_are_found(bench, monkeypatch):
    calls, right = [], colour.saturation_

    def now_and_then(images, factor, scratch):
        right(images, factor, scratch)
        calls.append(1)
        images.mul_(0.97 if len(calls) == 1 else 1.0)

    monkeypatch.setattr(colour, "CHANGES", (colour.brightness_, colour.contrast_, now_and_then, colour.hue_))
    with pytest.raises(Failed, match="a pixel differs"):
        components.views_against_cpu(bench)


def test_steps_wait_for_nothing(bench):
    assert runs.waits_for_nothing(bench)["watched on"] == "meta"


def test_a_step_that_waits_is_found(bench, monkeypatch):
    right = SmoothAP.total
    monkeypatch.setattr(SmoothAP, "total", lambda self, *handed: right(self, *handed) * float(handed[0].sum() > 0))
    done = attempt("waits", runs.waits_for_nothing, bench)
    assert done.outcome == "failed"
    assert "meta" in done.said


def wrong(bench):
    raise ZeroDivisionError("a kernel")


def absent(bench):
    raise Skipped("not here")


def test_a_failed_check_stops_no_other_and_is_listed(load_tool, tmp_path, monkeypatch, capsys):
    tool = load_tool("check_gpu")
    checks = {
        "golden": wrong,
        "views": absent,
        "waits": lambda bench: must(False, "no"),
        "bf16": lambda bench: {"a": 1},
    }
    monkeypatch.setattr(tool, "CHECKS", checks)
    assert tool.main(["--device", "cpu", "--only", *checks, "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "FAILED golden: ZeroDivisionError: a kernel" in said
    assert "FAILED waits: no" in said
    found = json.loads((tmp_path / "check_gpu.json").read_text())["findings"]
    assert [one["outcome"] for one in found] == ["failed", "skipped", "failed", "passed"]
    lines = (tmp_path / "check_gpu.md").read_text().splitlines()
    assert [line.split(" | ")[1] for line in lines[4:]] == ["failed", "skipped", "failed", "passed"]
    assert tool.main(["--device", "cpu", "--only", "bf16", "--minutes", "-1", "--out", str(tmp_path)]) == 0
    assert "no time was left" in capsys.readouterr().out


def test_wheels_are_what_torch_and_timm_do_not_bring():
    names = {line.partition("==")[0] for line in needed()}
    assert {"pluggy", "pydantic", "pydantic-core"} <= names
    assert not {"torch", "timm", "sympy", "huggingface-hub", "rankhub"} & names
