"""Ranked sets of distorted images: the generator of RankIQA."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from rankhub.interfaces.batch import View
from rankhub.interfaces.draws import Draws, ViewDraws
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import ViewSpec, WorkerGenerator
from rankhub.interfaces.options import Ge
from rankhub_quality.distortion.pixels import Pixels
from rankhub_quality.ranked_sets import KindLevels, Position, RankedGroup, SetName, ranked_groups
from rankhub_quality.variant_cache import VariantCache, default_folder, kept_or_made
from rankhub_quality.variants import Variants, make_variants

log = logging.getLogger("rankhub")


class Distortions(WorkerGenerator):
    """Distort each image in several ways and degrees: the more distorted, the lower the level.

    Each kind of distortion makes one group, since degrees of different kinds cannot be compared. Its levels fall from 1
    (pristine) to 0 (the strongest degree) in equal steps; the pristine image is repeated in every group. The whole
    image is distorted; crops are taken afterwards, by `random_crops`, as in the paper: a compressor has little to
    remove from a small image.

    Sets (the paper's supplement, section 3): `live`: gaussian_blur, gaussian_noise, jpeg and jpeg2000 at 5 degrees;
    `tid2013`: the 17 types that the paper makes, 19 kinds with the two directions of mean shift and contrast, at 4
    degrees; `mlive`: blur and then JPEG, and blur and then noise, each a grid of 3 x 3 degrees, level with one column
    a stage: one version ranks above another only if no stage is stronger.

    A degree that leaves the pixels as they were at the degree before (JPEG 2000 has a least size, which small images
    reach early) is left out for that image, with one note for each kind.

    Source: Liu, van de Weijer, Bagdanov: RankIQA, ICCV 2017.

    Args:
        set: `live`, `tid2013`, `mlive`, or a list of {kind, levels}: a kind's name and its strengths, mild to strong.
        kinds_per_image: Draw so many of the kinds for each image and epoch; the released TID2013 training takes 9.
            Default: all.
        pristine: Whether each group has the undistorted image too.
        fresh: Whether noise and the places of patches are drawn anew for each epoch and seed. If not, they follow from
            the image's content, always the same. Default: yes without a cache, and not with one.
        cache: Keep the distorted images on disk: `true` for the user's cache folder, or a folder. They take versions
            times the size of the decoded image: `live` 20, `tid2013` 76, `mlive` 18 times.
    """

    def __init__(
        self,
        *,
        set: SetName | Sequence[KindLevels] = "live",
        kinds_per_image: Annotated[int, Ge(1)] | None = None,
        pristine: bool = True,
        fresh: bool | None = None,
        cache: bool | str = False,
    ) -> None:
        self.groups = ranked_groups(set)
        self.pristine = pristine
        self.drawn = _drawn(self.groups, kinds_per_image)
        self.fresh = not cache if fresh is None else fresh
        if self.fresh and cache:
            raise Objection("a cache holds one drawing of the noise, so fresh: true needs cache: false")
        folder = default_folder() if cache is True else Path(cache).expanduser() if cache else None
        self.cache = None if folder is None else VariantCache(folder, self.groups)
        self._versions = _versions(self.groups, pristine)
        self._told: dict[str, None] = {}

    def plan(self, views: ViewSpec) -> ViewSpec:
        """The versions of all groups that are drawn."""
        if views.views != 1 or views.sizes[0][1] is not None:
            raise Objection("distortions takes whole originals; put it first and steps that cut views after it")
        # Where not all kinds are drawn, all make equally many versions.
        count = sum(len(versions) for versions in self._versions[: self.drawn])
        return ViewSpec(
            views=count,
            groups=len(self.groups),
            levels="grid" if len(self.groups[0].stages) > 1 else "ordered",
            sizes=((count, None),),
            kinds=tuple(group.name for group in self.groups),
            fewer=True,
        )

    def apply(self, views: Sequence[View], draws: Draws) -> list[View]:
        """The versions of one image, group by group, each from mild to strong.

        A version's number is its index in the whole set, whichever kinds are drawn: what later steps draw for it does
        not depend on the others.
        """
        (view,) = views
        image = view.image.numpy()
        kinds = self._kinds(view.index, draws)
        made = self._variants(image, view.index, kinds, draws)
        found: list[View] = []
        for kind in kinds:
            variants = made[kind]
            if variants.repeated:
                self._tell_repeated(self.groups[kind], variants, image)
            for position, number, level in self._versions[kind]:
                if position in variants.repeated:
                    continue
                one = variants.images.get(position)
                pixels = view.image if one is None else torch.from_numpy(one)
                found.append(View(pixels, view.index, number, kind, level, view.map, view.label, view.meta))
        return found

    def _kinds(self, index: int, draws: Draws) -> list[int]:
        """Numbers of the kinds that an image gets, ascending."""
        if self.drawn == len(self.groups):
            return list(range(self.drawn))
        shuffled = draws.at(index, 0).permutations("kinds", len(self.groups))[0]
        return sorted(shuffled[: self.drawn].tolist())

    def _variants(self, image: Pixels, index: int, kinds: Sequence[int], draws: Draws) -> dict[int, Variants]:
        """Number of the kind -> versions, at least of the kinds that are asked for."""
        if self.cache is not None:
            kept = kept_or_made(
                self.cache, image, lambda: make_variants(image, self.groups, _by_content(image)), self._tell
            )
            return dict(enumerate(kept))
        noise = draws.at(index, 0) if self.fresh else _by_content(image)
        made = make_variants(image, [self.groups[kind] for kind in kinds], noise)
        return dict(zip(kinds, made, strict=True))

    def _tell_repeated(self, group: RankedGroup, variants: Variants, image: Pixels) -> None:
        if group.name in self._told:
            return
        self._told[group.name] = None
        position = min(variants.repeated)
        log.warning(
            "%s changes no pixel of an image of %d x %d beyond the milder level; such levels are left out where that "
            "happens (said once for each kind)",
            group.describe(position),
            image.shape[2],
            image.shape[1],
        )

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told[sentence] = None
            log.warning("%s", sentence)


Version = tuple[Position, int, float | tuple[float, ...]]
"""Position in its group, number in the whole set, level."""


def _versions(groups: Sequence[RankedGroup], pristine: bool) -> list[list[Version]]:
    """The versions of each group, mild to strong; the pristine image has a number whether it is used or not."""
    found: list[list[Version]] = []
    number = 0
    for group in groups:
        positions = (group.pristine, *group.positions)
        versions = [(position, n, group.level(position)) for n, position in enumerate(positions, number)]
        found.append(versions if pristine else versions[1:])
        number += len(positions)
    return found


def _drawn(groups: Sequence[RankedGroup], kinds_per_image: int | None) -> int:
    if kinds_per_image is None:
        return len(groups)
    if kinds_per_image > len(groups):
        raise Objection(f"kinds_per_image is {kinds_per_image}, the set has only {len(groups)} kinds")
    lengths = {len(group.positions) for group in groups}
    if kinds_per_image < len(groups) and len(lengths) > 1:
        raise Objection("kinds_per_image needs kinds with equally many levels, so that every image makes as many views")
    return kinds_per_image


def _by_content(image: Pixels) -> ViewDraws:
    """The address of an image by its pixels and size: the same in every data set, run and epoch."""
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(image).data)
    content = int.from_bytes(digest.digest(), "little", signed=True)
    return Draws(0, "distortions", 0).at(content, 0)
