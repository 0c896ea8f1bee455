"""Pictures of what the network is shown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from rankhub.interfaces.batch import Batch

GAP = 2
ROWS = 8
COLUMNS = 12


def view_sheet(batch: Batch) -> npt.NDArray[np.uint8]:
    """The views of the first samples of a batch, one sample a line.

    Returns:
        [H, W, 3] uint8: at most 8 lines of at most 12 views, views of unequal size at their top left corner.
    """
    views = [view for stack in batch.images for view in stack]
    index = batch.target.index.tolist()
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
    return sheet
