"""Data sets that serve batches serve the same images as one by one, also once they were copied to another process."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

import rankhub
from rankhub_data.digits import PlacedDigits
from rankhub_data.from_python import FromPython
from rankhub_data.image_folder import ImageFolder
from rankhub_data.stl10 import IMAGE_BYTES, Stl10

ROWS = [3, 0, 5, 3]


@pytest.fixture
def folder(tmp_path):
    """Six photos; a table of their scores."""

    def make(sizes):
        root = tmp_path / "photos"
        root.mkdir()
        for number in range(6):
            shape = (*sizes[number % len(sizes)], 3)
            pixels = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
            Image.fromarray(pixels).save(root / f"{number}.png")
        (root / "labels.csv").write_text("path,score\n" + "".join(f"{n}.png,{n}.5\n" for n in range(6)))
        return root

    return make


def stl10(root):
    folder = root / "stl10_binary"
    folder.mkdir()
    for split, count in (("train", 4), ("unlabeled", 3)):
        np.random.default_rng(count).integers(0, 256, count * IMAGE_BYTES, np.uint8).tofile(folder / f"{split}_X.bin")
    np.ones(4, np.uint8).tofile(folder / "train_y.bin")
    (folder / "class_names.txt").write_text("bird\n")
    return Stl10(root=str(root), split="train+unlabeled")


def given(root, mixed):
    files = sorted(root.glob("*.png"))
    data = FromPython()
    data.give([*files[:5], np.asarray(Image.open(files[5]))] if mixed else files)
    return data


def scored(root):
    return rankhub.build("dataset", {"use": "scored_csv", "root": str(root), "higher_is_better": True})


SAME, UNLIKE = [(20, 30)], [(20, 30), (31, 17)]


@pytest.mark.parametrize(
    ("make", "sizes", "memory", "stacked"),
    [
        (lambda root: ImageFolder(root=str(root)), SAME, 1 << 30, True),
        (lambda root: ImageFolder(root=str(root)), SAME, 0, True),
        (lambda root: ImageFolder(root=str(root)), UNLIKE, 1 << 30, False),
        (lambda root: ImageFolder(root=str(root)), UNLIKE, 0, False),
        (scored, SAME, 1 << 30, True),
        (stl10, SAME, 1 << 30, True),
        (lambda root: PlacedDigits(part="test"), SAME, 1 << 30, True),
        (lambda root: given(root, mixed=False), SAME, 1 << 30, True),
        (lambda root: given(root, mixed=True), SAME, 1 << 30, False),
    ],
)
def test_a_batch_holds_the_images_that_are_served_one_by_one(folder, context, make, sizes, memory, stacked):
    data = make(folder(sizes))
    data.open(context(memory))
    expected = [data[row].image.clone() for row in ROWS]
    batch = data.batch(ROWS)
    assert isinstance(batch, torch.Tensor) is stacked
    if stacked:
        kept = batch.clone()
        batch.zero_()  # the caller's own
        batch = kept
    for copied in (data, pickle.loads(pickle.dumps(data))):
        for image, again, row, one in zip(batch, copied.batch(ROWS), ROWS, expected, strict=True):
            assert torch.equal(image, one)
            assert torch.equal(again, one)
            assert torch.equal(copied[row].image, one)


def test_the_order_of_the_store_is_not_that_of_a_part(folder, context):
    data = ImageFolder(root=str(folder(SAME)), part="train", held_out=0.5)
    data.open(context())
    rows = list(range(len(data)))[::-1]
    assert 0 < len(rows) < 6
    assert torch.equal(data.batch(rows), torch.stack([data[row].image for row in rows]))


def test_mapped_files_are_not_copied_to_other_processes(tmp_path, context):
    data = stl10(tmp_path)
    data.open(context())
    assert len(pickle.dumps(data)) < IMAGE_BYTES
    assert len(pickle.loads(pickle.dumps(Stl10(root="nowhere")))) == 0
