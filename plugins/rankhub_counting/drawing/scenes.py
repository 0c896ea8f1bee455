"""Scenes that the program draws, with every point known: a data set for counting that needs no download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext, Sample
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.options import Ge, Gt, Le
from rankhub_counting.drawing.layout import DISC, Style, lay_out
from rankhub_counting.drawing.paint import Pixels, noise_backdrop, paint, photo_backdrop
from rankhub_data.meaning import measured
from rankhub_data.placed import extents
from rankhub_data.skimage_photos import (
    Piece,
    missing_photos,
    photos_of,
    read_pieces,
)
from rankhub_points import PointLabels

Floats = npt.NDArray[np.float64]
Part = Literal["train", "held_out", "unlabeled"]
Backdrops = Literal["both", "noise", "photos"]
Side = Annotated[int, Ge(64), Le(2048)]

_PHOTO_SIDE = 640
"""Longest side in pixels to which photos are reduced before a part of one is taken."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene as it is drawn.

    Attributes:
        pixels: [3, H, W] RGB.
        points: [n, 3] x, y and extent of each disc, from the nearest to the furthest.
        photo: The photo behind it; None for noise.
    """

    pixels: Pixels
    points: Floats
    photo: Piece | None


class DrawnScenes(Dataset):
    """Drawn scenes of textured discs to count: no photos of people, but the difficulties of crowds in small.

    Discs are smaller and denser further up (perspective), gather in crowds, hide one another, differ in colour,
    brightness and size, and lie on noise or on photos. Bars, triangles and crosses of the same sizes, colours and
    textures lie among them and do not count. The number of discs is spread evenly over factors of size.

    A point is a disc's centre, which always lies inside the image. A disc of which nearer things would hide more than
    80 % is neither drawn nor counted, so that every disc that can be seen at all counts, and full scenes have somewhat
    fewer than were drawn by lot.

    The photos are those inside the scikit-image wheel; ``held_out`` scenes lie on photos (chelsea, coffee) and noise
    that no scene to train on has. A scene depends on `seed`, on its side and number and on how scenes look, not on how
    many there are.

    Args:
        part: The scenes to ``train`` on; those ``held_out``; or ``unlabeled``: the scenes to train on that are not
            among the `labels`, served without points (without `labels`: all of them).
        images: Scenes of the side: to train on, with and without labels together, or held out.
        labels: Only so many scenes to train on keep their labels; a smaller number is part of a larger one. The part
            ``held_out`` does not depend on it.
        size: Height and width in pixels, or one number for both.
        fewest: Discs of the emptiest scenes.
        most: Discs of the fullest scenes.
        radius: Radius in pixels of the nearest discs, at the bottom edge; scenes differ from it by up to a quarter.
        perspective: How much smaller the discs at the top edge are than those at the bottom: 0.7 leaves 30 %, 0 draws
            all of one size and density.
        distractors: The most shapes in a scene that do not count; each number up to it is equally likely.
        backdrops: What scenes lie on: ``noise``, ``photos``, or one of ``both`` with equal chance.
        seed: Another seed draws other scenes.
    """

    def __init__(
        self,
        *,
        part: Part = "train",
        images: Annotated[int, Ge(1)] = 64,
        labels: Annotated[int, Ge(1)] | None = None,
        size: Side | tuple[Side, Side] = (192, 256),
        fewest: Annotated[int, Ge(0)] = 12,
        most: Annotated[int, Ge(1)] = 200,
        radius: Annotated[float, Gt(0)] = 9.0,
        perspective: Annotated[float, Ge(0), Le(0.9)] = 0.7,
        distractors: Annotated[int, Ge(0)] = 20,
        backdrops: Backdrops = "both",
        seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        height, width = (size, size) if isinstance(size, int) else size
        _check(images, labels, fewest, most, radius * (1 - perspective), part)
        self.part, self.seed, self.backdrops = part, seed, backdrops
        self.numbers = _numbers(part, images, labels)
        self.style = Style(height, width, fewest, most, radius, perspective, distractors)
        self.photos = () if backdrops == "noise" else photos_of("held_out" if part == "held_out" else "train", None)
        self.label = LabelSpec() if part == "unlabeled" else PointLabels(unit="discs")
        self._pieces: list[Piece] = []
        self._kept: list[Pixels] = []
        self._points: list[Floats] = []
        self._behind: list[Piece | None] = []

    def missing(self) -> str | None:
        """One sentence if this scikit-image has come without one of the photos."""
        return missing_photos(self.photos)

    def open(self, context: OpenContext) -> DataReport:
        """Draw all scenes, about two seconds a hundred. What memory does not hold is drawn again when it is served."""
        self._pieces = read_pieces(self.photos, 1, _PHOTO_SIDE)
        keep = len(self) * self.style.height * self.style.width * 3 <= context.memory_limit
        self._kept, self._points, self._behind = [], [], []
        for index in range(len(self)):
            scene = self.draw(index)
            if keep:
                self._kept.append(scene.pixels)
            self._points.append(scene.points)
            self._behind.append(scene.photo)
            context.progress(index + 1, len(self), "drawing scenes")
        if self.label.kind == "points":
            counts = self._counts()
            area = len(self) * self.style.height * self.style.width
            self.label = replace(measured(self.label, counts), density=float(counts.sum() / area))
        return DataReport(notes=self._notes(), tables={"images": [self._row(index) for index in range(len(self))]})

    def draw(self, index: int) -> Scene:
        """The scene at ``index``: the same for the same options, whatever was drawn before."""
        side = "held_out" if self.part == "held_out" else "train"
        draws = Draws(self.seed, f"drawn_scenes {side}", 0).at(self.numbers[index], 0)
        behind = draws.generators("backdrop")[0]
        on_photo = self.backdrops == "photos" or (self.backdrops == "both" and behind.random() < 0.5)
        height, width = self.style.height, self.style.width
        photo = self._pieces[int(behind.integers(0, len(self._pieces)))] if on_photo else None
        if photo is None:
            canvas = noise_backdrop(height, width, behind)
        else:
            canvas = photo_backdrop(photo.pixels, height, width, behind)
        figures = lay_out(self.style, draws.generators("layout")[0])
        pixels, painted = paint(canvas, figures, draws.generators("paint")[0])
        centres = np.array([(f.x, f.y) for f in painted if f.shape == DISC], dtype=np.float64).reshape(-1, 2)
        return Scene(pixels, np.column_stack([centres, extents(centres)]), photo)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        pixels = self._kept[index] if self._kept else self.draw(index).pixels
        label = None if self.label.kind is None else self._points[index]
        meta = {"path": self._name(index), "kind": self._backdrop(index)}
        return Sample(
            torch.from_numpy(pixels.copy()), index, label, meta=meta
        )  # the photo behind it is not the file of the scene

    def labels(self) -> Floats | None:
        """[len] how many discs each scene has; None where they are not told."""
        return None if self.label.kind is None else self._counts()

    def points(self) -> Sequence[Floats] | None:
        """The discs of each scene: [n, 3] x, y and extent; None where they are not told."""
        return None if self.label.kind is None else self._points

    def facts(self, name: str) -> Sequence[str] | None:
        """``path``: side and number of the scene; ``kind``: what it lies on, ``noise`` or the name of a photo."""
        known = {"path": self._name, "kind": self._backdrop}
        return [known[name](index) for index in range(len(self))] if name in known else None

    def sizes(self) -> npt.NDArray[np.int64]:
        """[len, 2] height and width."""
        return np.tile(np.array([[self.style.height, self.style.width]], np.int64), (len(self), 1))

    def _counts(self) -> Floats:
        return np.array([len(points) for points in self._points], dtype=np.float64)

    def _name(self, index: int) -> str:
        return f"{'held_out' if self.part == 'held_out' else 'train'}/{self.numbers[index]}"

    def _backdrop(self, index: int) -> str:
        photo = self._behind[index]
        return "noise" if photo is None else photo.photo

    def _row(self, index: int) -> dict[str, Any]:
        row: dict[str, Any] = {"path": self._name(index), "backdrop": self._backdrop(index)}
        return row if self.label.kind is None else {**row, "count": len(self._points[index])}

    def _notes(self) -> list[str]:
        on = ", ".join(dict.fromkeys(self._backdrop(index) for index in range(len(self))))
        first = f"{len(self)} scenes that the program draws, {self.style.width} x {self.style.height} pixels, on {on}"
        if self.label.kind is None:
            return [f"{first}; served without points"]
        counts = self._counts()
        return [f"{first}; {counts.min():.0f} to {counts.max():.0f} discs a scene, {counts.mean():.1f} on average"]


def _check(images: int, labels: int | None, fewest: int, most: int, furthest: float, part: Part) -> None:
    if most < fewest:
        raise Objection(f"most is {most}, less than fewest, which is {fewest}; exchange them")
    if furthest < 1:
        raise Objection(
            f"the furthest discs would have a radius of {furthest:.2g} pixels, less than 1; set a larger `radius` or a "
            "lower `perspective`"
        )
    if labels is None or part == "held_out":
        return
    if labels > images:
        raise Objection(f"labels is {labels}, but there are only {images} `images`")
    if part == "unlabeled" and labels == images:
        raise Objection(f"all {images} images keep their labels, none is left unlabeled; set `labels` below `images`")


def _numbers(part: Part, images: int, labels: int | None) -> range:
    """The numbers of the part's scenes. Scenes are independent, so the first few are as good as any."""
    if part == "held_out" or labels is None:
        return range(images)
    return range(labels) if part == "train" else range(labels, images)
