"""Random crops of an image as its answer at test time, the same ones every time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.predict import Answers, Forward, Predict
from rankhub_views.whole import counts_refused, resized, without_maps

Offsets = npt.NDArray[np.int64]


class Crops(Predict):
    """Cut random squares out of an image, pass each through the network, and take the mean of the outputs.

    Where the squares lie follows from the image's pixels and size, ``size``, ``count`` and ``seed`` alone, and the
    squares of one image pass the network by themselves: the same image gets bitwise the same answer whatever its name,
    its index in the list and its neighbours. Nothing is resized, since that would change an image's quality. The mean
    is taken of every output with one row an image; that of unit vectors is shorter than 1. Maps are left out: those of
    different squares have no common place.

    Source: Liu, van de Weijer, Bagdanov: RankIQA, ICCV 2017: the mean over 30 crops of 224 pixels.

    Args:
        size: Side of a crop in pixels.
        count: Crops of each image.
        small: What happens with an image that has a side below ``size``: ``error``: a sentence, before training;
            ``enlarge``: its shorter side is brought to ``size``, keeping its proportions, which blurs it.
        batch: Crops of one image that pass the network together, at most.
        seed: Another seed cuts other squares.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, Ge(1)],
        count: Annotated[int, Ge(1)] = 30,
        small: Literal["error", "enlarge"] = "error",
        batch: Annotated[int, Ge(1)] = 64,
        seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        self.size, self.count, self.small, self.batch, self.seed = size, count, small, batch, seed

    def __call__(self, images: Sequence[Tensor], forward: Forward) -> Answers:
        """One row an image.

        Raises:
            UserError: An image is smaller than a crop, and ``small`` is ``error``.
        """
        answers: list[Mapping[str, Tensor]] = []
        for image in images:
            crops = self.crops(image)
            parts = [without_maps(forward(part)) for part in torch.split(crops, self.batch)]
            answers.append({name: torch.cat([part[name] for part in parts]).float().mean(0) for name in parts[0]})
        return {name: torch.stack([answer[name] for answer in answers]) for name in (answers[0] if answers else ())}

    def check(self, outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> Iterable[str]:
        """Counts: that of a crop is not that of its image."""
        return counts_refused("crops", outputs)

    def check_images(self, sizes: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.bool_]] | None:
        """Images with a side below ``size``, unless they are enlarged."""
        less: npt.NDArray[np.bool_] = np.any(sizes < self.size, axis=1)
        if self.small == "enlarge" or not less.any():
            return None
        return f"are smaller than the crop of {self.size} pixels; {self._remedy()}", less

    @torch.no_grad()
    def crops(self, image: Tensor) -> Tensor:
        """[count, 3, size, size] float in [0, 1]: squares of one image [3, H, W] uint8.

        Raises:
            UserError: As above.
        """
        offsets = self.offsets(image)
        height, width = image.shape[-2:]
        whole = image.float() / 255
        if min(height, width) < self.size:
            whole = resized(whole, *self._enlarged(height, width))
        return torch.stack([whole[:, top : top + self.size, left : left + self.size] for top, left in offsets.tolist()])

    def offsets(self, image: Tensor) -> Offsets:
        """[count, 2] top and left of each square, in pixels of the (enlarged) image."""
        height, width = self._enlarged(*image.shape[-2:])
        draws = Draws(self.seed, "predict/crops", 0).at(_content(image), np.arange(self.count))
        top = draws.integers("top", height - self.size + 1)
        left = draws.integers("left", width - self.size + 1)
        return np.stack([top, left], axis=1)

    def _enlarged(self, height: int, width: int) -> tuple[int, int]:
        shorter = min(height, width)
        if shorter >= self.size:
            return height, width
        if self.small == "error":
            raise UserError(
                f"an image of {width}x{height} pixels is smaller than the crop of {self.size} pixels; {self._remedy()}"
            )
        return self.size * height // shorter, self.size * width // shorter

    def _remedy(self) -> str:
        return "set a smaller `size`, or `small: enlarge`, which blurs them"


def _content(image: Tensor) -> int:
    """A 64-bit number made of an image's size and pixels."""
    state = hashlib.blake2b(repr(tuple(image.shape)).encode(), digest_size=8)
    state.update(image.cpu().contiguous().numpy().data)
    return int.from_bytes(state.digest(), "little", signed=True)
