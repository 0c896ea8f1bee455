"""CSIQ's workbook and text file."""

from __future__ import annotations

import sys

import pytest

from rankhub.interfaces.errors import UserError
from rankhub_quality.data.csiq import Csiq

FILES = ["awgn/1600.AWGN.1.png", "jpeg2000/1600.jpeg2000.2.png", "blur/lady.BLUR.5.png", "contrast/lady.contrast.3.png"]
HEADER = [None, None, None, "image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]
SHEET = [
    [None, None, None, 1600, 1, "noise", 1, 0.01, 0.062],
    [None, None, None, 1600.0, 3, "jpeg 2000", 2, 0.01, 0.2],
    [None, None, None, "lady", 5, "blur", 5, 0.01, 1],
    [None, None, None, "lady", 6, "contrast", 3, 0.01, 0],
]


@pytest.fixture
def root(draw, monkeypatch):
    monkeypatch.setattr(Csiq, "images", len(FILES))
    monkeypatch.setattr(Csiq, "references", 2)
    return draw(*(f"dst_imgs/{name}" for name in FILES))


def write_text(root, lines):
    (root / "csiq_label.txt").write_text("\n".join(lines) + "\n")


def write_workbook(root, rows, header=HEADER, sheet="all_by_image"):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "notes"
    page = book.create_sheet(sheet)
    for row in ([None], ["CSIQ"], [None], header, *rows):
        page.append(row)
    book.save(root / "csiq.DMOS.xlsx")


def check(data):
    assert data.facts("path") == [f"dst_imgs/{name}" for name in FILES]
    assert data.labels().tolist() == [-0.062, -0.2, -1.0, 0.0]
    assert data.facts("reference") == ["1600", "1600", "lady", "lady"]
    assert data.facts("kind") == ["awgn", "jpeg2000", "blur", "contrast"]


def test_the_text_file(root, opened):
    scores = (0.062, 0.2, 1.0, 0)
    write_text(root, [f"{name.partition('/')[2]} {score}" for name, score in zip(FILES, scores, strict=True)])
    check(opened(Csiq(root=str(root)))[0])


def test_another_number_of_references_is_refused(root, opened):
    write_text(root, [f"{name.partition('/')[2].replace('1600.j', 'l600.j')} 0.5" for name in FILES])
    with pytest.raises(UserError, match="the images have 3 references where 2 are expected"):
        opened(Csiq(root=str(root)))


def test_the_workbook(root, opened):
    write_workbook(root, SHEET)
    check(opened(Csiq(root=str(root)))[0])


def test_without_openpyxl_a_sentence_says_what_to_install(root, opened, monkeypatch):
    write_workbook(root, SHEET)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UserError, match=r"`pip install openpyxl`, or put csiq_label.txt beside it"):
        opened(Csiq(root=str(root)))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["1600.AWGN.1.png"], "line 1: a line takes a file name and its score"),
        (["1600.AWGM.1.png 0.5"], "line 1: a line takes"),
        (["1600.AWGN.1.png 0.5"], "`rows` has 1 where 4 images are expected"),
        (["1600.AWGN.1.png x"], r"`dmos` is no number on line 1 \('x'\)"),
    ],
)
def test_a_wrong_text_file_is_one_sentence(root, opened, lines, said):
    write_text(root, lines)
    with pytest.raises(UserError, match=said):
        opened(Csiq(root=str(root)))


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ({"rows": SHEET, "sheet": "by_type"}, "has no sheet all_by_image, only notes, by_type"),
        ({"rows": SHEET, "header": [*HEADER[:8], "mos"]}, "no line that names the columns image, dst_type"),
        ({"rows": [[None, None, None, 1600, 1, "snow", 1, 0.01, 0.062]]}, "line 5: snow is no type of distortion"),
        ({"rows": [[*SHEET[0][:8], 1.5], *SHEET[1:]]}, r"one score is outside 0 to 1: 1.5 \(line 5\)"),
        ({"rows": [[*SHEET[0][:8], None], *SHEET[1:]]}, r"`dmos` is no number on line 5 \(empty\)"),
    ],
)
def test_a_wrong_workbook_is_one_sentence(root, opened, sheet, said):
    write_workbook(root, **sheet)
    with pytest.raises(UserError, match=said):
        opened(Csiq(root=str(root)))


def test_a_file_that_is_no_workbook(root, opened):
    pytest.importorskip("openpyxl")
    (root / "csiq.DMOS.xlsx").write_text("<html>")
    with pytest.raises(UserError, match="is no Excel workbook"):
        opened(Csiq(root=str(root)))


def test_what_is_missing_is_said(root):
    assert f"CSIQ is not in {root} (no csiq.DMOS.xlsx);" in Csiq(root=str(root)).missing()
