"""Decoding a folder once: in memory, in the cache, shared."""

from __future__ import annotations

import errno
import gc
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rankhub.interfaces.errors import UserError
from rankhub_data import cache as caching
from rankhub_data import reading
from rankhub_data.reading import list_folder, read_folder
from rankhub_listing.formats import learn_formats
from rankhub_listing.scan import Listing

NAMES = [f"{number:02}.png" for number in range(12)]


@pytest.fixture
def root(folder) -> Path:
    """Twelve images; ``03.png`` is broken."""
    path = folder(*NAMES)
    (path / "03.png").write_bytes(b"broken")
    return path


@pytest.fixture
def decoded_files(monkeypatch) -> list[str]:
    """The files that were decoded."""
    seen: list[str] = []
    real = reading._decode_file

    def watch(root, file, resize):
        seen.append(file.path)
        return real(root, file, resize)

    monkeypatch.setattr(reading, "_decode_file", watch)
    return seen


def read(root, context, memory_limit=1 << 30, *, resize=None, keep=False):
    return read_folder(root, list_folder(root, None), resize, context(memory_limit), keep=keep)


def contents(folder) -> list[bytes]:
    return [
        image.numpy().tobytes() for image in map(folder.decoded.images.__getitem__, range(len(folder.decoded.images)))
    ]


def entries(context) -> list[Path]:
    path = context.cache / "image_folder"
    return sorted(path.glob("*/*"))


def test_images_come_in_the_order_of_their_files(root, context):
    folder = read(root, context)
    assert [folder.path_of(i) for i in range(11)] == [name for name in NAMES if name != "03.png"]
    for image in range(11):
        with Image.open(root / folder.path_of(image)) as opened:
            assert (folder.decoded.images[image].numpy() == np.asarray(opened).transpose(2, 0, 1)).all()
    assert [fault.path for fault in folder.faults] == ["03.png"]
    assert (folder.cached, entries(context)) == (None, [])


def test_progress_is_told_from_one_thread_up_to_the_end(root, context):
    read(root, context)
    assert context.calls[-1] == (12, 12, "decoding images")


def test_order_holds_for_many_small_and_large_files(tmp_path, photo, context, monkeypatch):
    monkeypatch.setattr(reading, "_FILES_A_TASK", 3)
    monkeypatch.setattr(reading, "_BYTES_A_TASK", 2000)
    for number in range(40):
        photo(8 + number % 7 * 30, 8, seed=number).save(tmp_path / f"{number:02}.png")
    folder = read(tmp_path, context)
    assert [folder.path_of(i) for i in range(40)] == [f"{number:02}.png" for number in range(40)]
    assert [folder.decoded.images[i].shape[2] for i in range(40)] == [8 + n % 7 * 30 for n in range(40)]


def test_nothing_is_copied_in_memory(root, context):
    images = read(root, context).decoded.images
    assert images[3].data_ptr() == images[3].data_ptr()
    assert images[4].data_ptr() - images[3].data_ptr() == 3 * 24 * 16


@pytest.mark.parametrize("limit", [0, 3 * 24 * 16 * 5])
def test_above_the_limit_the_cache_holds_the_same_images(root, context, limit):
    inside = contents(read(root, context))
    gc.collect()
    folder = read(root, context, limit)
    assert folder.cached == entries(context)[0]
    assert contents(folder) == inside
    assert sorted(path.name for path in folder.cached.iterdir()) == [
        "faults.json",
        "files.npz",
        "index.npz",
        "pixels.bin",
    ]


def test_exactly_the_limit_fits(root, context):
    assert read(root, context, 3 * 24 * 16 * 11).cached is None


def test_mapped_images_may_be_written_to_without_harm(root, context):
    images = read(root, context, 0).decoded.images
    before = images[2].clone()
    images[2].zero_()
    assert (images[2] == before).all()


def test_later_runs_do_not_decode(root, context, decoded_files):
    first = read(root, context, 0)
    kept, facts, faults = contents(first), first.decoded.facts, first.faults
    del first
    gc.collect()
    decoded_files.clear()
    again = read(root, context)  # also where it would fit into memory
    assert decoded_files == []
    assert contents(again) == kept
    assert again.faults == faults
    for name in ("rows", "shapes", "file_digests", "pixel_digests", "remarks"):
        assert (getattr(again.decoded.facts, name) == getattr(facts, name)).all()


def test_keep_writes_the_cache_though_memory_would_do(root, context):
    assert read(root, context, keep=True).cached is not None


def test_parts_of_one_folder_share_what_was_read(root, context, decoded_files):
    first = read(root, context)
    assert read(root, context) is first
    assert len(decoded_files) == 12
    del first
    gc.collect()
    read(root, context)
    assert len(decoded_files) == 24  # nobody held it any longer, so memory was given back


