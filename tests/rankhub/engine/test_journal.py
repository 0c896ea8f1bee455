"""Every step stands in the metrics once, whatever happened."""

import json

from helpers.training import read_journal

from rankhub.engine.folder import Journal


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
