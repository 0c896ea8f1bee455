"""A network that does not learn: constants in place of parameters, and the features of each view computed once."""

from __future__ import annotations

import hashlib
import platform
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from rankhub_timm.memory import memory_at

Computed = tuple[Tensor, Tensor | None]
"""Pooled features [n, D], and a map [n, C, h, w] where one is wanted."""

_LAYOUT = 1
"""To be raised whenever what a record consists of, or what it is found by, changes."""


def default_folder() -> Path:
    """Where features are kept if a recipe names no folder."""
    return Path.home() / ".cache" / "rankhub" / "features"


def hold_constant(network: nn.Module) -> None:
    """Make all parameters of a network buffers of the same names, so that nothing trains, freezes or averages them.

    Weights of a network that learns fit it, and its weights fit one that learns.
    """
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach())


def is_drawn(images: Tensor) -> bool:
    """Whether a graph of the network is being drawn, or only its shapes are asked for."""
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return traced or torch.compiler.is_compiling() or type(images) is not Tensor or images.is_meta


def can_remember(images: Tensor) -> bool:
    """Whether these are pixels: no gradient is asked for, and no graph of the network is being drawn."""
    return not (is_drawn(images) or (images.requires_grad and torch.is_grad_enabled()))


@dataclass
class Once:
    """Features of views, each computed once and then found by a digest of its pixels.

    A view passes the network by itself. How kernels round depends on how many views they are given, so that features
    computed in company would be those of a batch; these are a function of the view alone, whether they are remembered
    or not.

    Attributes:
        options: All that the features depend on beside weights, pixels and hardware.
        folder: Of the files that processes share; None = this process remembers alone.
    """

    options: str
    folder: Path | None
    _weights: tuple[object, str] = field(default=(None, ""))

    def __call__(
        self, network: nn.Module, images: Tensor, wanted: bool, compute: Callable[[Tensor], Computed]
    ) -> Computed:
        """What ``compute`` gives for each of the views [n, 3, H, W], with a map if one is ``wanted``."""
        last = images.is_contiguous(memory_format=torch.channels_last)
        memory = memory_at(self._name(network, images, (wanted, last)), self.folder)
        keys = _digests(images, last)
        records = memory.find(list(dict.fromkeys(keys)))
        made: dict[bytes, bytes] = {}
        with torch.no_grad():
            for row, key in enumerate(keys):
                if key not in records:
                    records[key] = made[key] = _record(*compute(images[row : row + 1]))
        memory.keep(made)
        return _stacked([records[key] for key in keys], images.device)

    def _name(self, network: nn.Module, images: Tensor, form: object) -> str:
        """A digest of all that features depend on beside a view's pixels, to the last bit."""
        kind, device = images.device.type, images.device
        reduced = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        on = (platform.machine(), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads())
        by = on if kind == "cpu" else torch.cuda.get_device_name(device)
        told = (_LAYOUT, torch.__version__, timm.__version__, by, self.options, self._digest(network), reduced, form)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]

    def _digest(self, network: nn.Module) -> str:
        """Of the weights and how they lie; taken anew where any of them has been written to."""
        now = [(buffer.data_ptr(), buffer._version) for buffer in network.buffers()]
        if self._weights[0] != now:
            digest = hashlib.sha256()
            for name, buffer in network.named_buffers():
                digest.update(f"{name} {buffer.dtype} {buffer.shape} {buffer.stride()}".encode())
                digest.update(_bytes(buffer))
            self._weights = (now, digest.hexdigest())
        return self._weights[1]


def _bytes(tensor: Tensor) -> memoryview:
    """The numbers of a tensor of any type, row by row."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _digests(images: Tensor, last: bool) -> list[bytes]:
    """Of each view: its size and its numbers in the order in which they lie."""
    rows, found = (images.permute(0, 2, 3, 1) if last else images).cpu(), []
    for row in rows:
        digest = hashlib.sha256(f"{images.dtype} {tuple(images.shape[1:])}".encode())
        digest.update(_bytes(row))
        found.append(digest.digest())
    return found


_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_HEAD = struct.Struct("<B4I")
"""Type of the numbers; width of the pooled features; channels, height and width of the map."""


def _record(pooled: Tensor, found: Tensor | None) -> bytes:
    """Of one view; a map lies with its channels last."""
    head = _HEAD.pack(_DTYPES.index(pooled.dtype), pooled.shape[1], *((0, 0, 0) if found is None else found.shape[1:]))
    return b"".join([head, _bytes(pooled), b"" if found is None else _bytes(found.permute(0, 2, 3, 1))])


def _stacked(records: Sequence[bytes], device: torch.device) -> Computed:
    """The features of views of one size."""
    code, width, *shape = _HEAD.unpack_from(records[0])
    dtype, (channels, height, across) = _DTYPES[code], shape
    middle = _HEAD.size + width * dtype.itemsize
    pooled = _tensor([record[_HEAD.size : middle] for record in records], dtype).reshape(-1, width).to(device)
    if not channels:
        return pooled, None
    found = _tensor([record[middle:] for record in records], dtype).reshape(-1, height, across, channels)
    return pooled, found.to(device).permute(0, 3, 1, 2)


def _tensor(parts: Sequence[bytes], dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(b"".join(parts)), dtype=dtype)
