"""Files, folders, lists and standard input, in one order."""

from __future__ import annotations

import io
import os

import pytest

from rankhub import UserError
from rankhub_use.sources import sources


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder as people have them, and the current directory above it."""
    for name in ("b.png", "a.jpg", "deep/c.png", "deep/.hidden.png", "notes.txt", "deep/a=b.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


INSIDE = ["a.jpg", "b.png", "deep/a=b.png", "deep/c.png"]


def test_the_only_folder_is_listed_by_paths_in_it(folder):
    found = list(sources(["photos"]))
    assert [one.name for one in found] == INSIDE
    assert [one.path for one in found] == [f"photos/{name}" for name in INSIDE]


def test_several_sources_keep_their_order_and_the_paths_that_were_given(folder):
    (folder / "list.txt").write_text("photos/deep\r\n\nno/such.png\nphotos/notes.txt\n")
    found = [one.name for one in sources(["photos/b.png", "-", "photos"], "list.txt", io.BytesIO(b"photos/a.jpg"))]
    below = [f"photos/{name}" for name in INSIDE]
    listed = ["photos/deep/a=b.png", "photos/deep/c.png", "no/such.png", "photos/notes.txt"]
    assert found == ["photos/b.png", "photos/a.jpg", *below, *listed]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\r\nb", ["a", "b"]),
        (b"two\nlines.png\0b\0", ["two\nlines.png", "b"]),
        (b"caf\xe9.png\n", [os.fsdecode(b"caf\xe9.png")]),
        (b" a.png \n\n", [" a.png "]),
        (b"".join(b"%06d\n" % number for number in range(30_000)), [f"{number:06d}" for number in range(30_000)]),
        (b"".join(b"%06d\0" % number for number in range(30_000)), [f"{number:06d}" for number in range(30_000)]),
        (b"", []),
    ],
)
def test_a_list_gives_its_names_whatever_their_bytes(tmp_path, text, names):
    (tmp_path / "list").write_bytes(text)
    assert [one.name for one in sources([], tmp_path / "list")] == names
    assert [one.name for one in sources(["-"], stdin=io.BytesIO(text))] == names


@pytest.mark.parametrize(
    ("paths", "listed", "sentence"),
    [
        ([], None, "name images"),
        (["gone.png"], None, "there is no file or folder gone.png"),
        (["device=cpu"], None, "--set"),
        ([], "gone.txt", "gone.txt cannot be read: no such file"),
        (["-"], None, "no standard input"),
    ],
)
def test_mistakes_are_sentences(folder, paths, listed, sentence):
    with pytest.raises(UserError, match=sentence):
        list(sources(paths, listed))
