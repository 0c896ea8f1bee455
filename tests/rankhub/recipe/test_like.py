"""{like: OTHER}."""

from __future__ import annotations

import pytest

from rankhub.recipe.extends import expand_like
from rankhub.recipe.overrides import apply_overrides
from rankhub.recipe.reader import read_yaml

TEXT = """\
data:
  photos: {use: folder, root: here, part: train, deep: {a: 1}}
  rest: {like: photos, part: held_out}
"""


def test_takes_use_and_options_and_keeps_its_own():
    document = read_yaml(TEXT, "f")
    assert expand_like(document) == []
    assert document.data["data"]["rest"] == {"use": "folder", "root": "here", "part": "held_out", "deep": {"a": 1}}
    document.data["data"]["rest"]["deep"]["a"] = 2
    assert document.data["data"]["photos"]["deep"] == {"a": 1}


def test_overrides_come_first():
    document = read_yaml(TEXT, "f")
    apply_overrides(document, ["data.photos.root=there"])
    expand_like(document)
    assert document.data["data"]["rest"]["root"] == "there"


def test_what_is_inherited_is_reported_where_it_is_written():
    document = read_yaml(TEXT, "f")
    expand_like(document)
    assert str(document.problem(("data", "rest", "root"), "bad")) == "f:2  data.photos.root: bad"
    assert str(document.problem(("data", "rest", "deep", "a"), "bad")) == "f:2  data.photos.deep.a: bad"
    assert str(document.problem(("data", "rest", "part"), "bad")) == "f:3  data.rest.part: bad"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{like: phots}", "no data set is called 'phots'; did you mean 'photos'?"),
        ("{like: other}", "'other' is itself like another; name an entry that has `use`; expected one of photos, use"),
        ("{like: rest}", "'rest' is like itself; expected one of photos, use"),
        (
            "{like: photos, use: folder}",
            "`use` and `like` stand together; an entry takes `use` from the one it is like",
        ),
        ("{like: 3}", "got 3; expected the name of another entry under `data:`"),
        ("{like: empty}", "'empty' has no `use` that could be taken over"),
        ("{like: text}", "'text' has no `use` that could be taken over"),
    ],
)
def test_what_cannot_be_followed(entry, said):
    text = "data:\n  photos: {use: a}\n  other: {like: photos}\n  use: {use: b}\n  empty: {}\n  text: x\n"
    text += f"  rest: {entry}\n"
    document = read_yaml(text, "f")
    assert [str(problem) for problem in expand_like(document)] == [f"f:7  data.rest.like: {said}"]


def test_a_circle_is_refused_whatever_its_order():
    document = read_yaml("data:\n  a: {like: b}\n  b: {like: a}\n", "f")
    assert len(expand_like(document)) == 2


def test_a_recipe_without_data_is_not_its_business():
    assert expand_like(read_yaml("name: x\n", "f")) == []
    assert expand_like(read_yaml("data: [1]\n", "f")) == []
