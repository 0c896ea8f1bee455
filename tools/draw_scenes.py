"""Draws the scenes of the counting quickstart into a folder: images, and beside each an image of dots.

    python tools/draw_scenes.py SCENES --images 200
    python tools/measure_counting.py SCENES --out OUT --unit discs      # the measurement of cells, on these scenes

The scenes are those of the data set ``drawn_scenes`` (``rankhub describe dataset drawn_scenes``): ``NNNcell.png`` and
``NNNdots.png``, one bright pixel at the centre of each disc. Two discs with their centre in one pixel count once; how
often that happens is printed. Any option of the data set may be given as ``--set NAME=VALUE``, the value as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from rankhub import UserError, build
from rankhub.interfaces.data import Dataset, OpenContext


def draw(folder: Path, scenes: Dataset) -> tuple[int, int]:
    """Write all scenes; returns the numbers of discs, and of those that share a pixel with another."""
    scenes.open(OpenContext(folder, 10**10, lambda done, total, what: None))
    discs = lost = 0
    for number in range(len(scenes)):
        sample = scenes[number]
        points = np.asarray(sample.label)[:, :2].astype(np.int64)
        dots = np.zeros(sample.image.shape[1:], np.uint8)
        dots[points[:, 1], points[:, 0]] = 255
        discs += len(points)
        lost += len(points) - int((dots > 0).sum())
        Image.fromarray(sample.image.numpy().transpose(1, 2, 0)).save(folder / f"{number:03d}cell.png")
        Image.fromarray(dots).save(folder / f"{number:03d}dots.png")
    return discs, lost


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="made if it is not there")
    parser.add_argument("--images", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="options of drawn_scenes")
    options = parser.parse_args(arguments)
    try:
        changes = {name: json.loads(value) for name, _, value in (one.partition("=") for one in options.set)}
        scenes = build("dataset", {"use": "drawn_scenes", "images": options.images, **changes})
    except (json.JSONDecodeError, UserError) as error:
        parser.error(str(error))
    options.folder.mkdir(parents=True, exist_ok=True)
    discs, lost = draw(options.folder, scenes)
    print(f"{options.images} scenes with {discs:,} discs in {options.folder}; {lost} share a pixel with another")


if __name__ == "__main__":
    main()
