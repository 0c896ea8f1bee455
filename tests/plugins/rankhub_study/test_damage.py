"""Files of a study that are damaged are one sentence; tables fit a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from rankhub import UserError
from rankhub_console.terminal import Terminal
from rankhub_study.records import RECORD, read_record, write_record
from rankhub_study.results import MANIFEST, Results
from rankhub_study.rounds import ROWS, LabelingJob
from rankhub_study.table import show
from rankhub_study.worker import _add_seconds, beside

DAMAGE = [b"", b"{", b"[]", b"\xff", b"{}", b"null", b'{"rows": NaN}', "folder"]
FULL = {
    "rows": {"a": {"m": float("nan")}},
    "pairs": {"a": {"b": [[1.0, 2.0, 3.0], [1.5, 2.5, 3.5]]}},
    "seconds": 1.0,
    "training": 1.0,
    "steps": 3,
}


def damage(path, content):
    if content == "folder":
        path.mkdir(parents=True)
    else:
        path.write_bytes(content)


@pytest.mark.parametrize("content", DAMAGE)
def test_what_cannot_be_read_says_so_with_a_remedy(tmp_path, content):
    for folder, name, read in (
        ("record", RECORD, read_record),
        ("manifest", MANIFEST, lambda folder: Results.read(None, folder)),
        ("rounds", ROWS, lambda folder: LabelingJob(folder, None, {}, folder, None).rows()),
    ):
        if content in (b"{}", b'{"rows": NaN}') and folder == "rounds":
            continue  # no round is over; a metric may be NaN
        (tmp_path / folder).mkdir()
        damage(tmp_path / folder / name, content)
        if content == "folder" and folder != "rounds":
            continue  # as good as none
        with pytest.raises(UserError, match=name):
            read(tmp_path / folder)


@pytest.mark.parametrize("content", [b"", b"x", b"NaN", "folder"])
def test_the_time_of_earlier_starts(tmp_path, content):
    damage(beside(tmp_path / "job", "seconds.txt"), content)
    with pytest.raises(UserError, match=r"seconds\.txt"):
        _add_seconds(tmp_path / "job", 0.0)


def test_a_sound_record_comes_back(tmp_path):
    write_record(tmp_path, FULL)
    found = read_record(tmp_path)
    assert found is not None
    assert (found["steps"], found["seconds"], str(found["rows"])) == (3, 1.0, str(FULL["rows"]))


@pytest.mark.parametrize("width", [30, 60, 200])
def test_a_table_with_no_room_is_turned_and_nothing_is_cut(width):
    heads = ["labels", "method", "seeds", "a long metric (%)", "Δ a long metric (%)"]
    rows = [["4", "supervised", "3", "1.0 ± 0.1", ""], ["4", "ranking", "3", "2.0 ± 0.2", "+1.0 [+0.5, +1.5]"]]
    lines = ["| " + " | ".join(row) + " |" for row in (heads, ["---"] * 5, *rows)]
    out = io.StringIO()
    show("\n".join(["# Title", "", *lines, "", "A note."]), Terminal(Console(file=out, width=width, soft_wrap=True)))
    text = " ".join(out.getvalue().split())
    for row in rows:
        for cell in row[3:]:
            assert cell in text
    assert "supervised" in text
    assert text.startswith("# Title")
    assert text.endswith("A note.")
    assert ("| labels |" in text) == (width == 200)