def change_content(root):
    Image.new("RGB", (24, 16)).save(root / "05.png")


def change_time(root):
    os.utime(root / "05.png", ns=(1, 1))


def add_file(root):
    Image.new("RGB", (24, 16)).save(root / "99.png")


def rename_file(root):
    (root / "05.png").rename(root / "98.png")


@pytest.mark.parametrize("change", [change_content, change_time, add_file, rename_file])
def test_a_changed_folder_is_read_anew(root, context, decoded_files, change):
    held = read(root, context, 0)
    decoded_files.clear()
    change(root)
    assert read(root, context, 0) is not held
    assert len(decoded_files) in (12, 13)
    assert len(entries(context)) == 2


def chosen(root, names) -> Listing:
    files = list_folder(root, None).files
    return Listing(files.chosen([list(files.paths).index(name) for name in names]))


@pytest.mark.parametrize("spread", [False, True])
def test_some_images_of_many_that_are_kept_are_taken_from_there(root, context, decoded_files, spread):
    """In another order, with a broken one among them, of equal and of unequal sizes, in this process and in another."""
    if spread:
        for number, name in enumerate(NAMES):
            if name != "03.png":
                Image.effect_noise((16 + number, 24), 60).convert("RGB").save(root / name)
    names = ["07.png", "03.png", "11.png", "00.png"]
    alone = read_folder(root, chosen(root, names), None, context(), keep=False)
    pixels = contents(alone)
    facts = alone.decoded.facts
    del alone
    whole = read(root, context, 0)
    decoded_files.clear()
    part = read_folder(root, chosen(root, names), None, context(0), keep=False)
    assert (decoded_files, part.cached, entries(context)) == ([], whole.cached, [whole.cached])
    assert [part.path_of(image) for image in range(3)] == ["07.png", "11.png", "00.png"]
    assert [fault.path for fault in part.faults] == ["03.png"]
    for name in caching.Facts.__slots__:
        assert (getattr(part.decoded.facts, name) == getattr(facts, name)).all(), name
    assert contents(part) == pixels
    there = pickle.loads(pickle.dumps(part.decoded.images))
    assert [image.numpy().tobytes() for image in there.batch(np.array([2, 0]))] == [pixels[2], pixels[0]]
    assert there.nbytes == sum(map(len, pixels))


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x")])
def test_a_part_of_a_damaged_entry_is_decoded(root, context, decoded_files, damage):
    damage(read(root, context, 0).cached / "files.npz")
    decoded_files.clear()
    read_folder(root, chosen(root, ["01.png"]), None, context(), keep=False)
    assert decoded_files == ["01.png"]


@pytest.mark.parametrize("change", [change_content, change_time])
def test_an_image_that_has_changed_since_is_no_part_of_what_is_kept(root, context, decoded_files, change):
    read(root, context, 0)
    change(root)
    decoded_files.clear()
    read_folder(root, chosen(root, ["04.png", "05.png"]), None, context(), keep=False)
    assert decoded_files == ["04.png", "05.png"]


def test_resize_and_root_are_part_of_the_key(root, context, folder):
    read(root, context, 0)
    read(root, context, 0, resize=8)
    twin = folder(*NAMES, name="twin")
    for name in NAMES:
        stamp = (root / name).stat().st_mtime_ns
        os.utime(twin / name, ns=(stamp, stamp))
    read(twin, context, 0)
    assert len(entries(context)) == 3


@pytest.mark.parametrize("file", ["pixels.bin", "index.npz", "faults.json"])
@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")])
def test_damaged_entry_is_replaced(root, context, file, damage):
    kept = contents(read(root, context, 0))
    gc.collect()
    (entry,) = entries(context)
    damage(entry / file)
    assert contents(read(root, context, 0)) == kept
    assert entries(context) == [entry]
    assert caching.load(entry, root) is not None


def test_killed_run_leaves_no_half_entry(root, context, monkeypatch):
    """A run that dies while decoding: what it wrote is not taken for an entry, and goes away later."""
    real = reading._decode_file

    def dies(root, file, resize):
        if file.path == "09.png":
            raise KeyboardInterrupt
        return real(root, file, resize)

    with monkeypatch.context() as patched:
        patched.setattr(reading, "_decode_file", dies)
        patched.setattr(reading, "_FILES_A_TASK", 1)
        patched.setattr(caching.PartialEntry, "discard", lambda self: None)  # SIGKILL cleans nothing up
        with pytest.raises(KeyboardInterrupt):
            read(root, context, 0)
    (part,) = entries(context)
    assert part.suffix == ".part"
    for path in (part / "pixels.bin", part):
        os.utime(path, (0, 0))
    folder = read(root, context, 0)
    assert len(folder.decoded.images) == 11
    assert entries(context) == [folder.cached]


