"""A listing that is kept is what a plain one gives, whatever happened to the folder since."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import threading
import time

import pytest
from helpers.listings import told, write

from rankhub_listing import kept
from rankhub_listing.scan import find

TICK = 0.012
"""Seconds after which any file system's clock that tests run on has gone on."""
LATER = 3 * kept.SECOND


@pytest.fixture
def root(tmp_path):
    """Three folders, one of them below another; files of several kinds in them."""
    for name in ("a/1.jpg", "a/2.jpg", "a/notes.txt", "b/c/3.png", "b/4.heic", "b/.hidden.png", "b/c/5.dng"):
        write(tmp_path / "photos" / name)
    return tmp_path / "photos"


NAMES = ("1.jpg", "2.png", "3.tif", "notes.txt", ".hidden.jpg", "raw.dng", "two.words.JPG", "@eaDir")
FOLDERS = ("a", "b", "a b", "a-b", "a.jpg", "é", ".thumbs")


def change(root, draw):
    """One random change of a folder; nothing where it cannot be made."""
    folders = [root, *(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())]
    files = [path for path in root.rglob("*") if path.is_file()]
    inside, what = draw.choice(folders), draw.randrange(11)
    name = inside / draw.choice(NAMES)
    if what <= 2 and not name.exists():
        name.write_text("x")
    elif what == 3 and files:
        draw.choice(files).unlink()
    elif what == 4 and files:
        source = draw.choice(files)
        if not name.exists():
            source.rename(name)
    elif what == 5 and files:
        draw.choice(files).write_text("replaced in its place")
    elif what == 6:
        (inside / draw.choice(FOLDERS)).mkdir(exist_ok=True)
    elif what == 7 and len(folders) > 1:
        shutil.rmtree(draw.choice(folders[1:]))
    elif what == 8 and len(folders) > 1:
        source, target = draw.choice(folders[1:]), inside / draw.choice(FOLDERS)
        if not target.exists() and not target.is_relative_to(source):
            source.rename(target)
    elif what == 9 and not name.exists() and not name.is_symlink():
        name.symlink_to(draw.choice([root, *files, root / "gone.jpg"]))
    elif what == 10 and len(folders) > 2:
        one, other = draw.sample(folders[1:], 2)
        if not one.is_relative_to(other) and not other.is_relative_to(one):
            one.rename(root / "between")
            other.rename(one)
            (root / "between").rename(other)


@pytest.mark.parametrize("seed", range(6))
def test_after_any_changes_it_is_what_a_plain_listing_gives(root, lister, seed):
    draw = random.Random(seed)
    lister.later = LATER
    taken = 0
    for _ in range(25):
        time.sleep(TICK)
        for _ in range(draw.randrange(3)):
            change(root, draw)
        lister.plain = 0
        assert told(lister(root)) == told(find(root))
        taken += lister.plain - lister.read
    assert taken > 10, "folders are taken from what is kept"


def test_only_folders_that_changed_are_read(root, lister):
    lister.later = LATER
    lister(root)
    assert lister.read == 4
    lister(root)
    assert lister.read == 0
    time.sleep(TICK)
    write(root / "b" / "c" / "new.jpg")
    (root / "a" / "1.jpg").write_text("replaced in its place")
    assert list(lister(root).paths) == ["a/1.jpg", "a/2.jpg", "b/c/3.png", "b/c/new.jpg"]
    assert lister.read == 1


