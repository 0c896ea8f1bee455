"""Tiny sets of images with points in the layouts of the released ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.io import savemat

WIDTH, HEIGHT = 60, 40
"""Of all images."""


def heads(seed: int, count: int) -> npt.NDArray[np.float64]:
    """[count, 2] places inside the image, well away from its border."""
    drawn = np.random.default_rng(seed).uniform(2, [WIDTH - 2, HEIGHT - 2], (count, 2))
    return np.asarray(drawn.round(2), dtype=np.float64)


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT), **options: object) -> None:
    """An image of its own for each seed, width and height in ``size``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


def image_info(points: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
    """A cell that holds a struct with ``location`` and ``number``: what loadmat gives of ShanghaiTech's files."""
    struct = np.zeros((1, 1), dtype=[("location", object), ("number", object)])
    struct["location"][0, 0] = points
    struct["number"][0, 0] = np.array([[len(points)]], dtype=np.uint16)
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = struct
    return cell


def shanghaitech(
    root: Path, folder: str = "part_A_final", truth: str = "ground_truth", counts: Sequence[int] = (3, 7)
) -> None:
    """Images to train on and one to test, for each number of people one image."""
    for side, numbers in (("train_data", counts), ("test_data", counts[:1])):
        for number, count in enumerate(numbers, start=1):
            base = root / folder / side
            photo(base / f"images/IMG_{number}.jpg", number)
            (base / truth).mkdir(parents=True, exist_ok=True)
            savemat(base / truth / f"GT_IMG_{number}.mat", {"image_info": image_info(heads(number, count))})


def ucf_cc_50(root: Path, images: int = 50) -> None:
    """Fifty grey photos; image n shows n people."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, images + 1):
        pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.jpg")
        savemat(root / f"{number}_ann.mat", {"annPoints": heads(number, number)})


def ucf_qnrf(root: Path) -> None:
    """Three photos to train on and two to test."""
    for folder, count in (("Train", 3), ("Test", 2)):
        for number in range(1, count + 1):
            photo(root / folder / f"img_{number:04}.jpg", number)
            savemat(root / folder / f"img_{number:04}_ann.mat", {"annPoints": heads(number, 4 + number)})


def jhu_crowd(root: Path) -> None:
    """Photo n of a split shows n - 1 people: three to train on, two to validate, two to test."""
    for split, count in (("train", 3), ("val", 2), ("test", 2)):
        (root / split / "gt").mkdir(parents=True, exist_ok=True)
        for number in range(1, count + 1):
            photo(root / split / f"images/{number:04}.jpg", number)
            rows = [f"{5 + 3 * person} {7 + person} 4 5 1 0 \n" for person in range(number - 1)]
            (root / split / f"gt/{number:04}.txt").write_text("".join(rows))


def nwpu_crowd(root: Path, points: str = "jsons") -> None:
    """Five photos: three to train on (the second without people), one to validate, one whose labels are withheld."""
    (root / points).mkdir(parents=True)
    for number in range(1, 6):
        photo(root / f"images/{number:04}.jpg", number)
        marks = heads(number, 0 if number == 2 else number)
        if number == 5:
            continue
        if points == "jsons":
            content = {"img_id": f"{number:04}.jpg", "human_num": len(marks), "points": marks.tolist(), "boxes": []}
            (root / f"jsons/{number:04}.json").write_text(json.dumps(content))
        else:
            savemat(root / f"mats/{number:04}.mat", {"annPoints": marks if len(marks) else np.empty((0, 0))})
    (root / "train.txt").write_text("0001 1 0\n0002 2 1\n0003 0 3\n")
    (root / "val.txt").write_text("0004 1 2\n")
    (root / "test.txt").write_text("0005 1 2\n")


def dot_images(root: Path, images: int = 6, side: int = 1) -> None:
    """Image n shows n dots of ``side`` x ``side`` pixels, far apart, in the red channel."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, images + 1):
        photo(root / f"{number:03}cell.png", number)
        dots = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        for dot in range(number):
            dots[5 : 5 + side, 4 + 8 * dot : 4 + 8 * dot + side, 0] = 255
        Image.fromarray(dots).save(root / f"{number:03}dots.png")


def points(root: Path, images: int = 10) -> None:
    """Image n shows n objects; the first none; and two images without a label."""
    lines = ["path,x,y"]
    for number in range(images):
        photo(root / f"{number}.png", number)
        lines += [f"{number}.png,{x},{y}" for x, y in heads(number, number).tolist()] or [f"{number}.png,,"]
    for number in range(2):
        photo(root / f"more/{number}.png", 100 + number)
    (root / "points.csv").write_text("\n".join(lines) + "\n")
