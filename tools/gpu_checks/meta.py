"""Torch's ``meta`` device as a stand-in for a GPU: nothing can be read from it, so what would wait for a GPU raises."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch

META = torch.device("meta")


@contextlib.contextmanager
def standing_in() -> Iterator[None]:
    """Let ``torch.autocast`` take that device, which it does not know, as one without reduced precision."""
    real = torch.autocast

    def autocast(device_type: str, *arguments: Any, **options: Any) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if device_type == META.type else real(device_type, *arguments, **options)

    with mock.patch("torch.autocast", autocast):
        yield
