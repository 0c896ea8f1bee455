"""Memory while images are decoded is bounded, whatever they announce."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter

import numpy as np
from PIL import Image

from rankhub_data import reading
from rankhub_data.decode import decode, from_pil
from rankhub_data.reading import list_folder


def test_few_pixels_are_in_flight_and_images_too_large_for_the_room_are_decoded_alone(tmp_path, monkeypatch):
    sizes = [(8, 8), (200, 100), (9, 8), (201, 100), (10, 8), (30, 30)] * 20
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (number, 0, 0)).save(tmp_path / f"{number:03d}.png")
    most, now, lock = Counter(), Counter(), threading.Lock()

    def watched(data, ending, admit=None):
        def told(pixels):
            if admit is not None:
                admit(pixels)
            with lock:
                kind = "alone" if admit is None else "beside others"
                now[kind] += pixels
                most[kind] = max(most[kind], now[kind])

        pixels, remark, size = decode(data, ending, admit=told)
        with lock:
            now["alone" if admit is None else "beside others"] -= pixels[0].size
        return pixels, remark, size

    monkeypatch.setattr(reading, "_ROOM", 2000)
    monkeypatch.setattr(reading, "_ROOM_A_CORE", 0)
    files = list_folder(tmp_path, None).files
    done = []
    found = []
    for result in reading._decode_all(tmp_path, files, watched, lambda *progress: done.append(progress)):
        assert result.pixels[0].size == sizes[len(found)][0] * sizes[len(found)][1]
        found.append(result.pixels[0, 0, 0])
    assert found == list(range(len(sizes)))
    assert done[-1][:2] == (len(sizes), len(sizes))
    assert most["alone"] <= 201 * 100
    assert most["beside others"] <= 2000


def test_a_small_file_of_many_pixels_takes_few_copies(tmp_path):
    Image.new("RGBA", (4000, 4000), (200, 0, 0, 128)).save(tmp_path / "bomb.png")
    code = (
        "import resource, sys; from rankhub_data.decode import decode\n"
        "from rankhub_listing.formats import learn_formats; learn_formats()\n"
        "data = open(sys.argv[1], 'rb').read(); decode(open(sys.argv[2], 'rb').read())\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "pixels = decode(data)[0]\n"
        "assert pixels[:, 3999, 3999].tolist() == [227, 127, 127], pixels[:, 3999, 3999]\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 16e6)"
    )
    Image.new("RGBA", (4, 4), (200, 0, 0, 128)).save(tmp_path / "small.png")
    args = [sys.executable, "-c", code, str(tmp_path / "bomb.png"), str(tmp_path / "small.png")]
    bytes_a_pixel = float(subprocess.run(args, capture_output=True, text=True, check=True).stdout)
    assert bytes_a_pixel < 11, "the decoded image has 4, the pixels that are kept 3, and the rest is small"


def test_strips_change_nothing(monkeypatch):
    draw = np.random.default_rng(0)
    images = [Image.fromarray(draw.integers(0, 256, (37, 23, 4), dtype=np.uint8))]
    images += [images[0].convert(mode) for mode in ("RGB", "L", "LA", "CMYK", "La")] + [
        images[0].convert("RGB").quantize(9)
    ]
    images[-1].info["transparency"] = 3
    for image in images:
        whole = from_pil(image, resize=11), from_pil(image)
        with monkeypatch.context() as patched:
            patched.setattr("rankhub_data.decode._AT_ONCE", 50)
            strips = from_pil(image, resize=11), from_pil(image)
        for one, other in zip(whole, strips, strict=True):
            assert np.array_equal(one, other), image.mode
