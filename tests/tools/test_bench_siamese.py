"""The benchmark's batches are those of the papers, and what it times side by side computes the same."""

from __future__ import annotations

import json
import mmap
import sys
from dataclasses import replace

import measured
import pytest
import torch
from siamese_benchmark import measuring
from siamese_benchmark.layouts import LAYOUTS, Layout
from siamese_benchmark.measuring import SiameseCase, agreement, gradient, prepared, take_turns
from siamese_benchmark.ways import one_pass, two_branches


def case(layout, **changes):
    return SiameseCase(layout, "test_resnet", "standard", 32, 7, 2, 1, 4.0, **changes)


@pytest.mark.parametrize(
    ("name", "images", "pairs", "theory"), [("live", 48, 240, 10), ("tid", 45, 90, 4), ("counting", 25, 50, 4)]
)
def test_layouts_are_those_of_the_papers_and_the_loss_finds_the_same_pairs(name, images, pairs, theory):
    layout = LAYOUTS[name]
    upper, lower = layout.pairs()
    assert (layout.images, len(upper), layout.theory) == (images, pairs, theory)
    assert len(set(zip(upper.tolist(), lower.tolist(), strict=True))) == pairs
    target = layout.target()
    assert len(target) == images
    assert (target.level[upper] > target.level[lower]).all()
    assert (target.kind[upper] == target.kind[lower]).all()
    across = int((target.index[upper] != target.index[lower]).sum())
    assert across == (120 if name == "live" else 0), "only LIVE's batches hold two photos of one kind of change"
    loss = prepared(case(name)).loss
    assert type(loss).__name__ == "MarginRanking"
    assert int(loss.count(target)) == pairs


def test_in_theory_all_comparable_views_save_all_but_one_pass():
    assert Layout("", 1, 1, 9, {"pairs": "same_image", "margin": 0.0}).theory == 8


@pytest.mark.parametrize("name", LAYOUTS)
def test_both_ways_give_the_gradient_of_one_pair_after_the_other(name):
    small = replace(LAYOUTS[name], kinds=min(2, LAYOUTS[name].kinds), levels=3)
    subject = replace(prepared(case(name)), layout=small)
    subject = replace(subject, images=subject.images[: small.images]).to(torch.float64)
    target, margin = small.target(), small.options["margin"]
    slow, pairs = 0.0, 0
    for a in range(len(target)):
        for b in range(len(target)):
            together = target.index[a] == target.index[b] or small.options["pairs"] == "same_kind"
            if together and target.kind[a] == target.kind[b] and target.level[a] > target.level[b]:
                better, worse = subject.scores(subject.images[[a]]), subject.scores(subject.images[[b]])
                slow, pairs = slow + (margin - (better - worse)).clamp(min=0).sum(), pairs + 1
    (slow / pairs).backward()
    expected = torch.cat([parameter.grad.flatten() for parameter in subject.network.parameters()])
    for way in (one_pass, lambda it: two_branches(it, 4), lambda it: two_branches(it, 10**6)):
        loss, found = gradient(subject, way)
        assert loss == pytest.approx(float(slow.detach()) / pairs, rel=1e-12)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12 * float(expected.abs().max()))


def test_every_part_of_the_network_takes_part_in_the_comparison():
    subject = prepared(case("counting"))
    gradient(subject, one_pass)
    assert all(parameter.grad.any() for parameter in subject.network.parameters() if parameter.ndim > 1)
    assert not subject.network.training


def test_agreement_and_turns():
    subject = prepared(case("counting"))
    found = agreement(case("counting"), subject)
    assert found.difference < 1e-12
    assert found.loss_difference < 1e-12
    assert found.cosine == pytest.approx(1)
    assert 0.1 < found.active < 0.9, "some pairs keep the margin, some do not"
    assert {way: len(each) for way, each in take_turns(case("counting"), subject).items()} == {
        "one_pass": 2,
        "two_branches": 2,
    }


