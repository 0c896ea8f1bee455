from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rankhub.interfaces.errors import UserError
from rankhub_data import coco
from rankhub_data.coco import Coco


@pytest.fixture
def layout(folder) -> Path:
    """COCO's layout: two splits of PNG photos under COCO's names, and annotations."""
    root = folder(
        *(f"train2017/{number:012d}.png" for number in range(1, 31)),
        *(f"val2017/{number:012d}.png" for number in range(100, 104)),
        name="coco",
    )
    (root / "annotations").mkdir()
    for split in ("train2017", "val2017"):
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps({"images": []}))
    return root


@pytest.fixture
def open_coco(context):
    def make(root, **options):
        data = Coco(root=str(root), **options)
        assert data.missing() is None
        return data, "\n".join(data.open(context()).notes)

    return make


def names(data) -> list[str]:
    return [data[number].path.name for number in range(len(data))]


def test_a_split_is_its_folder(layout, open_coco):
    data, said = open_coco(layout, split="val2017", resize=8)
    assert names(data) == [f"{number:012d}.png" for number in range(100, 104)]
    assert data[0].path == layout / "val2017" / "000000000100.png"
    assert [tuple(data[number].image.shape) for number in range(4)] == [(3, 8, 12)] * 4
    assert (data.label.kind, data.labels(), data[0].label) == (None, None, None)
    assert f"{layout}/val2017 holds 4 images, COCO's val2017 has 5,000: it is not complete" in said


def test_a_whole_split_is_not_said_to_be_incomplete(layout, open_coco, monkeypatch):
    monkeypatch.setitem(coco._COUNTS, "val2017", 4)
    assert "complete" not in open_coco(layout, split="val2017")[1]
    assert "complete" not in open_coco(layout, split="val2017", images=2)[1]


@pytest.mark.parametrize("below", ["", "train2017", "images"])
def test_where_it_is_looked_for(layout, open_coco, below):
    root = layout
    if below == "images":
        (layout / "images").mkdir()
        (layout / "train2017").rename(layout / "images" / "train2017")
    elif below:
        root = layout / below
    data, _ = open_coco(root)
    assert len(data) == 30
    assert names(data)[0] == "000000000001.png"


def test_a_subset_is_drawn_by_names_and_part_of_a_larger_one(layout, open_coco, tmp_path, photo):
    small, said = open_coco(layout, images=5)
    large, _ = open_coco(layout, images=12)
    other, _ = open_coco(layout, images=12, seed=1)
    assert (len(small), len(large), len(other)) == (5, 12, 12)
    assert names(small) == sorted(names(small))
    assert set(names(small)) < set(names(large))
    assert set(names(large)) != set(names(other))
    assert "5 images in" in said
    pixels = {name: small[number].image for number, name in enumerate(names(small))}
    whole, _ = open_coco(layout)
    for number, name in enumerate(names(whole)):
        if name in pixels:
            assert np.array_equal(whole[number].image, pixels[name])
    for name in set(names(whole)) - set(names(small)):
        (layout / "train2017" / name).unlink()
    assert names(open_coco(layout, images=5)[0]) == names(small)


def test_more_images_than_there_are(layout, context):
    with pytest.raises(UserError, match=r"val2017 holds 4 images, fewer than `images: 5`"):
        Coco(root=str(layout), split="val2017", images=5).open(context())


def test_an_empty_folder(tmp_path, context):
    (tmp_path / "val2017").mkdir()
    with pytest.raises(UserError, match="there is nothing in the folder"):
        Coco(root=str(tmp_path), split="val2017", images=5).open(context())


def test_missing(tmp_path):
    data = Coco(root=str(tmp_path / "coco"))
    assert data.missing() == (
        f"COCO's train2017 is not in {tmp_path}/coco/train2017; download "
        f"http://images.cocodataset.org/zips/train2017.zip (18 GB) and unpack it in {tmp_path}/coco, or set `root` to "
        "where it is"
    )
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "train2017.zip").touch()
    assert data.missing() == (
        f"COCO's train2017 is not unpacked: `unzip -q {tmp_path}/coco/train2017.zip -d {tmp_path}/coco`"
    )


def test_duplicates_can_be_left_out(layout, open_coco):
    (layout / "val2017" / "000000000200.png").write_bytes((layout / "val2017" / "000000000100.png").read_bytes())
    assert len(open_coco(layout, split="val2017")[0]) == 5
    assert len(open_coco(layout, split="val2017", duplicates="drop")[0]) == 4