def test_what_another_run_is_writing_is_left_alone(root, context):
    files = list_folder(root, None).files
    entry = caching.entry_of(context.cache / "image_folder", root, files, None, None, learn_formats())
    other = entry.with_name("0123.abc.part")
    other.mkdir(parents=True)
    (other / "pixels.bin").write_bytes(b"...")
    assert read(root, context, 0).cached == entry
    assert other.exists()


def test_two_runs_at_once(root, context, monkeypatch):
    """Another run publishes the same entry just before this one does."""
    real = caching.PartialEntry.publish

    def late(self, *known):
        rival = caching.PartialEntry(self.entry)
        with rival.open_pixels() as file:
            file.write((self._folder / "pixels.bin").read_bytes())
        real(rival, *known)
        return real(self, *known)

    monkeypatch.setattr(caching.PartialEntry, "publish", late)
    folder = read(root, context, 0)
    assert len(contents(folder)) == 11
    assert entries(context) == [folder.cached]


def test_rename_that_loses_the_race_takes_the_winner(root, context, monkeypatch):
    kept = contents(read(root, context, 0))
    (entry,) = entries(context)
    gc.collect()
    monkeypatch.setattr(reading, "load", lambda *_: None)
    monkeypatch.setattr(caching.shutil, "rmtree", lambda *_, **__: None)  # the winner came just now
    assert contents(read(root, context, 0)) == kept
    assert caching.load(entry, root) is not None


class FullDisk(io.FileIO):
    """A file that takes no byte."""

    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_gives_a_sentence_and_leaves_nothing(root, context, monkeypatch):
    real = caching.PartialEntry.open_pixels

    def open_pixels(self):
        with real(self) as file:
            return FullDisk(file.name, "wb")

    monkeypatch.setattr(caching.PartialEntry, "open_pixels", open_pixels)
    with pytest.raises(UserError, match=r"is full; set loader.cache .* loader.memory_limit_gb"):
        read(root, context, 0)
    assert entries(context) == []


def test_cache_that_cannot_be_made(root, context):
    context.cache.write_text("a file stands here")
    with pytest.raises(UserError, match=r"cannot be written \(Not a directory\)"):
        read(root, context, 0)


def test_errors_of_others_are_not_blamed_on_the_cache(root, context):
    def broken_pipe(*_):
        raise BrokenPipeError(32, "Broken pipe")

    lent = context(0)
    object.__setattr__(lent, "progress", broken_pipe)
    with pytest.raises(BrokenPipeError):
        read_folder(root, list_folder(root, None), None, lent, keep=False)


def closed(monkeypatch, name: str) -> None:
    """The file cannot be opened. (Tests may run as root, who may open anything.)"""

    def opening(path, *rest):
        if str(path).endswith(name):
            raise PermissionError(13, "Permission denied", path)
        return open(path, *rest)

    monkeypatch.setattr(reading, "open", opening, raising=False)


def test_file_without_permission_is_a_fault(root, context, monkeypatch):
    closed(monkeypatch, "05.png")
    folder = read(root, context)
    assert [(f.path, f.kind, f.reason) for f in folder.faults][1] == ("05.png", "unreadable", "permission denied")


def test_permission_that_is_given_later_is_seen_in_spite_of_the_cache(root, context, monkeypatch):
    with monkeypatch.context() as patched:
        closed(patched, "05.png")
        patched.setattr(caching.os, "access", lambda *_: False)
        assert len(read(root, context, 0).decoded.images) == 10
        gc.collect()
        assert len(read(root, context, 0).decoded.images) == 10
    gc.collect()
    assert len(read(root, context, 0).decoded.images) == 11


def test_file_that_vanishes_meanwhile_is_a_fault(root, context, monkeypatch):
    real = reading.scan

    def scan(*given):
        listing = real(*given)
        (root / "07.png").unlink()
        return listing

    monkeypatch.setattr(reading, "scan", scan)
    folder = read(root, context)
    assert ("07.png", "no such file or directory") in [(f.path, f.reason) for f in folder.faults]


def test_warnings_of_pillow_are_kept_quiet(tmp_path, photo, context, recwarn, monkeypatch):
    photo(64, 48).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # a warning from here on, an error at twice as many
    assert len(read(tmp_path, context).decoded.images) == 1
    assert not recwarn.list


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_images_go_to_other_processes(root, context, limit):
    images = read(root, context, limit).decoded.images
    packed = pickle.dumps(images)
    assert (len(packed) < images.nbytes) == (limit == 0)
    assert (pickle.loads(packed)[5] == images[5]).all()
