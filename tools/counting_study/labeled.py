"""Which images keep their labels: folders of links, so that the test images stay the same for every draw."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from comparison.links import link

from counting_study.study import Images, Study
from rankhub import build
from rankhub.interfaces.data import OpenContext


@dataclass(frozen=True)
class Draws:
    """Draws of labeled images.

    Attributes:
        images: The folder.
        train: Paths of the images to train on, below the folder, by name.
        out: Where the folders of links are made.
    """

    images: Images
    train: tuple[str, ...]
    out: Path

    def labeled(self, count: int, seed: int) -> list[str]:
        """``count`` images that keep their labels; those of a smaller number are among those of a larger one."""
        return sorted(random.Random(f"labels of seed {seed}").sample(self.train, len(self.train))[:count])

    def folder(self, count: int, seed: int) -> Path:
        """Folder of links to the labeled images."""
        return self.out / f"{count}-seed{seed}"

    def others_folder(self, count: int, seed: int) -> Path:
        """Folder of links to all other images to train on, on which settings are compared."""
        return self.out / f"others-of-{count}-seed{seed}"

    def make(self, count: int, seed: int) -> None:
        """Make both folders."""
        chosen = self.labeled(count, seed)
        others = [path for path in self.train if path not in set(chosen)]
        for place, paths in ((self.folder(count, seed), chosen), (self.others_folder(count, seed), others)):
            both = [name for path in paths for name in (path, self._dots(path))]
            link({name: self.images.root / name for name in both}, place)

    def _dots(self, path: str) -> str:
        before, _, after = self.images.images.partition("*")
        return self.images.dots.replace("*", path[len(before) : len(path) - len(after)])


def draws(study: Study) -> Draws:
    """Draws among the images that the data set does not hold out.

    Raises:
        UserError: The data set cannot be read.
        ValueError: It has too few images to train on; one sentence.
    """
    data = build("dataset", study.images.data(part="train"))
    data.open(OpenContext(study.out / "cache", 10**9, lambda done, total, what: None))
    train = tuple(sorted(data.facts("path") or ()))
    if len(train) <= max(study.labels):
        raise ValueError(
            f"{study.images.root} has {len(train)} images to train on beside {study.images.held_out} held out; "
            f"{max(study.labels)} with labels leave none without"
        )
    return Draws(study.images, train, study.out / "labeled")
