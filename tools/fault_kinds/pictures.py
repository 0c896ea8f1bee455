"""Images of every format, mode and depth, sound and damaged: the pixels that were written, or a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageOps

from fault_kinds.child import call
from fault_kinds.world import FaultType, World

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """A file and what is seen of it.

    Attributes:
        what: Format, mode, depth.
        ending: Of its name.
        content: Its bytes.
        seen: [H, W, 3] in 0..255; of values without an agreed range only their order counts.
        near: How far pixels may be from it.
        agreed: Whether its range is.
        common: Whether a reader has to read it; what is not may be refused in a sentence.
    """

    what: str
    ending: str
    content: bytes
    seen: Floats
    near: float = 1.5
    agreed: bool = True
    common: bool = True


def _bands(draw: Random) -> Floats:
    """[H, W, 5] in 0..1, smooth, of any small size."""
    height, width = draw.randrange(1, 40), draw.randrange(1, 40)
    y, x = np.mgrid[:height, :width] / 40
    turns = [(draw.uniform(1, 6), draw.uniform(1, 6), draw.uniform(0, 6)) for _ in range(5)]
    return np.stack([0.5 + 0.5 * np.sin(a * x + b * y + c) for a, b, c in turns], -1)


def _shown(values: Floats, alpha: bool) -> Floats:
    """[H, W, 1..4] in 0..1, the last band being opacity or not, on white."""
    colour = values[..., :-1] if alpha else values
    colour = np.repeat(colour, 3, -1) if colour.shape[-1] == 1 else colour
    return 255 * (colour * values[..., -1:] + 1 - values[..., -1:] if alpha else colour)


def _steps(values: Floats, top: int) -> npt.NDArray[np.int64]:
    return np.rint(values * top).astype(np.int64)


_UPRIGHT: dict[int, Callable[[Any], Any]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
"""EXIF's numbers: what makes the stored array upright."""


