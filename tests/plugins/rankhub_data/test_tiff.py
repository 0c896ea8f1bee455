"""TIFF files of every kind read to what was written, or are listed as unsupported with a remedy."""

from __future__ import annotations

import io
import itertools
import random
import zlib
from collections import Counter

import numpy as np
import pytest
import tifffile
from PIL import Image

from rankhub.interfaces.errors import UserError
from rankhub_data.decode import UndecodableError, decode, from_pil, header_size
from rankhub_data.deep import Remark, to_bytes
from rankhub_data.given_images import pixels as given_pixels
from rankhub_listing.formats import learn_formats

learn_formats()
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

HEIGHT, WIDTH = 23, 31
_Y, _X = np.mgrid[:HEIGHT, :WIDTH]
BANDS = np.stack([_X / (WIDTH - 1), _Y / (HEIGHT - 1), (_X + _Y) / (HEIGHT + WIDTH), 1 - _Y / HEIGHT, _X % 2], axis=-1)
"""[H, W, 5] in 0..1; the third band of four colours, and the second of two, may be opacity."""


def written(dtype, bands, **options) -> bytes:
    """A TIFF file of the first bands, the last of two and of four being opacity."""
    top = {"f": 1, "u": min(np.iinfo(dtype).max, 65535) if np.dtype(dtype).kind == "u" else 0}[np.dtype(dtype).kind]
    values = BANDS[..., :bands] * top
    values = (values if np.dtype(dtype).kind == "f" else np.rint(values)).astype(dtype)
    if options.get("planarconfig") == "separate":
        values = np.moveaxis(values, -1, 0)
    file = io.BytesIO()
    options = {"photometric": "rgb" if bands in (3, 4) else "minisblack", **options}
    tifffile.imwrite(file, values[..., 0] if bands == 1 else values, **options)
    return file.getvalue()


def shown(bands) -> np.ndarray:
    """[3, H, W] what is seen of them, in 0..255."""
    colour = np.repeat(BANDS[..., :1], 3, axis=-1) if bands < 3 else BANDS[..., :3]
    if bands in (2, 4):
        colour = colour * BANDS[..., bands - 1 :][..., :1] + 1 - BANDS[..., bands - 1 :][..., :1]
    return colour.transpose(2, 0, 1) * 255


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_depths_planes_orders_and_compressions_read_to_what_was_written(dtype, bands):
    if dtype == "u4" and bands in (2, 4):
        pytest.skip("opacity of 32-bit integers has no known range")
    planes = ["contig"] if bands == 1 else ["contig", "separate"]
    for planar, compression, order, tile, predictor in itertools.product(
        planes, [None, "zlib"], "<>", [None, (16, 16)], [False, True]
    ):
        if predictor and (compression is None or dtype.startswith("f")):  # which tifffile does not write alone
            continue
        options = {"planarconfig": planar} if bands > 1 else {}
        options |= {"extrasamples": ["unassalpha"]} if bands in (2, 4) else {}
        content = written(
            dtype, bands, compression=compression, byteorder=order, tile=tile, predictor=predictor, **options
        )
        pixels, remark, size = decode(content, ".tif")
        assert np.abs(pixels - shown(bands)).max() < 2, (planar, compression, order, tile, predictor)
        assert (size, header_size(content, ".tif")) == ((HEIGHT, WIDTH), (HEIGHT, WIDTH))
        assert remark == (Remark.TRANSPARENT if bands in (2, 4) else Remark.NONE)


def test_16_bit_colour_in_planes_is_what_it_is_joined():
    joined, apart = (written("u2", 3, planarconfig=planar) for planar in ("contig", "separate"))
    assert np.array_equal(decode(joined)[0], decode(apart)[0])
    with Image.open(io.BytesIO(apart)) as image, pytest.raises(UndecodableError, match="misreads this kind"):
        from_pil(image)
    with Image.open(io.BytesIO(apart)) as image, pytest.raises(UserError, match="give its path instead"):
        given_pixels(image, "images[0]", (None, None))


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_orientation_is_applied_by_either_reader(turn):
    files = [written(dtype, 3, extratags=[(274, 3, 1, turn, False)]) for dtype in ("u2", "f4")]
    (one, _, size), (other, _, same) = (decode(content) for content in files)
    assert size == same == header_size(files[1]) == ((HEIGHT, WIDTH) if turn < 5 else (WIDTH, HEIGHT))
    assert np.abs(one.astype(int) - other).max() <= 1


