"""Images that another entry of the cache holds among others: whatever has become of that entry."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest

from rankhub_data import cache as caching
from rankhub_data.reading import list_folder, read_folder
from rankhub_listing.scan import Listing

NAMES = ["a.png", "b.png", "c.png", "d.png"]


@pytest.fixture
def root(folder):
    return folder(*NAMES)


def read(root, context, rows=None):
    """Images of the folder; those that are not taken from the cache are kept in memory."""
    files = list_folder(root, None).files
    listing = Listing(files if rows is None else files.chosen(rows))
    return read_folder(root, listing, None, context(0 if rows is None else 1 << 30), keep=False)


def contents(folder):
    return [folder.image(image).numpy().tobytes() for image in range(len(folder))]


def shorten(name):
    """What was written lacks the end of a list."""

    def damage(file):
        with np.load(file) as held:
            lists = dict(held)
        np.savez(file, **{**lists, name: lists[name][:1]})

    return damage


def foreign(file):
    """A byte of the archive's directory says a version of another program."""
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 99
    file.write_bytes(content)


DAMAGE = {
    "files.npz": [shorten("mtimes"), shorten("paths"), foreign],
    "index.npz": [shorten("remarks"), shorten("rows"), foreign],
}


@pytest.mark.parametrize(("name", "damage"), [(name, damage) for name, ways in DAMAGE.items() for damage in ways])
def test_a_damaged_entry_is_passed_over(root, context, name, damage):
    """And the entry behind it is taken, as it would be without that one."""
    whole = read(root, context)
    wanted = [contents(whole)[row] for row in (3, 1)]
    damaged = whole.cached.with_name("0")
    damaged.mkdir()
    for file in whole.cached.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    damage(damaged / name)
    part = read(root, context, [3, 1])
    assert contents(part) == wanted
    assert part.cached == whole.cached


def test_an_entry_that_another_run_removes_meanwhile_is_passed_over(root, context, monkeypatch):
    whole = read(root, context)
    wanted = [contents(whole)[row] for row in (3, 1)]
    real = caching.load

    def removed(entry, root):
        found = real(entry, root)
        if found is not None:
            (entry / "pixels.bin").unlink()
        return found

    monkeypatch.setattr(caching, "load", removed)
    part = read(root, context, [3, 1])
    assert (contents(part), part.cached) == (wanted, None)


def test_names_are_no_part_of_other_names(folder, context):
    """An entry holds ``ab.png``, and ``b.png`` is wanted."""
    root = folder("ab.png", "x/b.png")
    read(root, context)
    gc.collect()
    (root / "b.png").write_bytes((root / "ab.png").read_bytes())
    part = read(root, context, [1])
    assert ([part.path_of(0)], part.cached) == (["b.png"], None)


def test_what_a_killed_run_left_of_another_folder_goes_away(root, context):
    left = context.cache / "image_folder" / "of_another" / "0.1.part"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    read(root, context)
    assert not left.exists()