def _png(draw: Random) -> Picture:
    bands, chunk = _bands(draw), b""
    kind, count = draw.choice([(0, 1), (2, 3), (3, 1), (4, 2), (6, 4)])
    depth = draw.choice({0: [1, 2, 4, 8, 16], 3: [1, 2, 4, 8]}.get(kind, [8, 16]))
    top = 2**depth - 1
    stored = _steps(bands[..., :count], top)
    seen = _shown(stored / top, kind in (4, 6))
    if kind == 3:
        palette = np.random.default_rng(draw.randrange(999)).integers(0, 256, (top + 1, 3))
        opacity = np.where(np.arange(top + 1) % 3, 255, draw.choice([0, 128, 255]))
        seen = _shown(np.dstack([palette[stored[..., 0]], opacity[stored]]) / 255, True)
        chunk = _chunk(b"PLTE", palette.astype(np.uint8).tobytes()) + _chunk(b"tRNS", bytes(opacity.tolist()))
    rows = []
    for row in stored.reshape(len(stored), -1):
        cells = np.packbits(np.unpackbits(row.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, -depth:])
        rows.append(b"\0" + cells.tobytes())
    head = struct.pack(">IIBBBBB", bands.shape[1], bands.shape[0], depth, kind, 0, 0, 0)
    body = _chunk(b"IHDR", head) + chunk + _chunk(b"IDAT", zlib.compress(b"".join(rows))) + _chunk(b"IEND", b"")
    return Picture(
        f"PNG, colour type {kind}, {depth} bits", ".png", b"\x89PNG\r\n\x1a\n" + body, seen, 2.5 if depth == 16 else 1.5
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _pnm(draw: Random) -> Picture:
    sign, top = draw.choice("123456"), draw.choice([1, 7, 255, 1023, 4095, 65535])
    top = 1 if sign in "14" else top
    stored = _steps(_bands(draw)[..., : 3 if sign in "36" else 1], top)
    head = f"P{sign}\n# made\n{stored.shape[1]} {stored.shape[0]}\n" + (
        f"{top}\n" if top > 1 or sign not in "14" else ""
    )
    if sign in "123":
        body = "\n".join(" ".join(map(str, row)) for row in stored.reshape(len(stored), -1).tolist()).encode()
    elif sign == "4":
        body = np.packbits(stored[..., 0].astype(np.uint8), axis=1).tobytes()
    else:
        body = stored.astype(">u2" if top > 255 else "u1").tobytes()
    seen = _shown(stored / top, False)
    ending = draw.choice([".pnm", {"1": ".pbm", "4": ".pbm", "2": ".pgm", "5": ".pgm"}.get(sign, ".ppm")])
    return Picture(f"P{sign} up to {top}", ending, head.encode() + body, 255 - seen if sign in "14" else seen)


_TOPS: dict[str, list[float]] = {
    "u1": [255],
    "u2": [65535, 4095],
    "u4": [65535, 4095, 2**31],
    "i2": [2000],
    "i4": [2000],
}
_TOPS |= {"f2": [1, 1.04], "f4": [1, 1.04, 255, 1000], "f8": [1, 1.04, 1e6]}


def _tiff(draw: Random) -> Picture:
    dtype = draw.choice(sorted(_TOPS))
    top, count = draw.choice(_TOPS[dtype]), draw.choice([1, 1, 3, 3, 4])
    bands = _bands(draw)[..., :count]
    if count == 4 and (dtype in ("u4", "i2", "i4") or top not in (1, 255, 65535)):
        bands, count = bands[..., :3], 3
    low = top * 0.04 if top == 1.04 else 1000 if dtype[0] == "i" else 0
    stored = bands * (top + low) - low
    stored = (stored if dtype[0] == "f" else np.rint(stored)).astype(dtype)
    options: dict[str, Any] = {"photometric": "rgb" if count > 1 else draw.choice(["minisblack", "miniswhite"])}
    options |= {"extrasamples": ["unassalpha"]} if count == 4 else {}
    options |= {"compression": draw.choice([None, "zlib"]), "byteorder": draw.choice("<>")}
    options |= {"tile": draw.choice([None, (16, 16)]), "bigtiff": draw.random() < 0.1}
    apart = count > 1 and draw.random() < 0.4
    turn = draw.choice([1, 1, *range(2, 9)])
    written = np.moveaxis(stored, -1, 0) if apart else stored[..., 0] if count == 1 else stored
    file = io.BytesIO()
    options |= {"planarconfig": "separate" if apart else "contig"} if count > 1 else {}
    tifffile.imwrite(file, written, extratags=[(274, 3, 1, turn, False)], **options)
    agreed = dtype in ("u1", "u2") or (dtype[0] == "f" and top == 1)
    unit = {"u2": 65535}.get(dtype, 1 if top == 1.04 else top)
    values = np.clip(stored.astype(np.float64) / unit, -1e9 if dtype[0] == "i" else 0, 1)
    seen = _shown(values, count == 4)
    seen = 255 - seen if options["photometric"] == "miniswhite" else seen
    what = f"TIFF, {count} of {dtype} up to {top:g}, turned {turn}, " + ", ".join(
        f"{k} {v}" for k, v in options.items()
    )
    return Picture(what, draw.choice([".tif", ".tiff"]), file.getvalue(), _UPRIGHT[turn](seen), 2.5, agreed, agreed)


_SAVED: tuple[tuple[str, str, str, dict[str, Any], float], ...] = (
    *((".bmp", "BMP", mode, {}, 1.5) for mode in ("1", "L", "P", "RGB")),
    *((".gif", "GIF", mode, {}, 1.5) for mode in ("1", "L", "P")),
    *((".webp", "WEBP", mode, {"lossless": True, "exact": True}, 1.5) for mode in ("RGB", "RGBA")),
    *((".jpg", "JPEG", mode, {"quality": 98, "subsampling": 0}, 14.0) for mode in ("L", "RGB", "CMYK")),
    *((".jp2", "JPEG2000", mode, {}, 1.5) for mode in ("L", "LA", "RGB", "RGBA")),
    *((".tga", "TGA", mode, {}, 1.5) for mode in ("L", "LA", "P", "RGB", "RGBA")),
    *((".tga", "TGA", mode, {"compression": "tga_rle"}, 1.5) for mode in ("L", "RGB", "RGBA")),
    *((".pcx", "PCX", mode, {}, 1.5) for mode in ("1", "L", "P", "RGB")),
    *((".sgi", "SGI", mode, {}, 1.5) for mode in ("L", "RGB", "RGBA")),
    *((".qoi", "QOI", mode, {}, 1.5) for mode in ("RGB", "RGBA")),
    *((".tif", "TIFF", mode, {"compression": "tiff_lzw"}, 1.5) for mode in ("L", "LA", "P", "RGB", "RGBA", "CMYK")),
    *((".tif", "TIFF", mode, {"compression": "packbits"}, 1.5) for mode in ("1", "L", "RGB", "I;16")),
    (".tif", "TIFF", "1", {"compression": "group4"}, 1.5),
    (".tif", "TIFF", "RGB", {"compression": "jpeg", "quality": 98}, 24.0),
    (".png", "PNG", "RGB", {}, 1.5),
    (".png", "PNG", "RGBA", {}, 1.5),
)
_TURNS = {"JPEG", "PNG", "WEBP", "TIFF"}


def _saved(draw: Random) -> Picture:
    ending, form, mode, options, near = draw.choice(_SAVED)
    bands, turn = _bands(draw), draw.choice([1, 1, *range(2, 9)]) if form in _TURNS else 1
    count = {"LA": 2, "RGB": 3, "P": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1)
    stored = _steps(bands[..., :count], 255).astype(np.uint8)
    if mode == "I;16":
        image, seen = Image.fromarray(_steps(bands[..., 0], 65535).astype(np.uint16)), _shown(bands[..., :1], False)
    elif mode == "P":
        image = Image.fromarray(stored).quantize(16)
        palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
        seen = palette[np.asarray(image)].astype(np.float64)
    elif mode == "1":
        image = Image.fromarray(stored[..., 0] > 127)
        seen = _shown((stored > 127).astype(np.float64), False)
    else:
        image = Image.fromarray(stored[..., 0] if count == 1 else stored, mode if mode in ("LA", "CMYK") else None)
        seen = _shown(stored / 255, mode in ("LA", "RGBA"))
    if mode == "CMYK":
        ink = stored / 255
        seen = 255 * (1 - ink[..., :3]) * (1 - ink[..., 3:])
    file = io.BytesIO()
    if turn > 1:
        exif = Image.Exif()
        exif[0x0112] = turn
        options = {**options, "exif": exif}
    image.save(file, form, **options)
    what = f"{form}, {mode}, turned {turn}, {options.get('compression', '')}"
    return Picture(what, ending, file.getvalue(), _UPRIGHT[turn](seen), near)


def _spoiled(draw: Random, picture: Picture) -> tuple[Picture, bool]:
    """A picture that something happened to, and whether it is still sound."""
    content, kind = (
        picture.content,
        draw.choice(["none"] * 5 + ["cut", "cut", "bits", "bits", "hole", "more", "name", "other"]),
    )
    at, changed = draw.randrange(len(content)), bytearray(content)
    if kind == "none":
        return picture, True
    if kind == "cut":
        content = content[:at]
    elif kind == "bits":
        for _ in range(draw.choice([1, 1, 2, 8])):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        content = bytes(changed)
    elif kind == "hole":
        content = bytes(changed[:at]) + b"\0" * min(512, len(changed) - at) + bytes(changed[at + 512 :])
    elif kind == "more":
        content += draw.choice([b"\0" * 100, b"garbage" * 9, content])
    elif kind == "other":
        content = draw.choice(
            [b"", b"\0" * 99, b"<!doctype html><p>404", b"version https://git-lfs.github.com/spec/v1\n"]
        )
    named = replace(picture, what=f"{picture.what}; {kind}", content=content)
    if kind == "name":
        return replace(named, ending=draw.choice([".jpg", ".png", ".webp", ".tiff"]), common=False), True
    return replace(named, common=False), kind == "more" and picture.ending not in (".tga", ".pcx")


def _read(folder: Path) -> tuple[npt.NDArray[np.uint8] | None, list[str], list[str]]:
    """What the official reader makes of `it.*`: pixels [H, W, 3] or None, notes, and what is said of that file."""
    import rankhub
    from rankhub.interfaces.data import OpenContext

    data = rankhub.build("dataset", {"use": "image_folder", "root": str(folder)})
    report = data.open(OpenContext(folder.parent / "cache", 1 << 30, lambda *_: None))
    rows = [" ".join(map(str, row.values())) for table in report.tables.values() for row in table]
    paths = data.facts("path")
    at = next((number for number, path in enumerate(paths) if path.startswith("it.")), None)
    pixels = None if at is None else data[at].image.numpy().transpose(1, 2, 0).copy()
    return pixels, list(report.notes), [row for row in rows if "it." in row]


def _references(content: bytes) -> list[Floats]:
    """What other readers make of the bytes, [H, W, 3]; deep ones in their own range."""
    found = []
    for read in (_by_pillow, _by_tifffile):
        try:
            found.append(read(content))
        except Exception:  # it refuses
            continue
    return found


def _by_pillow(content: bytes) -> Floats:
    image: Image.Image = Image.open(io.BytesIO(content))
    image.load()
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # the pixels are fine
        image = image.copy()
    if image.mode[0] in "IF":
        return np.repeat(np.asarray(image).astype(np.float64)[..., None], 3, -1)
    return _shown(np.asarray(image.convert("RGBA")) / 255, True)


def _by_tifffile(content: bytes) -> Floats:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        values = page.asarray().astype(np.float64)
        values = np.moveaxis(values, 0, -1) if page.axes == "SYX" else values
        values = values if values.ndim == 3 else values[..., None]
        turn = page.tags.get("Orientation")
        values = values[..., : 3 if values.shape[-1] >= 3 else 1] * (-1 if page.photometric == 0 else 1)
        return np.asarray(_UPRIGHT[turn.value if turn else 1](np.broadcast_to(values, (*values.shape[:2], 3))))


def _alike(pixels: Floats, seen: Floats, near: float, agreed: bool) -> bool:
    if pixels.shape != seen.shape:
        return False
    if np.abs(pixels - seen).max() <= near:
        return True
    if agreed or np.ptp(seen) == 0 or np.ptp(pixels) <= 40:
        return not agreed and np.ptp(seen) == 0
    with np.errstate(all="ignore"):
        return bool(np.corrcoef(pixels.ravel(), np.nan_to_num(seen).ravel())[0, 1] > 0.97)


def picture(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """One image file, among which a sound one, in the official reader."""
    made, sound = _spoiled(
        draw, draw.choice([_png, _png, _pnm, _tiff, _tiff, _tiff, _saved, _saved, _saved, _saved])(draw)
    )
    folder = root / "images"
    folder.mkdir()
    Image.new("RGB", (9, 9), (1, 2, 3)).save(folder / "sound.png")
    (folder / f"it{made.ending}").write_bytes(made.content)
    told = call(partial(_read, folder), root)
    if told.broken is not None or told.sentence is not None:
        return made.what, told.broken or f"one bad image stops the folder: {told.sentence}"
    pixels, notes, said = told.value
    if told.grown > 400:
        return made.what, f"takes {told.grown:.0f} MB"
    if pixels is None:
        if made.common and sound:
            return made.what, f"sound, yet refused: {said}"
        return made.what, None if said and len(said[0]) > len("it.png broken") else "left out without a word"
    pixels, guessed = pixels.astype(np.float64), any("range" in note for note in notes)
    if sound:
        right = _alike(pixels, made.seen, made.near, made.agreed) or (not made.agreed and guessed)
        return made.what, None if right else f"OTHER PIXELS, by up to {_apart(pixels, made.seen)}; notes: {notes}"
    references = [made.seen, *call(partial(_references, made.content), root).value]
    near = any(_alike(pixels, seen, max(made.near, 2.5), agreed) for seen in references for agreed in (True, False))
    return made.what, None if near or guessed else f"PIXELS that no other reader gives; {len(references) - 1} read it"


def _apart(pixels: Floats, seen: Floats) -> str:
    if pixels.shape != seen.shape:
        return f"size {pixels.shape[:2]} in place of {seen.shape[:2]}"
    return f"{np.abs(pixels - seen).max():.1f}"


KINDS = [FaultType("images", 500, picture, 40, runs=False)]