def test_white_may_be_zero_and_bits_may_be_twelve():
    for dtype in ("u1", "u2", "u4", "f4"):
        inverted = decode(written(dtype, 1, photometric="miniswhite"))[0]
        assert np.abs(inverted - (255 - shown(1))).max() < 2, dtype
    values = np.rint(BANDS[..., :3] * 4095).astype(np.uint16)
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric="rgb", planarconfig="contig")
    pixels, remark, _ = decode(file.getvalue())
    assert pixels.max() == 4095 >> 8, "colour of 16 bits that uses 12 is as Pillow reads it"
    assert remark == Remark.NONE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: written("u1", 5, planarconfig="contig"), r"a TIFF file of 5 bands of uint8 \(MINISBLACK\)"),
        (lambda: written("f4", 5, planarconfig="separate"), r"a TIFF file of 5 bands of float32 \(MINISBLACK\)"),
        (lambda: written("u4", 4, extrasamples=["unassalpha"]), "whose transparency has no known range"),
        (lambda: written("f4", 3, compression="lzma"), "compressed as LZMA"),
    ],
)
def test_what_is_no_picture_is_unsupported_and_says_what_to_do(content, reason):
    with pytest.raises(UndecodableError, match=reason) as caught:
        decode(content(), ".tif")
    assert caught.value.kind == "unsupported"
    assert "convert it to 8 or 16 bits of grey or RGB" in caught.value.remedy


def test_a_compression_that_takes_another_package_names_it(monkeypatch):
    def absent(*_, **__):
        raise ValueError("<COMPRESSION.ADOBE_DEFLATE: 8> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", absent)
    with pytest.raises(UndecodableError, match="compressed as ADOBE_DEFLATE") as caught:
        decode(written("f4", 3, compression="zlib"))
    assert caught.value.remedy.startswith("pip install imagecodecs, or convert it")


def test_a_deflated_bomb_is_refused_before_it_is_inflated():
    content = bytearray(written("f4", 3, compression="zlib"))
    bomb = zlib.compress(bytes(1 << 30), 1)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        for name, value in (("StripOffsets", len(content)), ("StripByteCounts", len(bomb))):
            tag = page.tags[name]
            assert tag.count == 1
            offset = tag.valueoffset
            size = {3: 2, 4: 4, 16: 8}[int(tag.dtype)]
            content[offset : offset + max(size, 4)] = value.to_bytes(max(size, 4), "little")
            content[tag.offset + 2 : tag.offset + 4] = (4).to_bytes(2, "little")
    with pytest.raises(UndecodableError, match="grows beyond its size") as caught:
        decode(bytes(content + bomb))
    assert caught.value.kind == "too large"


def test_cut_and_flipped_files_are_read_or_are_a_fault():
    draw, outcomes = random.Random(0), Counter()
    whole = [written("f4", 3), written("u2", 3, planarconfig="separate"), written("f8", 1, compression="zlib")]
    whole.append(written("u4", 1, compression="zlib", predictor=True, tile=(16, 16)))
    for _ in range(300):
        content = bytearray(draw.choice(whole))
        if draw.random() < 0.4:
            cut = content[: draw.randrange(len(content))]
            with pytest.raises(UndecodableError):
                decode(bytes(cut), ".tif")
            continue
        for _ in range(draw.randrange(1, 4)):
            content[draw.randrange(min(len(content), draw.choice([400, 100_000])))] ^= 1 << draw.randrange(8)
        try:
            outcomes[decode(bytes(content), ".tif")[0].shape[0]] += 1
        except UndecodableError as error:
            outcomes[error.kind] += 1
    assert outcomes[3] > 20
    assert outcomes["broken"] > 20


@pytest.mark.parametrize(
    ("values", "dtype", "expected", "remark"),
    [
        ([0.0] * 98 + [0.5, 1.01], "f4", [0] * 98 + [128, 255], Remark.CLIPPED),
        ([0.0] * 98 + [-0.01, 1.0], "f8", [0] * 99 + [255], Remark.CLIPPED),
        ([0.0, 0.5, 1.0, 2.0], "f4", [0, 64, 128, 255], Remark.STRETCHED),
        ([0.0, 1.0], "f2", [0, 255], Remark.NONE),
        ([0.0, 10.0], "f4", [0, 10], Remark.DIM),
        ([0.0, 200.0], "f4", [0, 200], Remark.NONE),
        ([0.0, 256.0], "f4", [0, 255], Remark.STRETCHED),
        ([-1.0, 1.0], "f4", [0, 255], Remark.STRETCHED),
        ([0, 4095], "i4", [0, 16], Remark.DIM),
        ([0, 256], "u4", [0, 1], Remark.DIM),
        ([0, 4096], "i4", [0, 16], Remark.NONE),
        ([0, 7], "u4", [0, 7], Remark.DIM),
        ([0, 255], "i4", [0, 255], Remark.NONE),
        ([0, 70000], "u4", [0, 255], Remark.STRETCHED),
        ([0, 0], "f4", [0, 0], Remark.NONE),
        ([0, 4095], "u2", [0, 16], Remark.DIM),
        ([0, 65535], "u2", [0, 255], Remark.NONE),
    ],
)
def test_what_is_guessed_of_a_range_is_said(values, dtype, expected, remark):
    found, said = to_bytes(np.array([values], dtype=dtype))
    assert (found.tolist(), said) == ([expected], remark)
