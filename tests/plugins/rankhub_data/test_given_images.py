"""Images in every form in which Python programs hold them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from rankhub.interfaces.errors import UserError
from rankhub_data import given_images
from rankhub_data.from_python import FromPython
from rankhub_data.image_folder import ImageFolder

ORIENTATION = 0x0112


def taken(value, resize=None, max_side=None):
    """The images of what was given, [3, H, W] uint8 each."""
    data = FromPython(resize=resize, max_side=max_side)
    data.give(value)
    return [data[number].image for number in range(len(data))]


def sizes_of(value, resize=None, max_side=None):
    data = FromPython(resize=resize, max_side=max_side)
    data.give(value)
    return data.sizes().tolist()


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7), st.just(3))))
def test_whatever_the_form_the_pixels_are_the_same(tmp_path_factory, image):
    path = tmp_path_factory.mktemp("given") / "image.png"
    Image.fromarray(image).save(path)
    expected = torch.from_numpy(image.transpose(2, 0, 1).copy())
    forms = [
        str(path),
        path,
        Image.fromarray(image),
        Image.open(path),
        image,
        image.astype(np.int64),
        image.astype(np.float32) / 255,
        image.astype(np.float64) / 255,
        (image / 255).astype(np.float16),
        expected,
        expected.float() / 255,
        (expected.double() / 255).requires_grad_(),
    ]
    for form in forms:
        assert torch.equal(*taken(form), expected)
        assert sizes_of(form) == [list(image.shape[:2])]
    for one in taken(forms):
        assert torch.equal(one, expected)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.just(3))))
def test_a_stack_is_its_images(stack):
    expected = [torch.from_numpy(image.transpose(2, 0, 1).copy()) for image in stack]
    grey = stack[..., :1]
    for form in (stack, list(stack), torch.from_numpy(stack).permute(0, 3, 1, 2), stack / 255):
        assert all(map(torch.equal, taken(form), expected))
    for form in (
        grey,
        list(grey[..., 0]),
        torch.from_numpy(grey).permute(0, 3, 1, 2),
        list(torch.from_numpy(grey[..., 0])),
    ):
        assert all(map(torch.equal, taken(form), [image[:1].expand(3, -1, -1) for image in expected]))


def odd_files(folder: Path) -> list[Path]:
    """Files in which every trap of decoding lies."""
    smooth = np.linspace(0, 255, 24 * 16 * 3).reshape(16, 24, 3).astype(np.uint8)
    photo = Image.fromarray(smooth)
    folder.mkdir()
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = turn
        for name in ("jpg", "png", "tiff", "webp"):
            photo.save(folder / f"turned_{turn}.{name}", exif=exif)
    alpha = photo.convert("RGBA")
    alpha.putalpha(Image.fromarray(smooth[..., 0]))
    alpha.save(folder / "alpha.png")
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    photo.convert("L").save(folder / "grey.jpg")
    photo.convert("1").save(folder / "bits.png")
    photo.quantize(16).save(folder / "palette.gif")
    Image.fromarray(smooth[..., 0].astype(np.uint16) * 200).save(folder / "deep.png")
    Image.fromarray(smooth[..., 0].astype(np.float32) / 255).save(folder / "floats.tiff")
    photo.save(folder / "no_ending", format="PNG")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("resize", [None, 8])
def test_files_are_decoded_as_those_of_a_folder(tmp_path, context, resize):
    files = odd_files(tmp_path / "odd")
    folder = ImageFolder(root=str(tmp_path / "odd"), resize=resize)
    folder.open(context())
    expected = [folder[number].image for number in range(len(folder))]
    assert [folder[number].path for number in range(len(folder))] == files
    lazy = FromPython(resize=resize)
    lazy.give(files)
    for number, image in enumerate(expected):
        assert torch.equal(lazy[number].image, image), files[number]
    assert lazy.sizes().tolist() == folder.sizes().tolist()
    opened = FromPython(resize=resize)
    opened.give(files)
    opened.open(context())
    assert all(torch.equal(opened[number].image, image) for number, image in enumerate(expected))
    assert opened.sizes().tolist() == folder.sizes().tolist()


def test_pil_images_are_as_their_files(tmp_path):
    files = odd_files(tmp_path / "odd")
    for file, image in zip(files, taken(files), strict=True):
        with Image.open(file) as held:
            size = held.size
            assert torch.equal(*taken(held), image), file
            assert sizes_of(held) == [list(image.shape[1:])]
            assert sizes_of(held, 8) == sizes_of(file, 8)
            assert file.suffix == ".tiff" or held.size == size


def test_pil_images_and_arrays_shrink_to_the_size_of_files(tmp_path):
    path = tmp_path / "large.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(path)
    held = Image.open(path)
    array = np.asarray(Image.open(path))
    for form in (held, array, torch.from_numpy(array.copy()).permute(2, 0, 1), path):
        assert taken(form, 20)[0].shape == (3, 20, 26)
        assert sizes_of(form, 20) == [[20, 26]]
        assert taken(form, 200)[0].shape == (3, 70, 90)
        assert taken(form, 200, 45)[0].shape == (3, 35, 45)
        assert sizes_of(form, 40, 45) == [[35, 45]]
        assert taken(form, 20, 45)[0].shape == (3, 20, 26)
    assert held.size == (90, 70), "the image that was given is not drafted"


def test_sizes_of_files_are_known_without_decoding(tmp_path, monkeypatch):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGB", (30, 20)).save(tmp_path / "b.png")
    data = FromPython()
    data.give([tmp_path / "a.jpg", tmp_path / "b.png", np.zeros((5, 6, 3), np.uint8)])
    monkeypatch.setattr(given_images, "decode", None)
    monkeypatch.setattr(Image.Image, "load", None)
    assert data.sizes().tolist() == [[30, 20], [20, 30], [5, 6]]


@pytest.mark.parametrize("turned", [False, True])
def test_a_png_that_says_behind_its_pixels_how_it_is_turned(tmp_path, turned):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = tmp_path / "late.png"
    Image.new("RGB", (30, 20)).save(path, exif=exif)
    data = path.read_bytes()
    start = data.index(b"eXIf") - 4
    length = 12 + int.from_bytes(data[start : start + 4], "big")
    chunk, end = data[start : start + length], data.index(b"IEND") - 4
    rest = data[:start] + data[start + length : end]
    path.write_bytes(rest + (chunk if turned else b"") + data[end:])
    height, width = sizes_of(path)[0]
    assert taken(path)[0].shape[1:] == (height, width) == ((30, 20) if turned else (20, 30))


def test_neither_side_can_change_what_the_other_holds():
    array = np.full((4, 5, 3), 9, np.uint8)
    tensor = torch.full((3, 4, 5), 9, dtype=torch.uint8)
    picture = Image.fromarray(array)
    for form in (array, tensor, picture, array[::-1, ::-1], np.broadcast_to(array[:1, :1], array.shape)):
        image = taken(form)[0]
        image += 1
        image *= 2
    assert (array == 9).all()
    assert (tensor == 9).all()
    assert (np.asarray(picture) == 9).all()
    frozen = array.copy()
    frozen.flags.writeable = False
    taken(frozen)[0].zero_()
    kept = taken(array)[0]
    array[:] = 100
    assert (kept == 9).all()


FORMS = given_images.FORMS


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (np.zeros((4, 4, 3)) + 200.0, "the image holds floats from 200 to 200; expected [0, 1]: divide it by 255"),
        (
            torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0)),
            r"the image holds floats from .* expected \[0, 1\]: give images before they are normalized",
        ),
        (np.full((4, 4), np.nan), "the image holds numbers that are not finite; expected floats in [0, 1]"),
        (np.full((4, 4, 3), 256), "the image holds int64 from 256 to 256; expected 0 to 255: scale it"),
        (np.full((4, 4), -1), "the image holds int64 from -1 to -1; expected 0 to 255: scale it"),
        (np.full((4, 4), 4000, np.uint16), "the image holds uint16 from 4000 to 4000; expected 0 to 255: scale it"),
        (np.zeros((4, 4), bool), "the image holds bool; expected uint8, or floats in [0, 1]"),
        (np.zeros((4, 4, 3), complex), "the image holds complex128; expected uint8, or floats in [0, 1]"),
        (
            np.zeros((3, 4, 5), np.uint8),
            "the image is an array [3, 4, 5]; expected [H, W, 3] or [H, W]; channels stand last: transpose(1, 2, 0)",
        ),
        (
            torch.zeros(4, 5, 3),
            "the image is a tensor [4, 5, 3]; expected [3, H, W] or [1, H, W]; channels stand first: permute(2, 0, 1)",
        ),
        (np.zeros((4, 5, 4), np.uint8), "the image is an array [4, 5, 4]; expected [H, W, 3] or [H, W]; lay it on a"),
        (np.zeros((9, 8, 7), np.uint8), "expected [H, W, 3] or [H, W]; several grey images are a list"),
        (np.zeros(7, np.uint8), "the image is an array [7]; expected [H, W, 3] or [H, W]"),
        (np.zeros((1, 2, 3, 4, 5), np.uint8), "the image is an array [1, 2, 3, 4, 5]; expected [H, W, 3] or [H, W]"),
        (np.zeros((0, 4, 3), np.uint8), "the image is empty: it is an array [0, 4, 3]"),
        (torch.zeros(3, 4, 0), "the image is empty: it is a tensor [3, 4, 0]"),
        (np.zeros((0, 4, 4, 3), np.uint8), "there is no image in what was given"),
        ([], "there is no image in what was given"),
        ({"a": 1}, f"images cannot be taken from a dict; expected {FORMS}, or a list of these"),
        ({"a.png"}, f"images cannot be taken from a set; expected {FORMS}, or a list of these"),
        (b"\x89PNG", f"images cannot be taken from a bytes; expected {FORMS}, or a list of these"),
        (None, f"images cannot be taken from a NoneType; expected {FORMS}, or a list of these"),
        (7, f"images cannot be taken from a int; expected {FORMS}, or a list of these"),
        ("nowhere.png", "nowhere.png is not there"),
        ([np.zeros((4, 4)), "nowhere.png"], "images[1] (nowhere.png) is not there"),
        ([np.zeros((4, 4)), np.full((4, 4), 3.0)], "images[1] holds floats from 3 to 3; expected [0, 1]: divide"),
        (np.stack([np.zeros((4, 4, 3)), np.full((4, 4, 3), 3.0)]), "images[1] holds floats from 3 to 3"),
        ([np.zeros((4, 4)), None], f"images[1] is None; expected {FORMS}"),
        ([[np.zeros((4, 4)), np.zeros((4, 4))]], f"images[0] is a list; expected {FORMS}"),
        ([(np.zeros((4, 4, 3)), np.zeros((4, 4, 3)))], f"images[0] is a tuple of 2; expected {FORMS}"),
        ([("a", 1, 2)], f"images[0] is a tuple of 3; expected {FORMS}"),
    ],
)
def test_what_cannot_be_taken_is_said_with_its_position(value, sentence):
    with pytest.raises(UserError) as caught:
        FromPython().give(value)
    said = str(caught.value)
    assert sentence in said or re.fullmatch(sentence, said), said


def test_files_that_cannot_be_read(tmp_path):
    good, broken, raw, text = (tmp_path / name for name in ("good.png", "broken.jpg", "photo.CR2", "notes.txt"))
    Image.new("RGB", (30, 20)).save(good)
    broken.write_bytes(b"\xff\xd8\xff\xe0 no more")
    raw.write_bytes(good.read_bytes())
    text.write_text("no image")
    for path, why in (
        (broken, "Truncated File Read"),
        (raw, "camera raw is not read by Pillow; rawpy reads it: convert the file to PNG or JPEG first"),
        (text, "not an image format that Pillow knows"),
    ):
        with pytest.raises(UserError, match=re.escape(f"{path} cannot be read: {why}")):
            taken(path)
        with pytest.raises(UserError, match=re.escape(f"images[1] ({path}) cannot be read: {why}")):
            taken([good, str(path)])
    with pytest.raises(UserError, match=re.escape(f"images[1] ({tmp_path}) is a folder; give it alone")):
        taken([good, tmp_path])
    closed = Image.open(good)
    closed.close()
    with pytest.raises(UserError, match=r"^the image cannot be read: "):
        taken(closed)


def test_paths_may_stand_in_arrays_and_columns_and_begin_at_home(tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 5 + (name == "b.png"))).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    class Column:
        """As a table's column after rows were dropped: [0] is a name that is not there."""

        iloc, ndim = None, 1

        def __iter__(self):
            return iter(["a.png", "b.png"])

        def __len__(self):
            return 2

        def __getitem__(self, name):
            raise KeyError(name)

    for form in (
        np.array(["a.png", "b.png"]),
        np.array([Path("a.png"), "~/b.png"], object),
        ("a.png", "b.png"),
        Column(),
    ):
        assert sizes_of(form) == [[5, 4], [6, 4]]


def test_what_is_one_image_and_what_a_list_of_one(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 5)).save(path)
    array = np.zeros((5, 4, 3), np.uint8)
    for form in (path, str(path), Image.open(path), array, array[..., 0], torch.zeros(3, 5, 4), torch.zeros(5, 4)):
        data = FromPython()
        data.give(form)
        assert (data.one, len(data)) == (True, 1)
        data.give([form])
        assert (data.one, len(data)) == (False, 1)
    for form in (array[None], torch.zeros(1, 3, 5, 4)):
        data.give(form)
        assert (data.one, len(data)) == (False, 1)
