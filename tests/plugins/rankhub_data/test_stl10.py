from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from rankhub.interfaces.errors import Objection, UserError
from rankhub_data.stl10 import IMAGE_BYTES, Stl10

CLASSES = ["airplane", "bird", "car"]


@pytest.fixture
def binary(tmp_path) -> Path:
    """The layout with 300 train (so that indices leave a byte), 4 test and 5 unlabeled images; mostly holes."""
    folder = tmp_path / "data" / "stl10_binary"
    folder.mkdir(parents=True)
    for split, count in (("train", 300), ("test", 4), ("unlabeled", 5)):
        with open(folder / f"{split}_X.bin", "wb") as file:
            file.truncate(count * IMAGE_BYTES)
            file.write(np.random.default_rng(count).integers(0, 256, IMAGE_BYTES, dtype=np.uint8).tobytes())
        if split != "unlabeled":
            (np.arange(count) % 3 + 1).astype(np.uint8).tofile(folder / f"{split}_y.bin")
    (folder / "class_names.txt").write_text("\n".join(CLASSES) + "\n")
    folds = [range(fold, 300, 10) for fold in range(10)]
    (folder / "fold_indices.txt").write_text("".join(" ".join(map(str, fold)) + " \n" for fold in folds))
    return folder


def opened(context, **options) -> Stl10:
    data = Stl10(**options)
    assert data.missing() is None
    data.open(context())
    return data


def test_planes_are_column_major(binary, context):
    raw = np.fromfile(binary / "train_X.bin", dtype=np.uint8)
    image = opened(context, root=str(binary.parent))[0].image
    # byte of (channel, column, row), counted by hand
    for channel, row, column in [(0, 0, 1), (0, 1, 0), (1, 17, 80), (2, 95, 3)]:
        assert image[channel, row, column] == raw[channel * 96 * 96 + column * 96 + row]
    assert image.shape == (3, 96, 96)
    assert image.is_contiguous()


def test_agrees_with_torchvision(binary, context):
    torchvision = pytest.importorskip("torchvision")

    class Unchecked(torchvision.datasets.STL10):
        def _check_integrity(self):
            return True

    for split in ("train", "test", "unlabeled"):
        theirs = Unchecked(str(binary.parent), split=split)
        ours = opened(context, root=str(binary.parent), split=split)
        assert len(ours) == len(theirs)
        image, label = theirs[0]
        assert (np.asarray(image).transpose(2, 0, 1) == ours[0].image.numpy()).all()
        assert (ours[0].label if split != "unlabeled" else -1) == label


def test_labels_start_at_zero(binary, context):
    data = opened(context, root=str(binary.parent), split="test")
    assert data.labels().tolist() == [0, 1, 2, 0]
    assert [data[i].label for i in range(4)] == [0, 1, 2, 0]
    assert data.label.classes == tuple(CLASSES)


def test_unlabeled_has_no_labels(binary, context):
    data = opened(context, root=str(binary.parent), split="unlabeled")
    assert (len(data), data.label.kind, data.labels(), data[0].label) == (5, None, None, None)


def test_train_and_unlabeled_follow_each_other(binary, context):
    data = opened(context, root=str(binary.parent), split="train+unlabeled")
    assert len(data) == 305
    assert data.labels()[300:].tolist() == [-1] * 5
    assert (data[300].label, data[300].index) == (-1, 300)
    alone = opened(context, root=str(binary.parent), split="unlabeled")
    assert (data[300].image == alone[0].image).all()
    with pytest.raises(IndexError):
        data[305]


def test_folds_reach_past_a_byte(binary, context):
    data = opened(context, root=str(binary.parent), fold=3)
    assert len(data) == 30
    assert data.labels().tolist() == [row % 3 for row in range(3, 300, 10)]
    assert data[29].meta == {"fold": 3}
    assert data[29].index == 29
    everything = opened(context, root=str(binary.parent))
    assert (data[29].image == everything[293].image).all()


def test_root_may_be_the_folder_itself(binary, context):
    assert Stl10(root=str(binary)).folder == Stl10(root=str(binary.parent)).folder == binary
    assert len(opened(context, root=str(binary), split="test")) == 4
    other = binary.rename(binary.with_name("elsewhere"))
    assert Stl10(root=str(other)).folder == other


def test_default_root_is_data(binary, context, monkeypatch):
    monkeypatch.chdir(binary.parents[1])
    assert len(opened(context, split="test")) == 4


def test_missing_names_folder_and_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Stl10(split="unlabeled").missing() == (
        f"STL-10 is not in {tmp_path}/data/stl10_binary (no unlabeled_X.bin); get it with `rankhub data fetch stl10`"
    )
    other = Stl10(root="/nowhere/sets").missing()
    assert "/nowhere/sets/stl10_binary (no train_X.bin, train_y.bin, class_names.txt)" in other
    assert other.endswith("`rankhub data fetch stl10 --to /nowhere/sets`")


def test_only_the_split_in_use_must_be_there(binary):
    (binary / "unlabeled_X.bin").unlink()
    (binary / "fold_indices.txt").unlink()
    assert Stl10(root=str(binary), split="test").missing() is None
    assert "unlabeled_X.bin" in Stl10(root=str(binary), split="train+unlabeled").missing()
    assert "fold_indices.txt" in Stl10(root=str(binary), fold=0).missing()


def test_fold_is_for_train():
    with pytest.raises(Objection, match="fold"):
        Stl10(split="test", fold=1)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: cut(f / "train_X.bin"), r"8,294,399 bytes, which is no multiple of an image's 27,648"),
        (lambda f: os.truncate(f / "train_X.bin", 0), "has 0 bytes"),
        (lambda f: cut(f / "train_y.bin"), "299 labels for 300 images"),
        (lambda f: (f / "train_y.bin").write_bytes(bytes(300)), "labels from 0 to 0; they must be from 1 to 3"),
        (lambda f: (f / "class_names.txt").write_text("airplane\n"), "must be from 1 to 1"),
        (lambda f: (f / "class_names.txt").write_text("\n"), "names no class"),
        (lambda f: (f / "fold_indices.txt").write_text("1 2\n"), "has 1 folds, counted from 0; there is no 2"),
        (lambda f: (f / "fold_indices.txt").write_text("1\n1\n7 x\n"), "line 3: .*indices of training images"),
        (lambda f: (f / "fold_indices.txt").write_text("1\n1\n300\n"), "index 300 is not among the 300"),
    ],
)
def test_damaged_files_give_a_sentence(binary, context, spoil, sentence):
    spoil(binary)
    data = Stl10(root=str(binary), fold=2)
    assert data.missing() is None
    with pytest.raises(UserError, match=sentence):
        data.open(context())


def test_folds_are_positions_in_the_split_train(binary, context):
    data = opened(context, root=str(binary))
    folds = data.folds()
    assert [fold.tolist() for fold in folds] == [list(range(fold, 300, 10)) for fold in range(10)]
    assert data.labels()[folds[3]].tolist() == opened(context, root=str(binary), fold=3).labels().tolist()
    assert opened(context, root=str(binary), fold=3).folds() is None
    assert opened(context, root=str(binary), split="test").folds() is None
    assert Stl10(root=str(binary)).folds() is None  # not open yet
    (binary / "fold_indices.txt").unlink()
    assert opened(context, root=str(binary)).folds() is None
