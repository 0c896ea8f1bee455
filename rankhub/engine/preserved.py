"""Leaves what belongs to the whole process as it was: a library must not change it behind its user's back."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def preserved() -> Iterator[None]:
    """Put random numbers (Python's, numpy's, torch's), torch's threads and its current device back at the end."""
    python, legacy, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    device = torch.cuda.current_device() if used else None
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device is not None else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if device is not None:
            torch.cuda.set_device(device)
