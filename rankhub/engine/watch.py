"""Passes what happens in a run on to its callbacks, and makes pictures of what the network is shown."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch

from rankhub.catalog.blame import title_of
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.callback import Callback, Request
from rankhub.interfaces.errors import brief

log = logging.getLogger("rankhub")

GAP, ROWS, COLUMNS = 2, 8, 12


class Watchers:
    """The callbacks of a run in the order in which they are told, and what they have asked for.

    A callback that fails, or asks for what there is not, is left out; it cannot end a run.
    """

    def __init__(self, callbacks: Sequence[Callback], catalog: Catalog | None = None) -> None:
        self.callbacks, self.catalog = list(callbacks), catalog
        self.asked: set[str] = set()

    def tell(self, call: Callable[[Callback], Any], asks: bool = True) -> list[Any]:
        """Call each callback alone; the answers that are not None, requests if it ``asks``, kept in ``asked`` too."""
        answers = []
        for callback in list(self.callbacks):
            try:
                answer = call(callback)
                if asks and answer not in (None, *get_args(Request)):
                    raise ValueError(f"it asked for {answer!r}, it can ask for {', '.join(get_args(Request))}")
            except (Exception, SystemExit) as error:
                title = title_of(type(callback), self.catalog)
                log.warning("%s failed and watches no more: %s; tell its author", title, brief(error))
                log.debug("%s", title, exc_info=error)
                self.callbacks.remove(callback)
                continue
            if asks and answer is not None:
                self.asked.add(answer)
            if answer is not None:
                answers.append(answer)
        return answers

    def take(self, request: str) -> bool:
        """Whether ``request`` was asked for since the last call."""
        asked = request in self.asked
        self.asked.discard(request)
        return asked


def view_sheet(batch: Batch) -> npt.NDArray[np.uint8]:
    """The views of the first samples of a batch, one sample a line, at most 8 of 12 views: [H, W, 3] uint8."""
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
    sheet.setflags(write=False)  # all callbacks are handed the same
    return sheet
