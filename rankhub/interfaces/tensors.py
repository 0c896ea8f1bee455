"""Tensors on their way: from a file without running anything in it, and to a device without waiting for it."""

import pickle
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor


def load_tensors(file: Path | IO[bytes]) -> Any:
    """What torch has stored in a file, on the CPU: tensors, numbers, text and collections of them, nothing else.

    Raises:
        ValueError: It is damaged or holds more. torch's advice, to read such a file all the same, is not passed on.
    """
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it is damaged, or holds more than tensors, numbers and text, which could run code") from error


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The same on ``device``. From the CPU it goes by pinned memory, so that nobody waits for what the device does."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=device.type != "cpu")  # what is sent to the CPU is read there at once
