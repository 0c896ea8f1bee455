"""SPAQ's workbook, and the same table as CSV."""

from __future__ import annotations

import pytest

from rankhub.interfaces.errors import UserError
from rankhub_quality.data.spaq import Spaq

ROWS = [["00001.jpg", 52.5, 60], ["00002.jpg", 0, 1]]
HEADER = ["Image name", "MOS", "Brightness"]


@pytest.fixture
def root(draw, monkeypatch):
    monkeypatch.setattr(Spaq, "count", 2)
    root = draw("TestImage/00001.jpg", "TestImage/00002.jpg")
    (root / "Annotations").mkdir()
    return root


def workbook(root, *rows):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (HEADER, *rows):
        book.active.append(row)
    book.save(root / f"{Spaq.table}.xlsx")


def test_the_workbook(root, opened):
    workbook(root, *ROWS)
    data, _ = opened(Spaq(root=str(root)))
    assert data.facts("path") == ["TestImage/00001.jpg", "TestImage/00002.jpg"]
    assert data.labels().tolist() == [52.5, 0]


def test_the_same_as_csv_and_shrunk(root, opened):
    (root / f"{Spaq.table}.csv").write_text("Image name,MOS,Brightness\n00002.jpg,1,5\n00001.jpg,2,5\n")
    data, _ = opened(Spaq(root=str(root)))
    assert data.facts("path") == ["TestImage/00002.jpg", "TestImage/00001.jpg"]
    assert data.resize == 512


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ROWS[0]], "`rows` has 1 where 2 images are expected"),
        ([ROWS[0], ["00002.jpg", None, 1]], r"`MOS` is no number on line 3 \(empty\)"),
        ([ROWS[0], ["00002.jpg", 100.5, 1]], r"outside 0 to 100: 100.5 \(line 3\)"),
        ([ROWS[0], ROWS[0]], r"more than once: TestImage/00001.jpg \(line 2 and line 3\)"),
    ],
)
def test_a_wrong_workbook_is_one_sentence(root, opened, rows, said):
    workbook(root, *rows)
    with pytest.raises(UserError, match=said):
        opened(Spaq(root=str(root)))


def test_what_is_missing_is_said(root):
    assert f"SPAQ is not in {root} (no {Spaq.table}.xlsx);" in Spaq(root=str(root)).missing()
