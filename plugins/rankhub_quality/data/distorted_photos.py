"""Distorted pieces of the photos inside the scikit-image wheel, scored by SSIM against the pristine piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import DataReport, LabelSpec, OpenContext, Sample
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.options import Ge, Le
from rankhub_data.meaning import measured
from rankhub_data.skimage_photos import PHOTOS, Piece, Pixels, SkimagePhotos, as_tensor, photo_path, read_pieces
from rankhub_quality.distortion.codecs import reachable
from rankhub_quality.distortion.kinds import KINDS
from rankhub_quality.distortion.sets import LIVE, TID2013, Levels

LEVELS: dict[str, Levels] = {levels.kind: levels for levels in (*TID2013, *LIVE)}
"""Levels by kind; where both sets have a kind, those of LIVE, which go further."""


@dataclass(frozen=True, slots=True)
class Item:
    """What one distorted image is made of.

    Attributes:
        piece: Number in the list of pieces.
        kind: Kind of distortion.
        turn: How many images of this photo come before it.
    """

    piece: int
    kind: str
    turn: int


class DistortedPhotos(SkimagePhotos):
    """Distorted pieces of scikit-image's colour photos; the score is an index, not people's opinion.

    The label is SSIM, a full-reference index, of the whole distorted piece against the pristine piece: it stands in
    for people's scores, which no dependency ships. 1 is the pristine piece itself. The network sees the distorted
    image alone, so this is the usual task of quality without a reference.

    SSIM is that of Wang, Bovik, Sheikh, Simoncelli (IEEE TIP 2004) by ``skimage.metrics.structural_similarity``:
    Gaussian window of sigma 1.5, population covariances, range 255, mean over pixels and the colours red, green, blue.

    Kinds and pieces take turns, so that each is equally frequent. The strength is uniform from the mildest level of its
    kind to the strongest that the piece allows, levels being equally far apart. Kind, strength and noise of an image
    depend on ``seed`` and on the image alone: another ``part`` or number of ``labels`` leaves it as it is.

    For training: astronaut, hubble_deep_field, ihc, motorcycle_left and motorcycle_right (a stereo pair), retina,
    rocket.
    Held out: chelsea, coffee.

    Args:
        labels: Only so many images, drawn at random; fewer are a part of more. Null: all.
        per_photo: Distorted images of each photo, over all its pieces.
        kinds: Kinds of distortion, any of the sets ``live`` and ``tid2013``.
        seed: Another seed draws other strengths, other noise and other ``labels``.
    """

    def __init__(
        self,
        *,
        labels: Annotated[int, Ge(1)] | None = None,
        per_photo: Annotated[int, Ge(1), Le(10_000)] = 32,
        kinds: Sequence[str] | None = None,
        seed: Annotated[int, Ge(0)] = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.kinds = _known(kinds)
        self.count, self.per_photo, self.seed = labels, per_photo, seed
        if labels is not None and labels > per_photo * len(self.photos):
            raise Objection(
                f"labels is {labels}, but {len(self.photos)} photos with per_photo {per_photo} make only "
                f"{per_photo * len(self.photos)} images"
            )
        self.label = LabelSpec(kind="score", range=(-1.0, 1.0), unit="SSIM")
        self._made: list[Item] = []
        self._strengths: list[float] = []
        self._ratios: dict[int, Sequence[float]] = {}
        self._images: list[Pixels] = []
        self._scores = np.empty(0)

    def open(self, context: OpenContext) -> DataReport:
        """Distort and score all images: a few seconds a hundred."""
        self._pieces = read_pieces(self.photos, self.tiles, self.longest)
        self._made = self._chosen()
        scores = []
        for number, made in enumerate(self._made):
            image, strength = self._distorted(made)
            self._images.append(image)
            self._strengths.append(strength)
            scores.append(similarity(image, self._pieces[made.piece].pixels))
            context.progress(number + 1, len(self._made), "distorting photos")
        self._scores = np.array(scores)
        self.label = measured(self.label, self._scores)
        return DataReport(
            notes=[
                f"{len(self)} distorted pieces of {len(self.photos)} photos: {', '.join(self.photos)}",
                "the labels are SSIM against the pristine piece, a computed index, not people's scores",
            ],
            tables={"images": [self._row(index) for index in range(len(self))]},
        )

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        photo = self._pieces[self._made[index].piece].photo
        meta = {"reference": photo, "kind": self._made[index].kind, "path": self._name(index)}
        image = as_tensor(self._images[index])
        return Sample(image, index, label=float(self._scores[index]), path=photo_path(photo), meta=meta)

    def labels(self) -> npt.NDArray[np.float64]:
        """[len] SSIM."""
        return self._scores

    def facts(self, name: str) -> Sequence[str] | None:
        """``reference``: the photo; ``kind``: of distortion; ``path``: photo, piece, kind and strength."""
        if name == "reference":
            return [self._pieces[made.piece].photo for made in self._made]
        if name == "kind":
            return [made.kind for made in self._made]
        return [self._name(index) for index in range(len(self))] if name == "path" else None

    def sizes(self) -> npt.NDArray[np.int64]:
        """[len, 2] height and width."""
        return np.array([image.shape[:2] for image in self._images], np.int64).reshape(-1, 2)

    def _name(self, index: int) -> str:
        made = self._made[index]
        return f"{self._pieces[made.piece].name}/{made.kind}_{made.turn}"

    def _row(self, index: int) -> dict[str, Any]:
        photo, kind = self._pieces[self._made[index].piece].photo, self._made[index].kind
        score, strength = float(self._scores[index]), self._strengths[index]
        return {"path": self._name(index), "reference": photo, "kind": kind, "strength": strength, "ssim": score}

    def _chosen(self) -> list[Item]:
        """The images to make, photo after photo."""
        cut = self.tiles**2
        # All pieces in turn, and with each round the next kind: every pair of both once in as many rounds as kinds.
        every = [
            Item(photo * cut + turn % cut, self.kinds[(turn % cut + turn // cut) % len(self.kinds)], turn)
            for photo in range(len(self.photos))
            for turn in range(self.per_photo)
        ]
        if self.count is None:
            return every
        address = [_address(self._pieces[made.piece]) for made in every]
        order = Draws(self.seed, "distorted_photos labels", 0).at(address, [made.turn for made in every])
        first = np.argsort(order.uniform("label"), kind="stable")[: self.count]
        return [every[index] for index in sorted(first.tolist())]

    def _distorted(self, made: Item) -> tuple[Pixels, float]:
        """[H, W, 3] image, and the strength of its distortion."""
        piece = self._pieces[made.piece]
        draws = Draws(self.seed, f"distorted_photos {made.kind}", 0).at(_address(piece), made.turn)
        strength = strength_at(self._levels(made), float(draws.uniform("strength")[0]))
        return KINDS[made.kind].apply(piece.pixels, strength, draws.generators("noise")[0]), strength

    def _levels(self, made: Item) -> Sequence[float]:
        """The levels that can be had on this piece: beyond its reach JPEG 2000 keeps nothing of a picture."""
        levels = LEVELS[made.kind].strengths
        if made.kind != "jpeg2000":
            return levels
        if made.piece not in self._ratios:
            reached = reachable(self._pieces[made.piece].pixels, levels)
            self._ratios[made.piece] = [level for level, has in zip(levels, reached, strict=True) if has] or levels[:1]
        return self._ratios[made.piece]


def similarity(image: Pixels, original: Pixels) -> float:
    """SSIM in [-1, 1] of two [H, W, 3] images, see :class:`DistortedPhotos`."""
    from skimage.metrics import structural_similarity

    value = structural_similarity(
        original, image, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return float(value)


def strength_at(levels: Sequence[float], fraction: float) -> float:
    """The strength at ``fraction`` in [0, 1] of the way from the first level to the last, levels equally far apart.

    Between two levels of one sign it is interpolated geometrically, since levels grow by factors; else linearly.
    """
    at = fraction * (len(levels) - 1)
    below = min(int(at), len(levels) - 2) if len(levels) > 1 else 0
    if len(levels) == 1:
        return float(levels[0])
    low, high, share = levels[below], levels[below + 1], at - below
    if low * high > 0:
        return float(low * (high / low) ** share)
    return float(low + share * (high - low))


def _address(piece: Piece) -> int:
    """A number that is the piece's own whatever else is chosen; a photo has at most 64 pieces."""
    return PHOTOS.index(piece.photo) * 64 + piece.number


def _known(kinds: Sequence[str] | None) -> tuple[str, ...]:
    if kinds is None:
        return tuple(levels.kind for levels in LIVE)
    unknown = [kind for kind in kinds if kind not in LEVELS]
    if unknown:
        raise Objection(f"no kind of distortion is called {unknown[0]!r}; expected some of {', '.join(LEVELS)}")
    if not kinds or len(set(kinds)) != len(kinds):
        raise Objection("`kinds` must name each kind of distortion once, and at least one")
    return tuple(kinds)
