"""What a run will cost, measured by a trial step on copies before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rankhub.engine.device import Compute


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one step.

    Attributes:
        seconds: Of one step, views included.
        memory: Bytes that training holds at its peak, beside the data.
    """

    seconds: float
    memory: int


class SavedBytes:
    """While active, counts the bytes that autograd keeps for the backward pass."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._note, lambda tensor: tensor)

    def _note(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        self.seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    def __enter__(self) -> SavedBytes:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.__exit__(*error)

    @property
    def total(self) -> int:
        """Bytes, each storage once."""
        return sum(self.seen.values())


def trial(compute: Compute, step: Callable[[], None], state: Callable[[], Mapping[str, Any]]) -> Cost:
    """Do a step twice and measure the second.

    Args:
        compute: Where it runs.
        step: One whole step on copies; what it changes is thrown away.
        state: Tensors that stay between steps (weights, gradients, momenta), after a step.
    """
    cuda = compute.device.type == "cuda"
    with torch.random.fork_rng(devices=[compute.device] if cuda else []):
        if cuda:
            torch.cuda.reset_peak_memory_stats(compute.device)
        with SavedBytes() as saved:
            step()
        compute.synchronize()
        start = time.perf_counter()
        step()
        compute.synchronize()
        seconds = time.perf_counter() - start
    if cuda:
        return Cost(seconds, torch.cuda.max_memory_allocated(compute.device))
    kept = sum(tensor.nbytes for tensor in state().values() if isinstance(tensor, Tensor))
    return Cost(seconds, saved.total + kept)


def human_bytes(count: float) -> str:
    """``1.5 GB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def human_seconds(seconds: float) -> str:
    """``2 h 05 min``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days {hours % 24} h"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
