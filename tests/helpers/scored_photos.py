"""A small folder of scored photos of noise, and a recipe that learns from it in two steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

RECIPE = """
name: tiny
data:
  scored: {{use: scored_csv, root: {root}, higher_is_better: true, range: [0, 110], unit: MOS}}
backbone: {{use: timm, model: test_resnet, stem: small}}
heads: {{score: {{use: score}}}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  labeled:
    data: scored
    batch_size: 6
    generator: [{{use: random_crops, size: 24}}]
    objectives: [{{use: mse, head: score}}]
{more}steps: 2
predict: {{use: center, size: 24}}
evaluate:
- {{use: quality, data: scored}}
loader: {{cache: {root}/cache}}
"""
"""To be formatted with the ``root`` of the photos and ``more`` streams, or none."""


def write_photos(folder: Path, sides: Sequence[tuple[int, int]], step: int, scored: int | None = None) -> list[str]:
    """Photos of these heights and widths, of which the first ``scored``, or all, have scores of 0, ``step``, ...

    Returns:
        Their names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:02d}.png" for number in range(len(sides))]
    for number, (name, (height, width)) in enumerate(zip(names, sides, strict=True)):
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    rows = [f"{name},{step * number}" for number, name in enumerate(names[:scored])]
    (folder / "labels.csv").write_text("\n".join(["path,score", *rows]) + "\n")
    return names
