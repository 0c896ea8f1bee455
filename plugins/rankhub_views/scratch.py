"""Memory for intermediate results, used over and over.

On the CPU a large tensor usually lies in pages that the system hands out, zeroes and takes back with each use, which
costs more than most of the arithmetic here. So the parts of a batch share buffers, which a thread keeps from one
batch to the next. On other devices torch keeps memory by itself.
"""

from __future__ import annotations

import math
import threading

import torch
from torch import Tensor

KEPT = 2**23
"""Largest buffer that is kept, in numbers (32 MiB). Few images need more, and for those the pages cost little."""


class Scratch:
    """Named float32 buffers on one device. A tensor from :meth:`take` is valid until its name is taken again."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._buffers: dict[str, Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """A contiguous tensor of ``shape`` with arbitrary values."""
        needed = math.prod(shape)
        if self.device.type != "cpu" or needed > KEPT:
            return torch.empty(shape, device=self.device)
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < needed:
            buffer = self._buffers[name] = torch.empty(needed)
        return buffer[:needed].view(shape)


_OF_THREAD = threading.local()


def scratch_for(device: torch.device) -> Scratch:
    """The calling thread's buffers on ``device``."""
    if device.type != "cpu":
        return Scratch(device)
    if not hasattr(_OF_THREAD, "scratch"):
        _OF_THREAD.scratch = Scratch(device)
    scratch: Scratch = _OF_THREAD.scratch
    return scratch
