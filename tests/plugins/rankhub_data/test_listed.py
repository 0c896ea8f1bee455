"""Only the images of a folder that a file lists."""

from __future__ import annotations

import re
import unicodedata

import pytest

from rankhub.interfaces.errors import UserError
from rankhub_data.image_folder import ImageFolder


@pytest.fixture
def listed(folder, context, tmp_path):
    """Opens a folder of four images of which a file lists some; gives the data set and its report."""
    root = folder("a.png", "b/x.png", "b/y.png", "é, c.png")
    (root / "b" / "broken.png").write_text("no image")

    def make(text, encoding="utf-8", **options):
        file = tmp_path / "list.csv"
        file.write_bytes(text.encode(encoding))
        data = ImageFolder(root=str(root), listed=str(file), **options)
        assert data.missing() is None
        return data, data.open(context())

    return make


def test_only_what_is_listed_is_served(listed):
    data, report = listed('number,path\n1,b/y.png\n2,"é, c.png"\n')
    assert data.paths() == ["b/y.png", "é, c.png"]
    assert [data[n].path.name for n in range(len(data))] == ["y.png", "é, c.png"]
    assert report.notes[0].startswith("2 images in")
    assert "skipped" not in report.tables  # the broken one is not asked for


@pytest.mark.parametrize(
    "text",
    [
        "path\na.png\na.png\n",
        "\ufeffpath\r\na.png\r\n\r\n",
        "path,x\na.png,\n",
        "path;x\na.png;\n",
        "path\n./a.png\n",
        "path\nA.PNG\n",
        "path\nb\\..\\a.png\n",
        "path\rb/../a.png\r",
    ],
)
def test_ways_to_write_the_list(listed, text):
    assert listed(text)[0].paths() == ["a.png"]


def test_accents_may_be_written_in_one_sign_or_in_two(listed):
    for form in ("NFC", "NFD"):
        assert listed(unicodedata.normalize(form, 'path\n"é, c.png"\n'))[0].paths() == ["é, c.png"]


def test_a_listed_image_that_cannot_be_read_is_skipped_and_said(listed):
    data, report = listed("path\na.png\nb/broken.png\n")
    assert data.paths() == ["a.png"]
    assert [row["path"] for row in report.tables["skipped"]] == ["b/broken.png"]


def test_parts_are_taken_of_what_is_listed(listed):
    text = "path\na.png\nb/x.png\nb/y.png\n"
    parts = [set(listed(text, part=part, held_out=0.5)[0].paths()) for part in ("train", "held_out")]
    assert parts[0] | parts[1] == {"a.png", "b/x.png", "b/y.png"}
    assert not parts[0] & parts[1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "path\nz.png\na.png\nq.png\n",
            "2 of the 3 images that .*list.csv lists are not in .*photos, such as q.png .line 4.;",
        ),
        ("path\n../a.png\n", "1 of the 1 images .* such as ../a.png .line 2.; write paths relative to that folder"),
        ("file\na.png\n", "has no column path; its first line, split at commas, names file"),
        ("", "has no column path"),
        ("path,path\na.png,b/x.png\n", "has more than one column path"),
        ('path,of\na.png,"x\nb/x.png,y\nb/y.png,"z\n', "line 2, column 7: the quotation mark that opens a cell"),
        ("path\n", "list.csv lists no image"),
        ("number,path\n1\n2,z.png\n", "the header has 2 fields, but line 2 has 1"),
        ("number,path\n1,\n", "list.csv: `path` is empty on line 2; name an image or take the row out"),
    ],
)
def test_a_list_that_cannot_be_followed_is_a_sentence(listed, text, sentence):
    with pytest.raises(UserError, match=sentence):
        listed(text)


def test_a_list_that_is_no_text_is_a_sentence(listed):
    with pytest.raises(UserError, match=r"list\.csv is no text in UTF-8 \(line 2, column 1\)"):
        listed("path\né.png\n", encoding="latin-1")


def test_a_list_outside_the_folders_that_are_read_is_a_sentence(listed):
    assert listed("path\nb/x.png\n", folders=["b"])[0].paths() == ["b/x.png"]
    with pytest.raises(UserError, match=r"1 of the 2 images"):
        listed("path\nb/x.png\na.png\n", folders=["b"])


def test_a_list_that_is_not_there_is_missing_before_anything_is_read(folder, tmp_path, monkeypatch):
    root = folder("a.png")
    monkeypatch.chdir(tmp_path)
    missing = ImageFolder(root=str(root), listed="gone.csv").missing()
    assert re.fullmatch(r"there is no file .*/gone\.csv; set `listed` to a CSV file with a column `path`", missing)
    assert ImageFolder(root="nowhere", listed="gone.csv").missing().startswith("there is no folder")
