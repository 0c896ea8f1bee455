from __future__ import annotations

import os
import sys
from types import ModuleType

import pytest
from PIL import Image

from rankhub_listing import formats
from rankhub_listing import scan as scanning
from rankhub_listing.formats import FOREIGN, READABLE, learn_formats
from rankhub_listing.scan import scan

learn_formats()


def paths(root, folders=None) -> list[str]:
    return [file.path for file in scan(root, folders).files]


def test_nested_and_flat_in_order(folder):
    root = folder("b.png", "a/z.PNG", "a/b/c/d.png", "a.png")
    assert paths(root) == ["a.png", "a/b/c/d.png", "a/z.PNG", "b.png"]


def test_size_and_time_are_kept(folder):
    root = folder("a.png")
    os.utime(root / "a.png", ns=(5, 12345))
    (file,) = scan(root).files
    assert (file.size, file.mtime, file.ending) == ((root / "a.png").stat().st_size, 12345, ".png")


def test_only_some_folders(folder):
    root = folder("train/a.png", "unlabeled/deep/b.png", "test/c.png", "d.png")
    assert paths(root, ["unlabeled", "train/"]) == ["train/a.png", "unlabeled/deep/b.png"]
    assert paths(root, ["train", "./train", "unlabeled/deep"]) == ["train/a.png", "unlabeled/deep/b.png"]


def test_other_files_are_counted(folder):
    root = folder("a.png")
    for name in ("notes.txt", "labels.csv", "more.csv", "README", "clip.mp4"):
        (root / name).write_text("text")
    listing = scan(root)
    assert listing.ignored == {".csv": 2, ".txt": 1, "": 1, ".mp4": 1}
    assert listing.faults == []


def test_hidden_and_made_by_systems(folder):
    root = folder("a.png", ".hidden.png", "._a.png", ".thumbs/b.png", "__MACOSX/c.png", "deep/@eaDir/a.png/THUMB.png")
    listing = scan(root)
    assert [file.path for file in listing.files] == ["a.png"]
    assert listing.hidden == 5


def test_images_without_an_ending_are_found(folder, photo):
    root = folder("a.png")
    photo(seed=5).save(root / "12345", "JPEG")
    (root / "67890").write_text("no image")
    assert paths(root) == ["12345", "a.png"]


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("x.heic", "pillow-heif"),
        ("x.HEIC", "pillow-heif"),
        ("x.avif", "pillow-avif-plugin"),
        ("x.jxl", "pillow-jxl-plugin"),
        ("x.cr2", "rawpy"),
        ("x.NEF", "rawpy"),
        ("x.dng", "rawpy"),
        ("x.svg", "cairosvg"),
        ("x.exr", "OpenEXR"),
        ("x.dcm", "pydicom"),
        ("x.svs", "openslide-python"),
    ],
)
def test_foreign_formats_name_their_package(folder, monkeypatch, name, package):
    for pillow_id in ("HEIF", "AVIF", "JXL"):
        monkeypatch.delitem(Image.OPEN, pillow_id, raising=False)
    root = folder("a.png")
    (root / name).write_bytes(b"II*\0 would pass for TIFF")
    listing = scan(root)
    assert [file.path for file in listing.files] == ["a.png"]
    (fault,) = listing.faults
    assert (fault.path, fault.kind) == (name, "unsupported")
    assert package in fault.remedy


def test_ending_is_foreign_or_readable_never_both():
    assert not READABLE & FOREIGN.keys()


def test_installed_package_teaches_its_format(folder, monkeypatch):
    """As pillow-heif does; here one that reads nothing but is asked."""
    monkeypatch.setattr(Image, "OPEN", {name: reader for name, reader in Image.OPEN.items() if name != "HEIF"})
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    module = ModuleType("pillow_heif")
    module.register_heif_opener = lambda: Image.register_open("HEIF", lambda *_: None, lambda _: False)
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    root = folder("a.png")
    (root / "b.heic").write_bytes(b"")
    assert "HEIF" in learn_formats()
    assert paths(root) == ["a.png", "b.heic"]
    assert "HEIF" in list(formats.candidates(".heic"))


def test_broken_package_is_as_good_as_none(monkeypatch):
    monkeypatch.setattr(Image, "OPEN", {name: reader for name, reader in Image.OPEN.items() if name != "HEIF"})
    module = ModuleType("pillow_heif")
    module.register_heif_opener = lambda: 1 / 0
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    assert "HEIF" not in learn_formats()


def test_avif_is_read_where_pillow_does(folder, monkeypatch):
    root = folder("a.png")
    (root / "b.avif").write_bytes(b"")
    monkeypatch.setitem(Image.OPEN, "AVIF", (None, None))
    assert paths(root) == ["a.png", "b.avif"]


def test_loops_of_links_end(folder):
    root = folder("a.png", "deep/b.png")
    (root / "deep" / "up").symlink_to(root, target_is_directory=True)
    (root / "self").symlink_to(root / "self")
    listing = scan(root)
    assert [file.path for file in listing.files] == ["a.png", "deep/b.png"]
    assert listing.repeated == 1


def test_links_to_folders_are_followed_once(folder, tmp_path):
    root = folder("z/a.png")
    outside = folder("o.png", "p/q.png", name="outside")
    (root / "first").symlink_to(outside, target_is_directory=True)
    (root / "second").symlink_to(outside, target_is_directory=True)
    (root / "again").symlink_to(root / "z", target_is_directory=True)
    listing = scan(root)
    assert [file.path for file in listing.files] == ["first/o.png", "first/p/q.png", "z/a.png"]
    assert listing.repeated == 2


def test_links_to_files_are_followed_and_dead_ones_listed(folder):
    root = folder("a.png")
    (root / "b.png").symlink_to(root / "a.png")
    (root / "dead.png").symlink_to(root / "gone.png")
    (root / "dead.txt").symlink_to(root / "gone.txt")
    listing = scan(root)
    assert [file.path for file in listing.files] == ["a.png", "b.png"]
    assert [(f.path, f.kind, f.reason) for f in listing.faults] == [
        ("dead.png", "unreadable", "no such file or directory")
    ]


def test_pipes_are_not_opened(folder):
    root = folder("a.png")
    os.mkfifo(root / "pipe.png")
    assert paths(root) == ["a.png"]


def test_folder_that_cannot_be_listed(folder, monkeypatch):
    root = folder("a.png", "closed/b.png")
    real = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(scanning.os, "scandir", scandir)
    listing = scan(root)
    assert [file.path for file in listing.files] == ["a.png"]
    assert [(f.path, f.kind, f.reason) for f in listing.faults] == [("closed", "unreadable", "permission denied")]
    with pytest.raises(PermissionError):
        scan(root / "closed")


def test_names_that_are_no_text(folder, photo):
    root = folder("a.png")
    try:
        photo(seed=9).save(os.fsencode(root) + b"/\xff\xfe.png")
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    assert [os.fsencode(path) for path in paths(root)] == [b"a.png", b"\xff\xfe.png"]
