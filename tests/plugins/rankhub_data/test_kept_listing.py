"""Data sets whose folder is listed from what is kept of it."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from PIL import Image

from rankhub_data import reading
from rankhub_data.image_folder import ImageFolder
from rankhub_listing import kept, scan


@pytest.fixture
def listings(monkeypatch):
    """Keeps every listing at once; the roots that were listed."""
    seen, plain, real = [], reading.scan, time.time_ns

    def watch(root, *rest):
        seen.append(root)
        return plain(root, *rest)

    monkeypatch.setattr(reading, "scan", watch)
    monkeypatch.setattr(scan.time, "time_ns", lambda: real() + 3 * kept.SECOND)
    monkeypatch.setattr(kept, "quiet_time", lambda directory: 2 * kept.SECOND)
    monkeypatch.setattr(kept, "FEW_FILES", 1)
    monkeypatch.setattr(kept, "FEW_A_FOLDER", 0)
    return seen


def pixels(root, path):
    with Image.open(root / path) as image:
        return np.asarray(image).transpose(2, 0, 1)


def test_a_file_that_was_replaced_in_its_place_is_decoded_anew(folder, photo, context, listings, monkeypatch):
    root = folder("a/1.png", "a/2.png", "b/3.png")
    data = ImageFolder(root=str(root), cache="always")
    data.open(context())
    assert list((context.cache / "listings").iterdir())
    monkeypatch.setattr(scan, "read_content", lambda entries: pytest.fail("no folder has changed"))
    (root / "a" / "1.png").write_bytes((root / "b" / "3.png").read_bytes())
    again = ImageFolder(root=str(root), cache="always")
    again.open(context())
    assert again.paths() == data.paths() == ["a/1.png", "a/2.png", "b/3.png"]
    for row, path in enumerate(again.paths()):
        assert (again[row].image.numpy() == pixels(root, path)).all()
    assert not (again[0].image == data[0].image).all()


def test_files_that_came_went_and_moved_are_seen(folder, photo, context, listings):
    root = folder("a/1.png", "a/2.png", "b/3.png")
    data = ImageFolder(root=str(root), labels="folder")
    data.open(context())
    time.sleep(0.012)  # the file system's clock goes on
    (root / "a" / "1.png").unlink()
    (root / "b").rename(root / "c")
    photo(seed=9).save(root / "a" / "9.png")
    again = ImageFolder(root=str(root), labels="folder")
    again.open(context())
    assert (again.paths(), again.label.classes) == (["a/2.png", "a/9.png", "c/3.png"], ("a", "c"))


def test_data_sets_that_open_together_list_a_folder_once(folder, context, listings):
    root = folder(*(f"{number:02}.png" for number in range(20)))
    both = context()
    sets = [ImageFolder(root=str(root), part=part, held_out=0.4) for part in ("train", "held_out")]
    for data in sets:
        data.open(both)
    assert sorted([*sets[0].paths(), *sets[1].paths()]) == sorted(path.name for path in root.iterdir())
    assert len(listings) == 1
    ImageFolder(root=str(root), folders=["."]).open(both)
    ImageFolder(root=str(root)).open(context())
    assert len(listings) == 3


def test_anew_keeps_nothing(folder, context, listings):
    root = folder("a.png")
    data = ImageFolder(root=str(root), listing="anew")
    data.open(context())
    assert not (context.cache / "listings").exists()


def test_a_copy_for_a_spawned_worker_serves_the_same(folder, context, listings):
    data = ImageFolder(root=str(folder("a/1.png", "b/2.png")), cache="always")
    data.open(context())
    copy = pickle.loads(pickle.dumps(data))
    assert copy.paths() == data.paths()
    assert [copy[row].path for row in range(2)] == [data[row].path for row in range(2)]
    assert (copy[1].image == data[1].image).all()
