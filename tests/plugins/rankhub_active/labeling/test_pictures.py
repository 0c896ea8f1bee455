"""Images as a browser is given them."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from rankhub_active.labeling.pictures import Unseen, shown, size
from rankhub_data.decode import decode

ORIENTATION = 0x0112
PIXELS = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3
"""[4, 6, 3]: 6 wide, 4 high, every value another."""


def write(file, image: Image.Image | None = None, orientation: int | None = None, **options):
    image = Image.fromarray(PIXELS) if image is None else image
    if orientation is not None:
        options["exif"] = image.getexif()
        options["exif"][ORIENTATION] = orientation
    image.save(file, **options)
    return file


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("a.gif", "image/gif"),
        ("a.bmp", "image/bmp"),
        ("a.webp", "image/webp"),
    ],
)
def test_what_browsers_show_is_sent_as_it_is(tmp_path, name, kind):
    file = write(tmp_path / name)
    assert shown(file) == (file.read_bytes(), kind)
    assert size(file) == (4, 6)


def test_the_content_counts_not_the_ending(tmp_path):
    file = write(tmp_path / "a.png", format="JPEG")
    assert shown(file)[1] == "image/jpeg"


@pytest.mark.parametrize("name", ["a.tif", "a.jp2", "a.ppm"])
def test_other_formats_are_sent_as_png_of_the_same_pixels(tmp_path, name):
    options = {"irreversible": False} if name == "a.jp2" else {}
    data, kind = shown(write(tmp_path / name, **options))
    assert kind == "image/png"
    np.testing.assert_array_equal(pixels(data), PIXELS)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp"])
def test_a_turned_image_is_upright(tmp_path, name, orientation):
    """Against the eight transformations of the EXIF standard, written out."""
    rows, columns = PIXELS.swapaxes(0, 1), PIXELS
    upright = {
        1: columns,
        2: columns[:, ::-1],
        3: columns[::-1, ::-1],
        4: columns[::-1],
        5: rows,
        6: rows[:, ::-1],
        7: rows[::-1, ::-1],
        8: rows[::-1],
    }[orientation]
    options = {"lossless": True} if name == "a.webp" else {}
    file = write(tmp_path / name, orientation=orientation, **options)
    np.testing.assert_array_equal(pixels(shown(file)[0]), upright)
    assert size(file) == upright.shape[:2]


def test_a_jpeg_is_turned_by_the_browser(tmp_path):
    file = write(tmp_path / "a.jpg", orientation=6)
    assert shown(file) == (file.read_bytes(), "image/jpeg")
    assert size(file) == (6, 4)


def test_a_jpeg_that_only_xmp_turns_is_turned_here(tmp_path):
    """Pillow, and with it the network, reads the orientation from XMP as well; browsers do not."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    file = write(tmp_path / "a.jpg", xmp=xmp)
    data, kind = shown(file)
    assert (kind, pixels(data).shape, size(file)) == ("image/png", (6, 4, 3), (6, 4))


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "F", "P"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_a_turned_image_of_any_mode_is_upright(tmp_path, mode, orientation):
    grey = PIXELS[..., 0]
    made = Image.fromarray(grey.astype({"I;16": "u2", "F": "f4"}.get(mode, "u1")))
    file = write(tmp_path / "a.tif", made if made.mode == mode else made.convert(mode), orientation=orientation)
    upright = grey[::-1, ::-1] if orientation == 3 else grey.T[:, ::-1]
    seen = pixels(shown(file)[0])[..., 0].astype(int)
    assert size(file) == seen.shape == upright.shape
    np.testing.assert_array_equal(np.argsort(seen, axis=None), np.argsort(upright, axis=None))  # stretched or not


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_are_stretched_to_be_seen(tmp_path, name):
    deep = np.array([[1000, 2000], [3000, 5000]], dtype=np.uint16)
    data, kind = shown(write(tmp_path / name, Image.fromarray(deep)))
    assert kind == "image/png"
    np.testing.assert_array_equal(pixels(data)[..., 0], [[0, 64], [128, 255]])


@pytest.mark.parametrize("values", [[[0.5, 0.5]], [[np.nan, np.nan]], [[0.0, np.inf]]])
def test_floats_without_a_range_are_shown_all_the_same(tmp_path, values):
    data, _ = shown(write(tmp_path / "a.tif", Image.fromarray(np.array(values, dtype=np.float32))))
    assert pixels(data).shape == (1, 2, 3)


def test_of_an_animation_the_first_picture_is_shown(tmp_path):
    first, second = Image.new("RGB", (5, 3), (255, 0, 0)), Image.new("RGB", (5, 3), (0, 255, 0))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    data, kind = shown(tmp_path / "a.gif")
    assert (kind, pixels(data)[0, 0].tolist()) == ("image/png", [255, 0, 0])


def test_a_large_image_keeps_its_size(tmp_path):
    file = write(tmp_path / "a.tif", Image.new("1", (9000, 10)))
    assert pixels(shown(file)[0]).shape == (10, 9000, 3)


@pytest.mark.parametrize("ask", [shown, size])
def test_what_cannot_be_shown_is_a_sentence(tmp_path, ask):
    with pytest.raises(Unseen, match=r"gone\.png is not there"):
        ask(tmp_path / "gone.png")
    (tmp_path / "page.png").write_text("<html><script>alert(1)</script></html>")
    with pytest.raises(Unseen, match=r"page\.png holds no image that can be read"):
        ask(tmp_path / "page.png")
    with pytest.raises(Unseen, match="cannot be read: "):
        ask(tmp_path)
    (tmp_path / "a.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    with pytest.raises(Unseen, match=r"a\.eps holds no image"):
        ask(tmp_path / "a.eps")


def test_a_cut_off_file_is_a_sentence(tmp_path):
    file = write(tmp_path / "a.tif", Image.new("RGB", (64, 64)))
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(Unseen, match=r"a\.tif cannot be read"):
        shown(file)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_tiff_files_that_pillow_misreads_are_shown_as_a_network_sees_them(tmp_path, dtype, orientation):
    values = PIXELS.transpose(2, 0, 1).astype(float) * (257 if dtype == "u2" else 1 / 255)
    file = tmp_path / "a.tif"
    turn = [(ORIENTATION, 3, 1, orientation, False)]
    tifffile.imwrite(file, values.astype(dtype), photometric="rgb", planarconfig="separate", extratags=turn)
    seen = pixels(shown(file)[0])
    expected = PIXELS if orientation == 1 else np.rot90(PIXELS, -1)
    assert np.abs(seen.astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(seen, decode(file.read_bytes(), ".tif")[0].transpose(1, 2, 0))
    assert size(file) == seen.shape[:2]


def test_a_tiff_file_of_many_bands_says_so(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 6, 5), "u1"), photometric="minisblack", planarconfig="contig")
    with pytest.raises(Unseen, match=r"a\.tif cannot be read: a TIFF file of 5 bands of uint8"):
        shown(tmp_path / "a.tif")