@pytest.fixture
def bench(load_tool, monkeypatch, tmp_path):
    tool = load_tool("bench_siamese")

    def run(*arguments):
        out = tmp_path / "found" / "bench.json"
        monkeypatch.setattr(sys, "argv", ["bench_siamese", "--out", str(out), *arguments])
        tool.main()
        return json.loads(out.read_text())

    run.tool = tool
    return run


TINY = ("--model", "test_resnet", "--side", "32", "--repeats", "1", "--layouts", "counting")


def test_the_tool_as_a_user_runs_it(bench, capsys, monkeypatch):
    def fewer_processes(case, way):
        return 7.0 if (way, case.at_once) == ("two_branches", 12) else measuring.peak_in_a_process(case, way)

    monkeypatch.setattr(bench.tool, "peak_in_a_process", fewer_processes)
    monkeypatch.setenv("COLUMNS", "160")
    (found,) = bench(*TINY).values()
    assert (found["images"], found["pairs"], found["theory"]) == (25, 50, 4)
    assert found["agreement"]["difference"] < 1e-9
    memory = found["peak_mb"]
    assert 0 < memory["one_pass"] < memory["two_branches_all_together"]
    assert memory["two_branches"] == 7, "half the pairs at a time as there are images"
    assert found["times_faster"] > 0
    assert "counting" in capsys.readouterr().out


def test_gradients_that_differ_stop_the_tool(bench, monkeypatch):
    monkeypatch.setattr(bench.tool, "peak_in_a_process", lambda case, way: 1.0)
    monkeypatch.setattr(
        SiameseCase, "way", lambda self, name: lambda it: one_pass(it) if name == "one_pass" else half(it)
    )

    def half(subject):
        return one_pass(replace(subject, images=subject.images.flip(0)))

    with pytest.raises(SystemExit, match="counting: the gradients differ"):
        bench(*TINY)


def test_memory_over_the_limit_is_none_and_other_failures_are_told(monkeypatch):
    def way(message):
        def compute(subject):
            if len(subject.images) > 2:
                raise RuntimeError(message)

        return lambda self, name: compute

    monkeypatch.setattr(measured.resource, "setrlimit", lambda which, limits: None)
    monkeypatch.setattr(SiameseCase, "way", way("not enough memory: you tried to allocate 9 bytes"))
    assert measuring.peak(case("counting"), "one_pass") is None
    monkeypatch.setattr(SiameseCase, "way", way("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        measuring.peak(case("counting"), "one_pass")


def test_what_was_held_before_is_not_counted(monkeypatch):
    before = bytearray(400 * 2**20)  # touched: the high-water mark of this process is now above what comes
    assert measured.status("VmHWM") >= len(before)
    del before
    monkeypatch.setattr(measured.resource, "setrlimit", lambda which, limits: None)

    def way(subject):
        with mmap.mmap(-1, 32 * 2**20) as fresh:  # what malloc gives may be memory that the process holds already
            fresh.write(bytes(len(fresh)))
            assert len(fresh) > len(subject.images)

    monkeypatch.setattr(SiameseCase, "way", lambda self, name: way)
    found = measuring.peak(case("counting"), "one_pass")
    assert 24 < found < 100, "MB, of which 32 are taken"


@pytest.mark.parametrize(
    ("program", "over"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", True),
        ("raise MemoryError", True),
        ("import os, sys; sys.stderr.write('std::bad_alloc'); sys.stderr.flush(); os.abort()", True),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", False),
        ("raise ValueError('shapes differ')", False),
    ],
)
def test_only_a_lack_of_memory_is_over_the_limit(monkeypatch, program, over):
    run = measured.subprocess.run
    monkeypatch.setattr(measured.subprocess, "run", lambda command, **how: run([sys.executable, "-c", program], **how))
    if over:
        assert measuring.peak_in_a_process(case("counting"), "one_pass") is None
    else:
        with pytest.raises(SystemExit, match="measuring the memory of one_pass"):
            measuring.peak_in_a_process(case("counting"), "one_pass")


def test_wrong_options_are_named(bench, capsys):
    with pytest.raises(SystemExit):
        bench("--side", "0")
    assert "at least 1" in capsys.readouterr().err
