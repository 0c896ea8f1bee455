"""Draws the views of a run, and keeps the pictures, so that a person sees what the network is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from rankhub.interfaces.batch import Batch
from rankhub.interfaces.callback import Callback
from rankhub.interfaces.files import whole

GAP, ROWS, COLUMNS = 2, 8, 12


class Pictures(Callback):
    """Draws the views of each stream, and writes every picture as ``NAME_step_STEP.png`` to a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def viewed(self, step: int, views: Mapping[str, Batch]) -> Mapping[str, npt.NDArray[np.uint8]]:
        """``views_STREAM``: the views of its first images."""
        return {f"views_{stream}": view_sheet(batch) for stream, batch in views.items()}

    def pictures(self, step: int, pictures: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        """Write them."""
        for name, picture in pictures.items():
            with whole(self.folder / f"{name}_step_{step}.png", make=True) as beside:
                Image.fromarray(picture).save(beside, "PNG")


def view_sheet(batch: Batch) -> npt.NDArray[np.uint8]:
    """The views of the first samples of a batch, one sample a line, at most 8 of 12 views: [H, W, 3] uint8."""
    views = [view for stack in batch.images for view in stack]
    index = batch.target.on_cpu.index.tolist()
    samples = list(dict.fromkeys(index))[:ROWS]
    lines = [[row for row, i in enumerate(index) if i == sample][:COLUMNS] for sample in samples]
    height = max(int(view.shape[-2]) for view in views) + GAP
    width = max(int(view.shape[-1]) for view in views) + GAP
    sheet = np.full((len(lines) * height + GAP, max(map(len, lines)) * width + GAP, 3), 255, dtype=np.uint8)
    for y, line in enumerate(lines):
        for x, row in enumerate(line):
            pixels = (views[row].detach().float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
            top, left = GAP + y * height, GAP + x * width
            sheet[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels.cpu().numpy()
    sheet.setflags(write=False)  # all callbacks are handed the same
    return sheet
