"""Where and how precisely a run computes; and what it must leave of the process as it was."""

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.processes import ALONE, Processes
from rankhub.recipe.schema import Recipe

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Compute:
    """Device and precision of a run."""

    device: torch.device  # CPU or one CUDA device
    dtype: torch.dtype | None = None  # reduced precision of the network's forward pass; None for fp32
    channels_last: bool = False  # memory layout of images and convolution weights

    @classmethod
    def of(cls, recipe: Recipe, processes: Processes = ALONE) -> Self:
        """What the recipe asks for, if it is there; each process of a machine has a CUDA device of its own."""
        there = "cuda" if torch.cuda.is_available() else "cpu"
        name = there if recipe.device == "auto" else recipe.device
        device = torch.device(name)
        if device.type == "cuda":
            found = torch.cuda.device_count() if torch.cuda.is_available() else 0
            if processes.count > 1:
                if device.index is not None:
                    raise UserError(
                        f"device: {name} is one device, but there are {processes.count} processes; use cuda"
                    )
                if processes.local_rank >= found:
                    raise UserError(
                        f"process {processes.rank} needs the CUDA device {processes.local_rank} of its machine, torch "
                        f"sees {found}; start at most {found} processes a machine, or use device=cpu"
                    )
                device = torch.device("cuda", processes.local_rank)
            if (device.index or 0) >= found:
                raise UserError(f"device: {name} is not there, torch sees {found} CUDA devices; use device=cpu or auto")
            device = torch.device("cuda", device.index or 0)
            torch.cuda.set_device(device)
        elif recipe.precision == "fp16":
            raise UserError("precision: fp16 needs a CUDA device; on the CPU use bf16 or fp32")
        if recipe.threads is not None:
            torch.set_num_threads(recipe.threads)
        return cls(device, _DTYPES.get(recipe.precision), recipe.channels_last)

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """The network's forward pass in reduced precision. Losses leave it by themselves where they must."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Scales gradients for fp16; does nothing otherwise."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)

    def images(self, stack: torch.Tensor) -> torch.Tensor:
        """A stack as the network wants it."""
        return stack.contiguous(memory_format=torch.channels_last) if self.channels_last else stack

    def place(self, module: torch.nn.Module) -> None:
        """Move a module to the device, in the recipe's memory layout."""
        module.to(self.device)
        if self.channels_last:
            module.to(memory_format=torch.channels_last)


@contextlib.contextmanager
def preserved() -> Iterator[None]:
    """Put random numbers (Python's, numpy's, torch's), torch's threads and its current device back at the end."""
    python, legacy, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()
    used = torch.cuda.is_initialized()
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
