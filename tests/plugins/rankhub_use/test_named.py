"""Sequences of images that are made when they are asked for: the same as the list of all."""

from __future__ import annotations

import pickle
import random

import numpy as np
import pytest

import rankhub
from rankhub import UserError
from rankhub_use import named, placed
from rankhub_use.growing import sources_of
from rankhub_use.named import ChosenFiles, Joined, NamedFile, PlacedFiles, one_place
from rankhub_use.placed import Places, _ByName
from rankhub_use.places import ImagePlace, ImageSource
from rankhub_use.sources import located_files


class Shelf(ImagePlace):
    """A place without images."""

    def __init__(self, uri, count, version="1"):
        self.uri, self.version, self.names = uri, version, [f"{number}.png" for number in range(count)]

    def __eq__(self, other):
        return (self.uri, self.version, self.names) == (other.uri, other.version, other.names)

    __hash__ = None

    def read(self, row):
        raise AssertionError("nothing is read")


def loose(*names):
    return [NamedFile(name, f"/photos/{name}") for name in names]


SEQUENCES = {
    "of a place": lambda: PlacedFiles(Shelf("s3://b/a.lance", 9), "a/"),
    "of several": lambda: Joined([loose("x", "y"), PlacedFiles(Shelf("/a", 4)), [], PlacedFiles(Shelf("/b", 3), "b/")]),
    "chosen": lambda: ChosenFiles(PlacedFiles(Shelf("/a", 9)), np.array([7, 1, 1, 3, 0])),
    "none": lambda: Joined([]),
}


@pytest.mark.parametrize("kind", SEQUENCES)
def test_whatever_is_asked_for_is_what_the_list_has(kind, monkeypatch):
    monkeypatch.setattr(named, "_TOGETHER", 2)
    draws, files = random.Random(0), SEQUENCES[kind]()
    every = list(files)
    assert len(files) == len(every)
    for at in range(-len(every), len(every)):
        assert files[at] == every[at]
    for at in (len(every), -len(every) - 1):
        with pytest.raises(IndexError):
            files[at]
    ends = [None, *range(-len(every) - 2, len(every) + 3)]
    for _ in range(300):
        cut = slice(draws.choice(ends), draws.choice(ends), draws.choice([None, 1, 2, -1, -3]))
        assert list(files[cut]) == every[cut], cut
        inner = slice(draws.choice(ends), draws.choice(ends))
        assert list(files[cut][inner]) == every[cut][inner], (cut, inner)
    assert list(pickle.loads(pickle.dumps(files))) == every


def test_the_whole_of_one_place_is_known_as_such():
    place = Shelf("/a", 4)
    assert one_place(PlacedFiles(place, "a/")) is place
    assert one_place(PlacedFiles(place)[:3]) is None
    assert one_place(Joined([PlacedFiles(place), loose("x")])) is None
    assert one_place(list(PlacedFiles(place))) is None


def test_images_by_where_they_are_stand_once_each(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    place = PlacedFiles(Shelf("/a", 3))
    one = [place[1]]
    files = [NamedFile("x", "x"), NamedFile("./x", "./x")]
    here = f"{tmp_path}/x"
    for parts, names in (
        ([place], ["/a/0.png", "/a/1.png", "/a/2.png"]),
        ([files, place, place], [here, "/a/0.png", "/a/1.png", "/a/2.png"]),
        ([one, place, one, files], ["/a/1.png", "/a/0.png", "/a/2.png", here]),
        ([place, one], ["/a/0.png", "/a/1.png", "/a/2.png"]),
    ):
        assert [file.name for file in located_files(Joined(parts))] == names
    assert one_place(located_files(place)) is place.place


def test_what_an_output_is_made_of_is_another_where_a_place_or_its_version_is():
    given = [("/a", "1"), ("/a", "2"), ("/b", "1")]
    found = [sources_of(PlacedFiles(Shelf(uri, 3, version))) for uri, version in given]
    assert len({one["digest"] for one in found}) == 3
    assert [one["places"] for one in found] == [dict([each]) for each in given]
    assert found[0] == sources_of(list(PlacedFiles(Shelf("/a", 3))))
    assert set(sources_of(loose("0.png", "1.png", "2.png"))) == {"count", "digest"}


def test_a_name_is_found_among_those_of_the_same_hash(monkeypatch):
    names = [f"{number}" for number in range(50)]
    monkeypatch.setattr(placed, "hash", lambda name: len(name), raising=False)
    index = _ByName(names)
    assert [index.find(name) for name in names] == list(range(50))
    assert index.find("50") is None
    assert index.find("123") is None


class Drawers(ImageSource):
    """Knows drawers, none of which opens."""

    def __init__(self, owner):
        self.owner, self.tried = owner, 0

    def split(self, text):
        return (text, "") if text.endswith(".drawer") else None

    def open(self, place):
        self.tried += 1
        raise UserError(f"{place} of {self.owner} is stuck")


def test_what_is_wrong_with_a_place_is_found_out_once_and_two_owners_are_refused():
    places, first = Places(), Drawers("one")
    places.sources = {"one/drawers": first}
    for _ in range(2):
        with pytest.raises(UserError, match=r"a\.drawer of one is stuck"):
            places.images("a.drawer", named=True)
    assert first.tried == 1
    assert places.images("a.png", named=True) is None
    places.sources = {"one/drawers": first, "two/drawers": Drawers("two")}
    with pytest.raises(UserError, match="by one/drawers and by two/drawers; switch one plugin off"):
        places.images("a.drawer", named=True)


def test_a_source_that_cannot_be_used_is_warned_of_and_spoils_no_other(monkeypatch, caplog):
    plain = rankhub.build

    def build(kind, spec):
        if kind == "image_source":
            raise UserError("it has lost its key")
        return plain(kind, spec)

    monkeypatch.setattr(rankhub, "build", build)
    assert Places().images("photos", named=True) is None
    assert "the image source rankhub_pack/lance cannot be used: it has lost its key" in caplog.text