def test_a_time_of_modification_that_is_set_back_hides_nothing(root, lister):
    lister.later = LATER
    before = os.stat(root / "a")
    lister(root)
    time.sleep(TICK)
    (root / "a" / "1.jpg").rename(root / "a" / "9.jpg")  # as many entries as before
    os.utime(root / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(lister(root).paths) == ["a/2.jpg", "a/9.jpg", "b/c/3.png"]


def test_a_change_in_the_same_tick_of_a_coarse_clock_is_seen(root, lister, monkeypatch):
    monkeypatch.setattr(kept, "_state", lambda status: (status.st_ino,))  # the clock stands still
    lister(root)
    write(root / "a" / "3.jpg")
    assert "a/3.jpg" in lister(root).paths
    assert lister.read == 4


@pytest.mark.parametrize("later", [-3600 * kept.SECOND, 0, 60 * kept.SECOND])
def test_by_whatever_clock_a_folder_that_was_seen_twice_is_kept(root, lister, monkeypatch, later):
    """The server's clock is an hour ahead, right, or a minute behind: its times alone tell nothing."""
    monkeypatch.setattr(kept, "quiet_time", lambda directory: 86_400 * kept.SECOND)
    lister.later = later
    for moment, read in ((0, 4), (kept.SECOND, 4), (3 * kept.SECOND, 4), (4 * kept.SECOND, 0)):
        lister.later = later + moment
        lister(root)
        assert lister.read == read


def test_nothing_is_kept_where_folders_do_not_tell_of_changes(root, lister, monkeypatch):
    monkeypatch.setattr(kept, "quiet_time", lambda directory: None)
    lister.later = LATER
    lister(root)
    assert lister.files() == []


def test_few_files_are_not_kept(root, lister, monkeypatch):
    lister.later = LATER
    monkeypatch.setattr(kept, "FEW_FILES", 4)
    lister(root)
    assert lister.files() == []
    monkeypatch.setattr(kept, "FEW_FILES", 3)
    monkeypatch.setattr(kept, "FEW_A_FOLDER", 1)  # three images in four folders
    lister(root)
    assert lister.files() == []


def test_a_folder_of_links_or_of_files_told_by_their_content_is_read_anew(root, lister):
    lister.later = LATER
    write(root / "z" / "7.jpg")
    (root / "a" / "link.jpg").symlink_to(root / "b" / "c" / "3.png")
    (root / "b" / "c" / "untold").write_bytes(b"\xff\xd8\xff")
    assert list(lister(root).paths) == ["a/1.jpg", "a/2.jpg", "a/link.jpg", "b/c/3.png", "b/c/untold", "z/7.jpg"]
    (root / "b" / "c" / "3.png").rename(root / "b" / "c" / "6.png")
    (root / "b" / "c" / "untold").write_bytes(b"no image")
    found = lister(root)
    assert (list(found.paths), [one.path for one in found.faults][:1]) == (
        ["a/1.jpg", "a/2.jpg", "b/c/6.png", "z/7.jpg"],
        ["a/link.jpg"],
    )
    assert lister.read == 2


def test_what_is_listed_and_which_formats_are_read_has_its_own_file(root, lister):
    lister.later = LATER
    assert list(lister(root).paths) == ["a/1.jpg", "a/2.jpg", "b/c/3.png"]
    assert list(lister(root, ["b"]).paths) == ["b/c/3.png"]
    assert len(lister.files()) == 2
    lister(root)
    assert lister.read == 0
    other = kept.KeptListing(lister.cache, root, None, ["JPEG"])
    assert other.content("", str(root), os.stat(root)) is None


def _damages(data):
    yield from (
        b"",
        b"rankhub listing ",
        data[:40],
        data[:-1],
        data + b"x",
        b"something else",
        data[:60] + b"\0" + data[61:],
    )
    body = b"7\n[1, 2]\n"
    yield b"rankhub listing " + hashlib.blake2b(body, digest_size=32).digest() + body


def test_a_damaged_or_foreign_file_is_as_good_as_none(root, lister):
    lister.later = LATER
    lister(root)
    (file,) = lister.files()
    whole = file.read_bytes()
    for data in _damages(whole):
        file.write_bytes(data)
        assert told(lister(root)) == told(find(root))
        assert lister.read == 4
        lister(root)
        assert lister.read == 0


def test_a_cache_that_cannot_be_written_is_done_without(root, lister, monkeypatch):
    lister.later = LATER
    lister.cache.write_text("a file in its place")
    assert told(lister(root)) == told(find(root))
    lister.cache.unlink()

    def full(*paths):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept.os, "replace", full)
    assert told(lister(root)) == told(find(root))
    assert lister.files() == []


def test_what_killed_runs_left_is_removed(root, lister):
    lister.later = LATER
    lister.cache.mkdir()
    old, young = lister.cache / "old.part", lister.cache / "young.part"
    old.write_text("")
    young.write_text("")
    os.utime(old, (0, 0))
    lister(root)
    assert young in lister.files()
    assert old not in lister.files()


def test_several_at_once_leave_a_whole_file(root, lister):
    lister.later = LATER
    plain, found = told(find(root)), []

    def work():
        found.extend(told(lister(root)) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    assert all(one == plain for one in found)
    lister(root)
    assert lister.read == 0
    assert len(lister.files()) == 1


def test_nothing_is_written_where_nothing_changed(root, lister):
    lister.later = LATER
    lister(root)
    (file,) = lister.files()
    before = file.stat().st_ino
    lister(root)
    assert file.stat().st_ino == before


def test_a_folder_that_is_closed_or_gone_is_said_as_by_a_plain_listing(root, lister, monkeypatch):
    lister.later = LATER
    lister(root)
    real = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("c"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert told(lister(root)) == told(find(root))
    assert [one.path for one in lister(root).faults] == ["b/4.heic", "b/c"]
    monkeypatch.setattr(os, "scandir", real)
    shutil.rmtree(root)
    with pytest.raises(FileNotFoundError):
        lister(root)
