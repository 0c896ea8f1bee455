"""Which files are images, which of them Pillow reads here, and what reads the others."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, slots=True)
class Foreign:
    """A format that Pillow does not read by itself.

    Attributes:
        name: What people call it.
        package: The package on PyPI that reads it.
        module: The module of that package whose import teaches Pillow the format; None if it cannot be taught,
            so that the files have to be converted.
        register: A function of that module to call after the import, if there is one.
        pillow_id: Pillow's name of the format once it is taught.
    """

    name: str
    package: str
    module: str | None = None
    register: str | None = None
    pillow_id: str | None = None

    @property
    def remedy(self) -> str:
        """What the user can do, as the end of a sentence."""
        if self.module is not None:
            return f"pip install {self.package}"
        return f"{self.package} reads it: convert the file to PNG or JPEG first"


_HEIF = Foreign("HEIF", "pillow-heif", "pillow_heif", "register_heif_opener", "HEIF")
_AVIF = Foreign("AVIF", "pillow-avif-plugin", "pillow_avif", None, "AVIF")
_JXL = Foreign("JPEG XL", "pillow-jxl-plugin", "pillow_jxl", None, "JXL")
_RAW = Foreign("camera raw", "rawpy")
_SVG = Foreign("SVG", "cairosvg")
_EXR = Foreign("OpenEXR", "OpenEXR")
_RADIANCE = Foreign("Radiance HDR", "imageio")
_DICOM = Foreign("DICOM", "pydicom")
_JXR = Foreign("JPEG XR", "imagecodecs")
_SLIDE = Foreign("whole-slide image", "openslide-python")

FOREIGN: dict[str, Foreign] = {
    **dict.fromkeys((".heic", ".heif", ".hif"), _HEIF),
    **dict.fromkeys((".avif", ".avifs"), _AVIF),
    ".jxl": _JXL,
    # Several of these are TIFF inside: Pillow would take the thumbnail for the photo, so the ending decides.
    **dict.fromkeys((".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos"), _RAW),
    **dict.fromkeys((".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf"), _RAW),
    **dict.fromkeys((".srw", ".x3f"), _RAW),
    **dict.fromkeys((".svg", ".svgz"), _SVG),
    ".exr": _EXR,
    ".hdr": _RADIANCE,
    **dict.fromkeys((".dcm", ".dicom"), _DICOM),
    **dict.fromkeys((".jxr", ".wdp", ".hdp"), _JXR),
    **dict.fromkeys((".svs", ".ndpi", ".mrxs", ".scn"), _SLIDE),
}
"""Ending -> format, for what Pillow does not read out of the box (AVIF: before Pillow 11.3)."""

# Formats that a file's first bytes tell apart. Ghostscript's and other formats that start a program are left out
# on purpose: a file of any ending may hold them.
_BY_CONTENT = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF", "JXL")
_BY_CONTENT_RARE = ("PSD", "QOI", "ICO", "ICNS", "SGI", "DDS")
# Formats without a reliable mark: tried only where the ending says so, else noise passes for an image.
_BY_ENDING = {".tga": "TGA", ".icb": "TGA", ".vda": "TGA", ".vst": "TGA", ".pcx": "PCX", ".dib": "DIB"}

READABLE: frozenset[str] = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"}
    | {".psd", ".qoi", ".ico", ".icns", ".sgi", ".dds"}
    | _BY_ENDING.keys()
)
"""Endings, in lower case, of the images that Pillow reads by itself."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"BM", "BMP"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def learn_formats() -> frozenset[str]:
    """Load all of Pillow's readers, and those that installed packages add.

    Called before threads decode: Pillow's own loading is not made for several threads at once.

    Returns:
        Pillow's names of the formats that can be read now.
    """
    Image.init()
    for foreign in (_HEIF, _AVIF, _JXL):
        if foreign.pillow_id in Image.OPEN or foreign.module is None:
            continue
        try:
            module = importlib.import_module(foreign.module)
            if foreign.register is not None:
                getattr(module, foreign.register)()
        except Exception:  # absent, or broken in any way a third party's package can be: the format is just not read
            continue
    return frozenset(Image.OPEN)


def unread(ending: str) -> Foreign | None:
    """The format of ``ending`` (lower case, with the dot) if it cannot be read here; None if it can."""
    foreign = FOREIGN.get(ending)
    if foreign is None or (foreign.pillow_id is not None and foreign.pillow_id in Image.OPEN):
        return None
    return foreign


def candidates(ending: str) -> Iterator[str]:
    """Pillow's formats to try, in order, for a file of the given ending."""
    if ending in _BY_ENDING:
        yield _BY_ENDING[ending]
    for name in _BY_CONTENT + _BY_CONTENT_RARE:
        if name in Image.OPEN:
            yield name


def looks_like_image(head: bytes) -> bool:
    """Whether a file without an ending starts like one of the common formats; ``head`` is its first 16 bytes."""
    return (
        any(head.startswith(mark) for mark, name in _MAGIC if name != "BMP")
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or foreign_content(head) is not None
    )


def foreign_content(head: bytes) -> Foreign | None:
    """The foreign format that a file's first bytes show, whatever its ending (phones write HEIF named .jpg)."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in (b"avif", b"avis"):
            return _AVIF
        if brand in _HEIF_BRANDS:
            return _HEIF
        if brand == b"crx ":
            return _RAW
    if head.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")):
        return _JXL
    if head.startswith(b"v/1\x01"):
        return _EXR
    return None


def what_it_is(head: bytes) -> str:
    """Why Pillow could not identify a file, from its first bytes (at least 64, or all)."""
    text = head.lstrip().lower()
    if not head:
        return "the file is empty"
    if not head.strip(b"\x00"):
        return "the file holds only zeros"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer instead of the image: run `git lfs pull`"
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page instead of an image: a failed download"
    if text.startswith((b"<svg", b"<?xml")):
        return "an SVG or XML document"
    if text.startswith(b"%pdf"):
        return "a PDF document"
    for mark, name in _MAGIC:
        if head.startswith(mark):
            return f"a damaged or cut off {name} file"
    return "not an image format that Pillow knows"
