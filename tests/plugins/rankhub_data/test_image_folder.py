from __future__ import annotations

import gc
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.commands import call
from PIL import Image, PngImagePlugin
from torch.utils.data import DataLoader

from rankhub.interfaces.errors import UserError
from rankhub_data.image_folder import ImageFolder


@pytest.fixture
def open_folder(context):
    """Makes and opens a data set; gives it with its report."""

    def make(root, memory_limit=1 << 30, **options):
        data = ImageFolder(root=str(root), **options)
        assert data.missing() is None
        return data, data.open(context(memory_limit))

    return make


def said(report) -> str:
    return "\n".join(report.notes)


def many(folder, count=60) -> Path:
    return folder(*(f"{number:03}.png" for number in range(count)))


def test_samples(folder, open_folder):
    data, report = open_folder(folder("b/x.png", "a.png"))
    assert len(data) == 2
    sample = data[1]
    assert (sample.index, sample.label, sample.path) == (1, None, data.root / "b" / "x.png")
    with Image.open(sample.path) as opened:
        assert (sample.image.numpy() == np.asarray(opened).transpose(2, 0, 1)).all()
    assert (sample.image.dtype, data.labels(), data.label.kind) == (torch.uint8, None, None)
    assert said(report) == f"2 images in {data.root}, 24 x 16 pixels"
    assert report.tables == {}
    with pytest.raises(IndexError):
        data[2]


def test_mixed_sizes_and_resize(folder, open_folder, photo):
    root = folder("a.png")
    photo(100, 40, seed=1).save(root / "b.jpg")
    photo(30, 90, seed=2).save(root / "c.jpg")
    data, report = open_folder(root)
    assert [tuple(data[i].image.shape[1:]) for i in range(3)] == [(16, 24), (40, 100), (90, 30)]
    assert "from 24 x 16 to 100 x 90 pixels" in said(report)
    data, _ = open_folder(root, resize=20)
    assert [tuple(data[i].image.shape[1:]) for i in range(3)] == [(16, 24), (20, 50), (60, 20)]


def test_relative_root_and_home(folder, open_folder, monkeypatch):
    root = folder("a.png")
    monkeypatch.chdir(root.parent)
    assert open_folder("photos")[0].root == root
    monkeypatch.setenv("HOME", str(root.parent))
    assert open_folder("~/photos")[0].root == root


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_workers_give_the_same_bytes(folder, open_folder, limit):
    data, _ = open_folder(many(folder, 10), limit)

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(data)

        def __getitem__(self, index):
            return data[index].image

    loader = DataLoader(Images(), batch_size=None, num_workers=2, multiprocessing_context="fork")
    assert all((image == data[i].image).all() for i, image in enumerate(loader))


# --- labels ---------------------------------------------------------------------------------------------------------


def test_class_is_the_first_folder(folder, open_folder):
    data, _ = open_folder(folder("dog/1.png", "cat/deep/2.png", "cat/3.png"), labels="folder")
    assert data.label.classes == ("cat", "dog")
    assert data.labels().tolist() == [0, 0, 1]
    assert [data[i].label for i in range(3)] == [0, 0, 1]


def test_kind_of_label_is_known_before_opening():
    assert ImageFolder(root="nowhere", labels="folder").label.kind == "class"
    assert ImageFolder(root="nowhere").label.kind is None


def test_parts_number_their_classes_alike(folder, open_folder):
    root = folder(*(f"{'abcdefgh'[number % 8]}/{number}.png" for number in range(40)))
    train, _ = open_folder(root, labels="folder", part="train", held_out=0.1)
    held, _ = open_folder(root, labels="folder", part="held_out", held_out=0.1)
    assert train.label.classes == held.label.classes == tuple("abcdefgh")
    assert len(held.labels()) == len(held)
    for data in (train, held):
        assert all(data.label.classes[data[i].label] == data[i].path.parent.name for i in range(len(data)))


