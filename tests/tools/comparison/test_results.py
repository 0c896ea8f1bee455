from __future__ import annotations

import json
from pathlib import Path

import pytest
from comparison.jobs import Job
from comparison.results import RunError, is_done, read_final, read_record, write_record


@pytest.fixture
def job(tmp_path) -> Job:
    folder = tmp_path / "final3-abc"
    for row, value in {"raw_pixels": 0.2, "before_training": 0.3, "step_5": 0.4, "after_training": 0.5}.items():
        write(folder / "evaluation" / row / "metrics.json", {"knn": {"metrics": {"accuracy": value}, "notes": []}})
    for step in (5, 10):
        write(folder / "checkpoints" / f"step_{step:09}" / "state.json", {"step": step, "facts": {"views": step * 8}})
    lines = [{"step": 1, "views_per_s": 0.0}, {"step": 5, "views_per_s": 70.0}, {"step": 6}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "recipe.resolved.yaml").write_text("average: {decay: 0.9, use_for: [teacher, evaluate]}\n")
    return Job("m", "final", 3, "recipe", ("a=1",), 80, "", folder)


def write(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def test_a_run_is_read_from_its_folder(job):
    final = read_final(job, "knn accuracy")
    assert final.seed == 3
    assert final.curve == [(0, 0.3), (40, 0.4), (80, 0.5)]
    assert (final.metrics, final.untrained, final.pixels) == (
        {"knn accuracy": 0.5},
        {"knn accuracy": 0.3},
        {"knn accuracy": 0.2},
    )
    assert final.rate == 70.0
    assert final.teacher


def test_a_run_without_a_teacher(job):
    for text in ("average: null\n", "name: x\n", "average: {decay: 0.9, use_for: [evaluate]}\n"):
        (job.folder / "recipe.resolved.yaml").write_text(text)
        assert not read_final(job, "knn accuracy").teacher


def test_a_run_of_another_number_of_forwards_is_no_part_of_the_comparison(job):
    write(job.folder / "checkpoints" / "step_000000010" / "state.json", {"step": 10, "facts": {"views": 79}})
    with pytest.raises(RunError, match="79 encoder forwards, planned were 80"):
        read_final(job, "knn accuracy")


def test_a_run_without_a_checkpoint_is_named(job):
    for path in job.folder.glob("checkpoints/*/state.json"):
        path.unlink()
    with pytest.raises(RunError, match="no checkpoint"):
        read_final(job, "knn accuracy")


def test_a_run_is_there_once_its_record_is(job):
    assert not is_done(job)
    write_record(job, 12.34)
    assert is_done(job)
    assert read_record(job) == {"recipe": "recipe", "overrides": ["a=1"], "forwards": 80, "seconds": 12.3}
