from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from rankhub_data.decode import Remark, UndecodableError, decode
from rankhub_listing.formats import learn_formats

learn_formats()

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def encoded(image: Image.Image, form: str, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def chw(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def grey(values, dtype) -> np.ndarray:
    return np.asarray(values, dtype=dtype).reshape(2, -1)


def test_rgb_is_kept_as_it_is(photo):
    pixels, remark, _ = decode(encoded(photo(), "PNG"))
    assert (pixels == chw(photo())).all()
    assert (pixels.dtype, pixels.shape, pixels.flags.c_contiguous) == (np.uint8, (3, 16, 24), True)
    assert remark == Remark.NONE


@pytest.mark.parametrize(
    ("mode", "form"),
    [("RGB", form) for form in ["BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "QOI", "SGI", "DDS", "PCX", "TGA", "DIB"]]
    + [("L", form) for form in ("PNG", "JPEG", "PPM")]
    + [("P", form) for form in ("PNG", "GIF")]
    + [("CMYK", form) for form in ("JPEG", "TIFF")]
    + [("1", "PNG"), ("YCbCr", "TIFF")],
)
def test_modes_and_formats_become_rgb(photo, mode, form):
    if form not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {form}")
    image = photo().convert(mode)
    content = encoded(image, form)
    pixels, _, _ = decode(content, f".{form.lower()}")
    with Image.open(io.BytesIO(content)) as opened:
        assert (pixels == chw(opened)).all()
    assert abs(pixels.astype(int) - chw(image)).mean() < 12  # lossy codecs: still the same picture


def test_transparent_images_lie_on_white():
    colours = np.zeros((2, 4, 4), np.uint8)
    colours[..., 0] = 200
    colours[..., 3] = [[0, 51, 204, 255]] * 2
    pixels, remark, _ = decode(encoded(Image.fromarray(colours), "PNG"))
    over = np.array([0, 51, 204, 255]) / 255
    assert abs(pixels[0, 0] - (200 * over + 255 * (1 - over))).max() <= 1
    assert abs(pixels[1, 1] - 255 * (1 - over)).max() <= 1
    assert remark == Remark.TRANSPARENT


def test_opaque_alpha_is_dropped_without_a_remark(photo):
    pixels, remark, _ = decode(encoded(photo().convert("RGBA"), "PNG"))
    assert (pixels == chw(photo())).all()
    assert remark == Remark.NONE


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "LA"])
def test_every_kind_of_transparency_is_seen(mode):
    image = Image.new("LA", (4, 2), (10, 0)) if mode == "LA" else Image.new(mode, (4, 2), 0)
    options = {"LA": {}, "L": {"transparency": 0}, "RGB": {"transparency": (0, 0, 0)}, "P": {"transparency": 0}}[mode]
    pixels, remark, _ = decode(encoded(image, "PNG", **options))
    assert (pixels == 255).all()
    assert remark == Remark.TRANSPARENT


def test_16_bit_grey_is_scaled_not_clipped():
    values = grey([0, 257, 257 * 128, 65535 - 257, 65535, 128], np.uint16)
    for content in (
        encoded(Image.fromarray(values), "PNG"),
        encoded(Image.fromarray(values), "TIFF"),
        encoded(Image.fromarray(values.astype(">u2")), "TIFF"),
        b"P5 3 2 65535\n" + values.astype(">u2").tobytes(),
    ):
        pixels, remark, _ = decode(content)
        assert pixels[1].ravel().tolist() == [0, 1, 128, 254, 255, 0]
        assert remark == Remark.NONE


def test_16_bit_grey_that_uses_12_is_remarked():
    _, remark, _ = decode(encoded(Image.fromarray(grey([0, 4095], np.uint16)), "PNG"))
    assert remark == Remark.DIM


def png_16_bit_rgb(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, which Pillow reads but does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_16_bit_colour_is_scaled():
    values = np.array([[[0, 128 * 257, 65535], [257, 2 * 257, 3 * 257]]], dtype=np.uint16)
    pixels, _, _ = decode(png_16_bit_rgb(values))
    assert pixels[:, 0, :].T.tolist() == [[0, 128, 255], [1, 2, 3]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (grey([0.0, 0.5, 0.2, 1.0], np.float32), [0, 128, 51, 255]),
        (grey([0.0, 128.0, 3.0, 255.0], np.float32), [0, 128, 3, 255]),
        (grey([-1.0, 0.0, 1.0, 3.0], np.float32), [0, 64, 128, 255]),
        (grey([np.nan, 0.0, np.inf, 1.0], np.float32), [0, 0, 0, 255]),
        (grey([7000.0, 7000.0], np.float32), [0, 0]),
        (grey([0, 1, 200, 255], np.int32), [0, 1, 200, 255]),
        (grey([0, 257, 514, 65535], np.int32), [0, 1, 2, 255]),
        (grey([-1000, 0, 1000, 0], np.int32), [0, 128, 255, 128]),
        (grey([0, 10**9, 2 * 10**9, 0], np.int32), [0, 128, 255, 0]),
    ],
)
def test_32_bit_grey_is_scaled(values, expected):
    pixels, _, _ = decode(encoded(Image.fromarray(values), "TIFF"))
    assert (pixels[0] == pixels[2]).all()
    assert abs(pixels[0].ravel().astype(int) - expected).max() <= 1


def test_float_without_a_number_is_broken():
    with pytest.raises(UndecodableError, match="no finite number"):
        decode(encoded(Image.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("form", "resize"), [("JPEG", None), ("JPEG", 16), ("PNG", None), ("TIFF", 16), ("WEBP", 16)])
def test_orientation_is_applied(photo, orientation, form, resize):
    image = photo(96, 64)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(image, form, exif=exif)
    pixels, _, _ = decode(content, resize=resize)
    with Image.open(io.BytesIO(content)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    if resize:
        upright.thumbnail((24, 24), Image.Resampling.BICUBIC, reducing_gap=None)
    assert pixels.shape == (3, upright.height, upright.width)
    assert abs(pixels.astype(int) - chw(upright)).mean() < 3


def test_damaged_exif_does_not_matter(photo):
    pixels, _, _ = decode(encoded(photo(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    assert (pixels == chw(photo())).all()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_is_taken(photo, form):
    first, second = photo(seed=1), photo(seed=2)
    options = {"lossless": True} if form == "WEBP" else {}
    content = encoded(first, form, save_all=True, append_images=[second], **options)
    pixels, remark, _ = decode(content)
    with Image.open(io.BytesIO(content)) as opened:
        assert (pixels == chw(opened)).all()
    assert abs(pixels.astype(int) - chw(first)).mean() < 12
    assert remark == Remark.FIRST_FRAME


def test_photos_with_a_hidden_preview_have_one_frame(photo):
    content = encoded(photo(96, 64), "MPO", save_all=True, append_images=[photo(seed=3)])
    pixels, remark, _ = decode(content, ".jpg", resize=16)
    assert (pixels.shape, remark) == ((3, 16, 24), Remark.NONE)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((200, 100), (32, 64)),
        ((100, 300), (96, 32)),
        ((33, 1000), (970, 32)),
        ((32, 90), (90, 32)),
        ((10, 90), (90, 10)),
    ],
)
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_resize_is_of_the_shorter_side_and_never_enlarges(photo, size, expected, form):
    pixels, _, _ = decode(encoded(photo(*size), form), resize=32)
    assert pixels.shape == (3, *expected)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_resize_is_antialiased(form):
    """Stripes finer than the small image's pixels become their mean, not stripes of another width."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, 1::2] = 200
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    pixels, _, _ = decode(encoded(Image.fromarray(stripes), form, **options), resize=37)
    assert abs(pixels.astype(int) - 100).max() <= 2


@pytest.mark.parametrize("factor", [2, 5, 9, 20])
def test_decoding_jpeg_at_a_smaller_scale_changes_little(photo, factor):
    """libjpeg shrinks while it decodes; against decoding whole and one antialiased resample."""
    rough = np.random.default_rng(0).integers(-30, 31, (40 * factor, 40 * factor, 1))
    image = Image.fromarray(
        np.clip(np.asarray(photo(40 * factor, 40 * factor)).astype(int) + rough, 0, 255).astype(np.uint8)
    )
    content = encoded(image, "JPEG", quality=95)
    with Image.open(io.BytesIO(content)) as opened:
        whole = chw(opened.resize((40, 40), Image.Resampling.BICUBIC))
    pixels, _, _ = decode(content, resize=40)
    assert abs(pixels.astype(int) - whole).mean() < 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (bytes(1000), "only zeros"),
        (b"<!DOCTYPE html><html>not found</html>", "a web page instead of an image"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"\xff\xd8\xff\xe0", "damaged or cut off JPEG"),
        (b"\x89PNG\r\n\x1a\n\0\0", "damaged or cut off PNG"),
        (b"hello, I am no image", "not an image format"),
    ],
)
def test_what_is_no_image_is_named(content, reason):
    with pytest.raises(UndecodableError, match=reason) as caught:
        decode(content, ".jpg")
    assert caught.value.kind == "broken"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_truncated_files_are_broken(photo, form):
    content = encoded(photo(96, 64), form)
    with pytest.raises(UndecodableError) as caught:
        decode(content[: len(content) // 2])
    assert caught.value.kind == "broken"
    assert caught.value.reason


def test_phone_photos_with_the_wrong_ending_are_recognized(monkeypatch):
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(UndecodableError, match="HEIF is not read by Pillow") as caught:
        decode(b"\0\0\0\x1cftypheic\0\0\0\0" + bytes(100), ".jpg")
    assert (caught.value.kind, caught.value.remedy) == ("unsupported", "pip install pillow-heif")


def test_bombs_are_refused(photo, monkeypatch):
    content = encoded(photo(96, 64), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UndecodableError, match="6144 pixels") as caught:
        decode(content)
    assert caught.value.kind == "too large"


def test_no_program_is_started_for_a_file(monkeypatch):
    """PostScript under any ending is not handed to Ghostscript."""
    with pytest.raises(UndecodableError, match="not an image format"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", ".jpg")


SAMPLES = {
    "JPEG": {},
    "PNG": {},
    "GIF": {},
    "TIFF": {"compression": "tiff_lzw"},
    "WEBP": {},
    "BMP": {},
    "JPEG2000": {},
}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    form=st.sampled_from(sorted(SAMPLES)),
    cut=st.floats(0, 1),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=12),
    resize=st.sampled_from([None, 8]),
)
def test_damage_gives_an_image_or_the_one_error(form, cut, changes, resize):
    coarse = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    content = bytearray(encoded(Image.fromarray(coarse).resize((28, 20)), form, **SAMPLES[form]))
    for offset, value in changes:
        content[offset % len(content)] = value
    content = content[: max(1, round(cut * len(content)))] if cut < 0.9 else content
    try:
        pixels, _, _ = decode(bytes(content), resize=resize)
    except UndecodableError:
        return
    assert (pixels.dtype, pixels.ndim, pixels.shape[0]) == (np.uint8, 3, 3)