def test_images_outside_class_folders(folder, open_folder):
    with pytest.raises(UserError, match=r"1 images lie in it directly, such as loose\.png"):
        open_folder(folder("cat/1.png", "loose.png"), labels="folder")


def test_root_one_level_too_high(folder, open_folder):
    with pytest.raises(UserError, match=r"classes of .* would be test, train; .* one level deeper, such as .*/test$"):
        open_folder(folder("train/cat/1.png", "test/cat/2.png"), labels="folder")


def test_wrong_labels_are_seen_before_anything_is_decoded(folder, open_folder, context):
    with pytest.raises(UserError):
        open_folder(folder("cat/1.png", "loose.png"), labels="folder")
    assert context.calls == []


def test_one_class_is_remarked(folder, open_folder):
    _, report = open_folder(folder("cat/1.png", "cat/2.png"), labels="folder")
    assert "all images are of one class, cat" in said(report)


# --- parts and duplicates -------------------------------------------------------------------------------------------


def paths(data) -> set[str]:
    return set(data.paths())


def test_parts_are_disjoint_and_complete(folder, open_folder):
    root = many(folder)
    everything, train, held = (open_folder(root, part=part, held_out=0.3)[0] for part in ("all", "train", "held_out"))
    assert paths(train) | paths(held) == paths(everything)
    assert not paths(train) & paths(held)
    assert 8 <= len(held) <= 28


def test_a_part_depends_on_content_alone(folder, open_folder, tmp_path):
    """Renamed, moved, shrunk, added to: every image stays on its side."""
    root = many(folder)
    held = open_folder(root, part="held_out", held_out=0.3)[0]
    names = paths(held)
    assert paths(open_folder(root, part="held_out", held_out=0.3, resize=8)[0]) == names
    moved = tmp_path / "moved" / "deep"
    moved.mkdir(parents=True)
    for path in root.iterdir():
        shutil.copy(path, moved / f"new{path.name}")
    Image.new("RGB", (20, 20)).save(moved / "added.png")
    again = paths(open_folder(moved.parent, part="held_out", held_out=0.3)[0])
    assert again - {"deep/added.png"} == {f"deep/new{name}" for name in names}
    assert paths(open_folder(root, part="held_out", held_out=0.3, seed=1)[0]) != names


def test_duplicates_are_reported_and_stay_together(folder, open_folder):
    root = many(folder, 30)
    for number in range(30):
        shutil.copy(root / f"{number:03}.png", root / f"copy{number:03}.png")
    tables = {}
    for part in ("train", "held_out"):
        data, report = open_folder(root, part=part, held_out=0.4)
        assert {name.removeprefix("copy") for name in paths(data)} == {n for n in paths(data) if n[0] != "c"}
        tables[part] = report.tables["duplicates"]
        assert f"{len(data) // 2} images are copies of another" in said(report)
    rows = tables["train"] + tables["held_out"]
    assert sorted(row["path"] for row in rows) == [f"copy{number:03}.png" for number in range(30)]
    assert all(row["path"] == f"copy{row['same_as']}" for row in rows)


def test_duplicates_are_of_pixels_not_of_bytes(folder, open_folder, context):
    """Another compression and metadata make no other image; another size of the same pixels does."""
    root = folder("a.png")
    with Image.open(root / "a.png") as image:
        note = PngImagePlugin.PngInfo()
        note.add_text("Comment", "saved again")
        image.save(root / "b.png", pnginfo=note, compress_level=0)
        image.save(root / "c.bmp")
    Image.new("RGB", (4, 6)).save(root / "d.png")
    Image.new("RGB", (6, 4)).save(root / "e.png")
    _, report = open_folder(root)
    assert report.tables["duplicates"] == [{"path": "b.png", "same_as": "a.png"}, {"path": "c.bmp", "same_as": "a.png"}]
    for seed in range(20):
        held = ImageFolder(root=str(root), part="train", held_out=0.5, seed=seed)
        try:
            held.open(context())
        except UserError:
            continue
        assert len(paths(held) & {"a.png", "b.png", "c.bmp"}) in (0, 3)


