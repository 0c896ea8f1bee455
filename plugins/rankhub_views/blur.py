"""Gaussian blur of many views at once, each with its own width, as two batched products with small matrices."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.tensors import sent
from rankhub_views.scratch import Scratch


def kernel_for(size: int) -> int:
    """About a tenth of the side, odd and at least 3: 9 at 96 px, as SimCLR takes it."""
    return max(3, size // 10 | 1)


def blur_(images: Tensor, rows: npt.NDArray[np.int64], sigma: Tensor, kernel: int, scratch: Scratch) -> None:
    """Blur views at ``rows`` [k] as torchvision's ``gaussian_blur`` does, which mirrors the image at its edges.

    ``images`` [n, 3, S, S] float32 change in place; ``sigma`` [k] in pixels, on their device; ``kernel`` taps, odd.
    """
    at = sent(torch.from_numpy(rows), images.device)
    size = images.shape[-1]
    matrices = _matrices(sigma, kernel, size)
    shape = (len(rows), 3 * size, size)
    held = torch.index_select(images.view(len(images), 3 * size, size), 0, at, out=scratch.take("held 0", *shape))
    across = torch.bmm(held, matrices.transpose(1, 2), out=scratch.take("held 1", *shape))
    held, across = held.view(-1, 3, size, size), across.view(-1, 3, size, size)
    for channel in range(3):
        torch.bmm(matrices, across[:, channel], out=held[:, channel])
    images.index_copy_(0, at, held.clamp_(0, 1))


def _matrices(sigma: Tensor, kernel: int, size: int) -> Tensor:
    """[k, size, size]: the blurred line is the matrix times the line."""
    offsets = torch.arange(kernel, device=sigma.device) - kernel // 2
    taps = torch.exp(-0.5 * (offsets / sigma[:, None]).square())
    taps /= taps.sum(dim=1, keepdim=True)
    return (taps @ _reads(kernel, size, sigma.device)).view(len(sigma), size, size)


@functools.lru_cache(maxsize=16)
def _reads(kernel: int, size: int, device: torch.device) -> Tensor:
    """[kernel, size * size] 0 or 1: which input pixel each tap reads for each output pixel.

    Beyond the edge the line goes on mirrored, without repeating the edge itself, as often as need be.
    """
    reads = np.arange(size)[None, :] + np.arange(kernel)[:, None] - kernel // 2
    period = max(1, 2 * (size - 1))
    mirrored = np.minimum(reads % period, -reads % period)
    return sent(torch.from_numpy(np.eye(size, dtype=np.float32)[mirrored].reshape(kernel, -1)), device)
