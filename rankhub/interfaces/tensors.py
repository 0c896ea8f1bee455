"""Files that torch has written, read without running anything in them."""

import pickle
from pathlib import Path
from typing import IO, Any

import torch


def load_tensors(file: Path | IO[bytes]) -> Any:
    """What torch has stored in a file, on the CPU: tensors, numbers, text and collections of them, nothing else.

    Raises:
        ValueError: It is damaged or holds more. torch's advice, to read such a file all the same, is not passed on.
    """
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it is damaged, or holds more than tensors, numbers and text, which could run code") from error