def test_duplicates_can_be_dropped(folder, open_folder):
    root = many(folder, 5)
    shutil.copy(root / "002.png", root / "zzz.png")
    data, report = open_folder(root, duplicates="drop")
    assert (len(data), "duplicates" in report.tables) == (5, False)
    assert "5 of 6 images" in said(report)


def test_empty_part(folder, open_folder):
    with pytest.raises(UserError, match=r"none of the 1 images in .* falls to part held_out with held_out 0\.01"):
        open_folder(folder("a.png"), part="held_out", held_out=0.01)


def test_parts_are_read_once(folder, open_folder, monkeypatch):
    from rankhub_data import reading

    root = many(folder, 20)
    train, _ = open_folder(root, part="train", held_out=0.3)
    monkeypatch.setattr(reading, "_decode_file", lambda *_: pytest.fail("decoded twice"))
    held, _ = open_folder(root, part="held_out", held_out=0.3)
    assert len(train) + len(held) == 20


# --- what is skipped, and what is said ------------------------------------------------------------------------------


def test_faults_are_skipped_counted_and_listed(folder, open_folder, photo, monkeypatch):
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    monkeypatch.setattr("rankhub_listing.formats.importlib.import_module", lambda name: 1 / 0)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    root = folder("a.png", "deep/b.png")
    photo(400, 300).save(root / "bomb.png")
    photo(64, 64).save(root / "whole.jpg")
    (root / "half.jpg").write_bytes((root / "whole.jpg").read_bytes()[:600])
    (root / "empty.png").touch()
    (root / "phone.heic").write_bytes(b"\0\0\0\x1cftypheic")
    (root / "iphone.jpg").write_bytes(b"\0\0\0\x1cftypheic" + bytes(50))
    (root / "camera.NEF").write_bytes(b"MM\0*")
    data, report = open_folder(root)
    assert sorted(path.name for path in map(Path, data.paths())) == ["a.png", "b.png", "whole.jpg"]
    rows = {row["path"]: row for row in report.tables["skipped"]}
    assert {path: row["kind"] for path, row in rows.items()} == {
        "bomb.png": "too large",
        "camera.NEF": "unsupported",
        "empty.png": "broken",
        "half.jpg": "broken",
        "iphone.jpg": "unsupported",
        "phone.heic": "unsupported",
    }
    assert rows["phone.heic"]["remedy"] == rows["iphone.jpg"]["remedy"] == "pip install pillow-heif"
    assert "6 of 9 images cannot be used and are skipped" in said(report)
    assert "2 x HEIF is not read by Pillow (pip install pillow-heif)" in said(report)
    assert "2 x broken" in said(report)


def test_remarks(folder, open_folder, photo):
    root = folder("a.png")
    photo(seed=1).save(root / "b.gif", save_all=True, append_images=[photo(seed=2)])
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(root / "c.png")
    Image.fromarray(np.full((9, 9), 4000, np.uint16)).save(root / "d.png")
    (root / "notes.txt").touch()
    (root / ".hidden").touch()
    (root / "loop").symlink_to(root, target_is_directory=True)
    _, report = open_folder(root, 0)
    text = said(report)
    assert "1 files have several frames" in text
    assert "1 images are transparent" in text
    assert "1 images of more than 8 bits use less" in text
    assert "no image: 1 .txt" in text
    assert "1 hidden files" in text
    assert "1 links to folders" in text
    assert "decoded images are kept in" in text


def test_names_that_are_no_text_can_be_written(folder, open_folder):
    root = folder("a.png")
    name = os.fsencode(root) + b"/\xff.png"
    try:
        shutil.copy(os.fsencode(root / "a.png"), name)
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    data, report = open_folder(root)
    ((row),) = report.tables["duplicates"]
    assert row == {"path": "\\xff.png", "same_as": "a.png"}
    row["path"].encode("utf-8")
    assert data[1].path.exists()


