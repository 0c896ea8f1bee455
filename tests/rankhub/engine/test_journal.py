"""Every step stands in the metrics once, whatever happened."""

import json
import os

import pytest
from helpers.training import parts_of, read_journal, recipe, train

from rankhub.engine import checkpoint
from rankhub.engine.folder import Journal
from rankhub.interfaces.errors import UserError


def test_lines_after_the_resumed_step_and_a_cut_line_go(tmp_path):
    path = tmp_path / "metrics.jsonl"
    journal = Journal(path, 0)
    for step in range(1, 8):
        journal.write({"step": step, "loss": 1 / step})
    journal.close()
    with path.open("a") as file:
        file.write('{"step": 8, "lo')
    again = Journal(path, 5)
    again.write({"step": 6, "loss": 9.0})
    again.close()
    assert [line["step"] for line in read_journal(path)] == [1, 2, 3, 4, 5, 6]
    assert read_journal(path)[-1]["loss"] == 9.0


def test_a_number_that_is_not_finite_is_null(tmp_path):
    journal = Journal(tmp_path / "m.jsonl", 0)
    journal.write({"step": 1, "loss": float("nan"), "phase": "p"})
    assert json.loads((tmp_path / "m.jsonl").read_text()) == {"step": 1, "loss": None, "phase": "p"}


def test_small_numbers_keep_their_digits(tmp_path):
    journal = Journal(tmp_path / "m.jsonl", 0)
    journal.write({"step": 1, "lr": 1.23456789e-7})
    assert read_journal(tmp_path / "m.jsonl")[0]["lr"] == 1.23456789e-7


def resumed(path, step):
    """The steps that stand in a journal once a run goes on after ``step``, and what is said."""
    journal = Journal(path, step)
    journal.close()
    return [line["step"] for line in read_journal(path)], journal.remarks


def write(path, *lines):
    path.write_bytes(
        b"\n".join(line if isinstance(line, bytes) else json.dumps({"step": line}).encode() for line in lines)
    )


@pytest.mark.parametrize(
    "foreign",
    [b'{"step": 4, "lo', b'{"step": 4', b"\0" * 64, b"\xff\xfe", b"[4]", b'{"loss": 1}', b'{"step": "4"}', b"null",
     b"4", b'{"step": true}', b'{"step": 4.0}', b"[" * 100_000],
)  # fmt: skip
@pytest.mark.parametrize("last", [True, False])
def test_a_foreign_or_torn_line_is_dropped_and_said(tmp_path, foreign, last):
    path = tmp_path / "metrics.jsonl"
    write(path, 1, 2, 3, foreign) if last else write(path, 1, foreign, 2, 3)
    steps, remarks = resumed(path, 3)
    assert steps == [1, 2, 3]
    assert remarks == [f"{path}: what was cut short, or is no line of a run, is dropped"]


def test_steps_are_neither_doubled_nor_missing_unsaid(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, 1, 2, 2, 3, 1, 4, 5)
    assert resumed(path, 4) == ([1, 2, 3, 4], [])
    write(path, 1, 2, 5, 6, 7)
    assert resumed(path, 6) == ([1, 2, 5, 6], [f"{path} lacks 2 of the 6 steps that are done"])
    path.unlink()
    assert resumed(path, 2) == ([], [f"{path} lacks 2 of the 2 steps that are done"])


def test_lines_are_on_the_disk_before_a_checkpoint_counts(tmp_path, monkeypatch):
    """What a loss of power would leave: of the metrics, what was written through; of checkpoints, those in place."""
    path, safe, seen = tmp_path / "metrics.jsonl", [0], []
    sync, write = os.fsync, checkpoint.write

    def fsync(handle):
        sync(handle)
        if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
            safe[0] = len(path.read_bytes())

    def written(folder, state, last=None):
        lines = path.read_bytes()[: safe[0]].decode().splitlines()
        seen.append((state.step, [json.loads(line)["step"] for line in lines]))
        write(folder, state, last)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(checkpoint, "write", written)
    train(parts_of(recipe()), tmp_path)
    assert [step for step, _ in seen] == [4, 5, 8, 10, 12]
    assert all(lines == list(range(1, step + 1)) for step, lines in seen)


def test_a_run_whose_metrics_another_writes_stops(tmp_path):
    path = tmp_path / "metrics.jsonl"
    ours = Journal(path, 0)
    ours.write({"step": 1})
    ours.write_through()
    theirs = Journal(path, 0)
    with pytest.raises(UserError, match=r"metrics\.jsonl is not the file any more that this run began to write"):
        ours.write_through()
    theirs.write_through()
    path.unlink()
    with pytest.raises(UserError, match="it stops"):
        theirs.write_through()
