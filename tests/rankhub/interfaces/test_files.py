"""Our own files: whole or not there, and damage in one sentence."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, FiniteFloat

from rankhub.interfaces import files
from rankhub.interfaces.errors import UserError


class Shape(BaseModel):
    step: int
    best: FiniteFloat


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "EOF"),
        (b'{"step": 1, "be', "EOF"),
        (b"[1]", "object"),
        (b'{"step": "one", "best": 1}', "step: "),
        (b'{"step": 1}', "best: Field required"),
        (b'{"step": 1, "best": NaN}', "best: Input should be a finite number"),
        (b"\xff\xfe{", "Invalid JSON"),
        (b"\0" * 64, "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (None, "cannot be read: No such file or directory"),
        ("folder", "cannot be read: Is a directory"),
    ],
)
def test_damage_is_one_sentence_with_file_fault_and_remedy(tmp_path, content, said):
    path = tmp_path / "state.json"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as error:
        files.read_json(path, Shape, "remove it")
    sentence = str(error.value)
    assert sentence.startswith(str(path))
    assert said in sentence
    assert sentence.endswith("; remove it")
    assert "\n" not in sentence


def test_what_is_sound_is_read(tmp_path):
    files.write_text(tmp_path / "a.json", json.dumps({"step": 3, "best": 0.5}))
    assert files.read_json(tmp_path / "a.json", Shape, "") == Shape(step=3, best=0.5)


def test_a_file_is_there_whole_or_as_it_was(tmp_path):
    path = tmp_path / "a.csv"
    files.write_text(path, "before")

    def write(error):
        with files.whole(path) as beside:
            beside.write_text("half")
            raise error

    with pytest.raises(UserError, match="No space left on device; make room and try again"):
        write(OSError(28, "No space left on device"))
    assert [found.name for found in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "before"
    with pytest.raises(UserError, match="name another file"):
        files.write_text(tmp_path, "a folder")


@pytest.mark.parametrize("name", ["n" * 255, "ö" * 127, "n" * 240 + ".csv"])
def test_the_longest_names(tmp_path, name):
    files.write_text(tmp_path / name, "text")
    assert [found.name for found in tmp_path.iterdir()] == [name]
