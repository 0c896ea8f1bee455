"""Images that a table names."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rankhub.interfaces.errors import UserError
from rankhub_data.image_folder import ImageFolder
from rankhub_data.named import read_named


def read(root, names, context, **options):
    return read_named(root, names, options.pop("resize", None), context(), keep=False, source="labels.csv", **options)


def test_images_come_in_the_order_of_the_table(folder, context, photo):
    root = folder("b/1.png", "a/2.png", "a/1.png")
    named = read(root, ["a/2.png", "b/1.png"], context)
    assert len(named) == 2
    assert [named.path_of(n) for n in range(len(named))] == ["a/2.png", "b/1.png"]
    assert named.path(0) == root / "a/2.png"
    for row, seed in enumerate((1, 0)):
        assert np.array_equal(named.image(row).permute(1, 2, 0).numpy(), np.asarray(photo(seed=seed)))
    assert named.sizes.tolist() == [[16, 24], [16, 24]]


def test_sizes_are_those_after_shrinking(folder, context):
    named = read(folder("1.png"), ["1.png"], context, resize=8)
    assert named.sizes.tolist() == [[8, 12]] == [list(named.image(0).shape[1:])]


@pytest.mark.parametrize("name", ["Low/I04_18_2.BMP", "low\\i04_18_2.bmp", "./low//i04_18_2.bmp"])
def test_names_match_whatever_their_case_and_slashes(folder, context, name):
    named = read(folder("low/i04_18_2.bmp"), [name], context)
    assert [named.path_of(n) for n in range(len(named))] == ["low/i04_18_2.bmp"]


def test_an_exact_name_goes_before_another_case(folder, context):
    root = folder("A.png", "a.png")
    named = read(root, ["a.png", "A.png"], context)
    assert [named.path_of(n) for n in range(2)] == ["a.png", "A.png"]


def test_a_name_that_could_be_either_of_two_is_missing(folder, context):
    root = folder("AA.png", "aA.png")
    with pytest.raises(UserError, match=r"1 of the 1 images that labels.csv names are not in .*: aa\.png;"):
        read(root, ["aa.png"], context)


def test_absolute_paths_are_as_good(folder, context):
    root = folder("a/1.png")
    assert read(root / "a", [str(root / "a/1.png")], context).path_of(0) == "1.png"


def test_missing_images_are_counted_and_named(folder, context):
    names = ["1.png", "2.png", "3.png", "4.png", "5.png"]
    with pytest.raises(UserError, match=r"4 of the 5 images .* 2.png, 3.png, 4.png and 1 more; set `root`"):
        read(folder("1.png"), names, context)


def test_a_folder_is_no_image(folder, context):
    with pytest.raises(UserError, match="1 of the 1 images"):
        read(folder("a/1.png"), ["a"], context)


def test_one_file_under_two_names_is_refused(folder, context):
    with pytest.raises(UserError, match=r"labels.csv names one image more than once: 1.png;"):
        read(folder("1.png"), ["1.png", "./1.png"], context)


def test_an_image_that_cannot_be_decoded_stops_the_run(folder, context):
    root = folder("1.png", "2.png")
    (root / "2.png").write_bytes((root / "2.png").read_bytes()[:40])
    with pytest.raises(UserError, match=r"1 of the 2 images that labels.csv names cannot be read: 2.png \("):
        read(root, ["1.png", "2.png"], context)


def test_copies_are_known(folder, context):
    root = folder("1.png", "2.png")
    (root / "3.png").write_bytes((root / "1.png").read_bytes())
    assert read(root, ["1.png", "2.png", "3.png"], context).originals.tolist() == [0, 1, 0]


def test_two_tables_of_the_same_files_share_them(folder, context):
    root = folder("1.png", "2.png")
    one, other = (read(root, ["2.png", "1.png"], context) for _ in range(2))
    assert one is other


def test_a_folder_knows_paths_and_sizes(folder, context):
    data = ImageFolder(root=str(folder("b.png", "a.png")), resize=8)
    assert data.facts("path") is None
    assert data.sizes() is None
    data.open(context())
    assert data.facts("path") == ["a.png", "b.png"]
    assert data.facts("reference") is None
    assert data.sizes().tolist() == [[8, 12], [8, 12]]


@pytest.mark.parametrize("form", ["png", "jpg", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
@pytest.mark.parametrize("max_side", [None, 32, 33, 300])
def test_the_size_before_shrinking_is_that_of_the_upright_image(tmp_path, context, photo, form, orientation, max_side):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo(200, 80).save(tmp_path / f"a.{form}", exif=exif)
    longer = min(max_side or 200, 200)
    for keep in (False, True, True):  # decoded, written, read back
        named = read_named(tmp_path, [f"a.{form}"], None, context(), keep=keep, source="it", max_side=max_side)
        upright = np.array([[80, 200], [round(longer * 0.4), longer]])
        upright = upright[:, ::-1] if orientation >= 5 else upright
        assert named.source_sizes.tolist() == [upright[0].tolist()]
        assert named.sizes.tolist() == [upright[1].tolist()]
        assert list(named.image(0).shape[1:]) == upright[1].tolist()
        del named


def test_of_both_limits_the_smaller_image_is_taken(folder, context):
    root = folder("1.png")  # 24 x 16
    for resize, max_side, size in ((8, 20, [8, 12]), (14, 18, [12, 18]), (16, 24, [16, 24]), (99, 99, [16, 24])):
        assert read(root, ["1.png"], context, resize=resize, max_side=max_side).sizes.tolist() == [size]