def test_only_some_folders(folder, open_folder):
    root = folder("train/a.png", "unlabeled/b.png", "test/c.png")
    data, _ = open_folder(root, folders=["train", "unlabeled"])
    assert data.paths() == ["train/a.png", "unlabeled/b.png"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"root": "nowhere"}, r"there is no folder {here}/nowhere; set `root` to your folder"),
        ({"root": "photos/a.png"}, r"{here}/photos/a.png is a file; set `root` to the folder that holds the images"),
        ({"root": "photos.zip"}, r"{here}/photos.zip is a file; .* \(unpack it first\)"),
        (
            {"root": "photos", "folders": ["train"]},
            "`folders` names train, which is not in {here}/photos; it holds no",
        ),
        ({"root": "photos", "folders": ["../photos"]}, "`folders` names folders below `root`"),
        ({"root": "photos", "folders": ["/tmp"]}, "`folders` names folders below `root`"),
    ],
)
def test_what_is_missing(folder, monkeypatch, options, sentence):
    here = folder("a.png").parent
    (here / "photos.zip").touch()
    monkeypatch.chdir(here)
    assert re.match(sentence.format(here=here), ImageFolder(**options).missing())


def test_empty_folder(tmp_path, open_folder):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match=rf"there is nothing in the folder {tmp_path}/photos; set `root`"):
        open_folder(tmp_path / "photos")


def test_folder_without_images(tmp_path, open_folder):
    for name in ("a.txt", "b.txt", "c.csv"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=rf"there is no image in the folder {tmp_path}, only 2 \.txt, 1 \.csv; set"):
        open_folder(tmp_path)


def test_folder_with_an_archive_only(tmp_path, open_folder):
    (tmp_path / "photos.zip").touch()
    with pytest.raises(UserError, match=r"only 1 \.zip; unpack it first"):
        open_folder(tmp_path)


def test_folder_of_foreign_images_only(tmp_path, open_folder):
    for number in range(3):
        (tmp_path / f"{number}.cr2").touch()
    with pytest.raises(UserError, match=r"none of the 3 images in .*, such as 0\.cr2: camera raw is not read .* rawpy"):
        open_folder(tmp_path)


def test_folder_that_cannot_be_listed(tmp_path, open_folder, monkeypatch):
    from rankhub_listing import scan

    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(scan.os, "scandir", scandir)
    with pytest.raises(UserError, match=rf"the folder {tmp_path} cannot be listed: Permission denied"):
        open_folder(tmp_path)


def test_real_photos(real_images, open_folder, tmp_path):
    data, report = open_folder(real_images / "tinyimagenet" / "test", labels="folder", resize=32)
    assert len(data) == 500
    assert np.bincount(data.labels()).tolist() == [50] * 10
    assert all(data[i].image.shape == (3, 32, 32) for i in range(0, 500, 50))
    assert "skipped" not in report.tables
    del data
    gc.collect()


def test_what_a_data_set_says_names_it_and_the_file_of_its_table(tmp_path, capsys):
    """`see the table skipped` is of no use without the name of its file."""
    (tmp_path / "photos").mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "photos" / "broken.png").write_text("no image")
    changes = [f"data.photos.root={tmp_path / 'photos'}", "steps=1", "data.photos.resize=null"]
    small = ["backbone.model=test_resnet", "streams.views.batch_size=4", "data.photos.part=all", "evaluate=[]"]
    done = call(capsys, "run", "s2r2_folder", *changes, *small, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    said = (
        "note: data.photos: 1 of 9 images cannot be used and are skipped, see data/photos_skipped.csv of the run folder"
    )
    assert said in done.out
    assert "broken.png" in (tmp_path / "run" / "data" / "photos_skipped.csv").read_text()
