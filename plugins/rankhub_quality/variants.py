"""Makes the versions of an image that a ranked set asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rankhub.interfaces.draws import ViewDraws
from rankhub_quality.distortion.kinds import KINDS
from rankhub_quality.distortion.pixels import Pixels
from rankhub_quality.ranked_sets import Position, RankedGroup


def distinct(image: Pixels, variants: Sequence[Pixels]) -> list[bool]:
    """For each level, mild to strong, whether it differs from the last one that did (at first, from the image).

    A codec can be at its limit, a grey image has no colours to lose, a flat one nothing to blur: the pixels then equal
    those of the milder level, and a pair of the two would teach that equal images differ in quality.
    """
    result, before = [], image
    for variant in variants:
        result.append(not np.array_equal(variant, before))
        before = variant
    return result


@dataclass(frozen=True, slots=True)
class Variants:
    """The distorted versions of one image in one group.

    Attributes:
        images: Position -> [3, H, W] uint8.
        repeated: Positions whose pixels equal those of a milder version: no order holds between the two.
    """

    images: dict[Position, Pixels]
    repeated: frozenset[Position]


def make_variants(image: Pixels, groups: Sequence[RankedGroup], draws: ViewDraws) -> list[Variants]:
    """Distort an image in every way that the groups ask for.

    Noise is drawn by (address of ``draws``, stage, kind): it does not depend on what else is made. The degrees of one
    kind share it, so that a stronger degree is the same noise made stronger and more patches contain the fewer ones:
    with noise of its own each, a strong degree could be the better image by chance.

    ``image`` is the whole original [3, H, W]; ``draws`` one row, that of the image.
    """
    source = np.ascontiguousarray(image.transpose(1, 2, 0))
    made: dict[tuple[tuple[str, float], ...], Pixels] = {(): source}

    def distorted(steps: tuple[tuple[str, float], ...]) -> Pixels:
        """The image after the first distortions of a group; groups that begin alike share it."""
        if steps not in made:
            kind, strength = steps[-1]
            before = distorted(steps[:-1])
            generator = draws.generators(f"{len(steps)} {kind}")[0]
            made[steps] = KINDS[kind].apply(before, strength, generator)
        return made[steps]

    return [_of_group(source, group, {p: distorted(_steps(group, p)) for p in group.positions}) for group in groups]


def _steps(group: RankedGroup, position: Position) -> tuple[tuple[str, float], ...]:
    return tuple((stage.kind, stage.strengths[p - 1]) for p, stage in zip(position, group.stages, strict=True))


def _of_group(source: Pixels, group: RankedGroup, images: dict[Position, Pixels]) -> Variants:
    repeated: set[Position] = set()
    for line in group.lines():
        differs = distinct(source, [images[position] for position in line])
        repeated.update(position for position, differ in zip(line, differs, strict=True) if not differ)
    return Variants({p: one.transpose(2, 0, 1) for p, one in images.items()}, frozenset(repeated))
