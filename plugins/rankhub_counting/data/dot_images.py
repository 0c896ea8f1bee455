"""Images with an image of dots beside each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.options import Ge, Lt
from rankhub_counting.data.base import DividedImages
from rankhub_counting.data.dots import Dots, read_dots
from rankhub_counting.data.listing import Marked
from rankhub_data.opened import Listed
from rankhub_data.placed import Floats
from rankhub_data.reading import list_folder
from rankhub_tables.names import composed
from rankhub_tables.wording import some


class DotImages(DividedImages):
    """Images, each with an image of the same size in which every object is a bright dot on a dark ground.

    So are the VGG cells of Lempitsky and Zisserman (NIPS 2010), for which the defaults are. An image and its dots
    belong together if what stands for each ``*`` of their patterns is the same: ``*_*.png`` and ``*_dots_*.png``
    match ``beans_000.png`` and ``beans_dots_000.png``.

    Where dots are single pixels, two that touch are two objects; where they are larger, touching pixels are one. With
    ``dot: auto`` they are taken to be single pixels if at least half of the groups of touching pixels are, over all
    images of the set.

    Tried on the VGG cells as they are released.

    Args:
        images: Pattern of the images' paths below ``root``, with one or more ``*``, which may stand for folders too.
        dots: Pattern of the paths of the images of dots, with as many ``*``. What fits it is no image to count in.
        threshold: Pixels of dots are brighter than this in some channel.
        dot: What marks one object: every bright ``pixel``, every ``blob`` of bright pixels that touch (also at a
            corner; its centre of mass is the point), or ``auto``: what fits the set.
        unit: What is counted, for reports.
    """

    origin: Literal[0, 1] = 0

    def __init__(
        self,
        *,
        root: str,
        images: str = "*cell.png",
        dots: str = "*dots.png",
        threshold: Annotated[int, Ge(0), Lt(255)] = 127,
        dot: Literal["auto", "pixel", "blob"] = "auto",
        unit: str = "objects",
        **options: Any,
    ) -> None:
        for name, pattern in (("images", images), ("dots", dots)):
            if "*" not in pattern or "**" in pattern:
                raise Objection(
                    f"`{name}: {pattern}` needs a `*`, by which an image and its dots are matched, or several with "
                    "something between"
                )
        if images.count("*") != dots.count("*"):
            raise Objection(
                f"`images: {images}` and `dots: {dots}` need as many `*`, which are matched one after another"
            )
        if images == dots:
            raise Objection(f"`images` and `dots` are both {images}, and nothing tells them apart")
        self.unit = unit
        super().__init__(root=root, **options)
        self.images = images
        self.dots = dots
        self.threshold = threshold
        self.dot = dot
        self._dots: Mapping[str, Dots] = {}
        self._pixel = dot == "pixel"

    @property
    def expected(self) -> Sequence[str]:
        """Nothing: images and dots are found by their patterns."""
        return ()

    def find_images(self) -> Listed[Marked]:
        """The images with their dots, and then those without.

        Raises:
            UserError: No image or no image of dots fits its pattern, or dots have no image or more than one.
        """
        paths = [file.path for file in list_folder(self.root, None).files]
        marked = self._fitting("dots", self.dots, paths)
        images = self._fitting("images", self.images, [path for path in paths if path not in marked])
        dots_of = self._paired(images, marked)
        rows = [Marked(path, dots_of[path]) for path in images if path in dots_of]
        others = [path for path in images if path not in dots_of]
        notes = []
        if others:
            notes.append(
                f"images without dots: {len(others):,} ({some(others)}); they have no label, and only "
                "`part: unlabeled` serves them"
            )
        if self.part != "unlabeled":
            self._dots = {row.annotation: read_dots(self.root / row.annotation, self.threshold) for row in rows}
            notes += self._decide()
        return Listed([*rows, *(Marked(path, "") for path in others)], f"the pattern {self.images}", notes)

    def read_points(self, row: Marked, size: tuple[int, int]) -> Floats:
        """[n, 2] x and y of the dots from the edge of the image.

        Raises:
            UserError: The image of dots has another size than the image.
        """
        dots = self._dots[row.annotation]
        if dots.size != size:
            raise UserError(
                f"{self.root / row.annotation} has {dots.size[1]:,} x {dots.size[0]:,} pixels, its image {row.path} "
                f"{size[1]:,} x {size[0]:,}; both must be of one size"
            )
        return dots.pixels if self._pixel else dots.blobs

    def _decide(self) -> list[str]:
        """What a dot is, and a note where it matters."""
        every = self._dots.values()
        pixels, blobs = sum(len(dots.pixels) for dots in every), sum(len(dots.blobs) for dots in every)
        single = sum(dots.single for dots in every)
        if self.dot == "auto":
            self._pixel = 2 * single >= blobs
        if pixels == blobs:
            return []
        found = f"{pixels:,} bright pixels in {blobs:,} groups that touch"
        if self._pixel:
            return [f"each bright pixel is one dot, also where dots touch: {found} (`dot: blob` would take groups)"]
        return [f"each group of bright pixels is one dot, its centre the point: {found}"]

    def _fitting(self, name: str, pattern: str, paths: Sequence[str]) -> dict[str, list[tuple[str, ...]]]:
        """Path -> what may stand for each ``*``: ``a_b_1`` is ``*_*`` in two ways. Only paths that fit."""
        before, *between, after = composed(pattern).split("*")
        whole = re.compile(f"{re.escape(before)}(.*){re.escape(after)}", re.IGNORECASE | re.DOTALL)
        fits = ((path, whole.fullmatch(composed(path))) for path in paths)
        found = {path: list(_ways(match[1], between)) for path, match in fits if match}
        if not any(found.values()):
            raise UserError(f"no image in {self.root} is called {pattern}; set `{name}` to the pattern of their names")
        return {path: ways for path, ways in found.items() if ways}

    def _paired(
        self, images: Mapping[str, Sequence[tuple[str, ...]]], marked: Mapping[str, Sequence[tuple[str, ...]]]
    ) -> dict[str, str]:
        """Image -> its dots, of the images that have some."""
        owner: dict[tuple[str, ...], str] = {}
        for path, ways in images.items():
            for way in ways:
                if (first := owner.setdefault(way, path)) != path:
                    raise UserError(f"{self.root} has {first} and {path}, both {self.images}; keep one of them")
        found: dict[str, str] = {}
        without = []
        for path, ways in marked.items():
            its = sorted({owner[way] for way in ways if way in owner})
            if len(its) > 1:
                raise UserError(
                    f"{path} in {self.root} may be the dots of {some(its)}; say more in `images` and `dots`, or rename "
                    "them"
                )
            if not its:
                without.append(path)
            elif (first := found.setdefault(its[0], path)) != path:
                raise UserError(
                    f"{self.root} has {first} and {path}, both {self.dots} of {its[0]}; keep one of them, or say more "
                    "in `images` and `dots`"
                )
        if without:
            raise UserError(
                f"{len(without):,} of the {len(marked):,} images of dots in {self.root} have no image of the name "
                f"{self.images}: {some(without)}; put the images there, or take the dots out"
            )
        return found


def _ways(text: str, between: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All ways to cut a text at the given texts, each once and in their order, whatever their case."""
    if not between:
        yield (text,)
        return
    for match in re.finditer(f"(?=({re.escape(between[0])}))", text, re.IGNORECASE):
        for rest in _ways(text[match.end(1) :], between[1:]):
            yield (text[: match.start()], *rest)
