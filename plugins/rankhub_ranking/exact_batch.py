"""The gradient of a loss of the whole batch, in a plain PyTorch or Lightning loop, over parts and processes.

A loss that compares rows (average precision, NT-Xent) is not the mean of its values on parts of a batch: gradient
accumulation and data-parallel training change it, without a word. :class:`ExactBatch` takes the loss on *all* rows and
then takes its gradient through the network part by part, which gives the gradient of one process and one batch.

Source: Gao, Zhang, Han, Callan: Scaling deep contrastive learning batch size under memory limited setup, 2021 (arXiv
2101.06983); Revaud et al.: Learning with average precision, ICCV 2019, section 3.3. rankhub's engine does the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class ExactBatch:
    """A context in which a loss sees the outputs of the whole batch, whatever the parts in which its rows pass.

    Such as::

        with ExactBatch(network, images, parts=4) as batch:
            loss = smooth_ap(batch.outputs, batch.gather(groups))
            loss.backward()
        optimizer.step()

    ``loss.backward()`` (or Lightning's ``manual_backward``) ends at ``batch.outputs``; leaving the context adds the
    gradient to the network's parameters. Every process computes the loss of all rows, and has the same value of it.

    With several parts each row passes twice, the first time without a graph; random numbers (dropout) are the same both
    times, and buffers (BatchNorm's running statistics) move once. Exact for networks whose outputs do not depend on the
    other rows of a part: BatchNorm in training mode does, unless its statistics are frozen.

    With ``torch.distributed`` every process calls it with its own rows, of any number. A ``DistributedDataParallel``
    network reduces its gradients itself; those of any other network are summed here.

    Args:
        network: Takes rows of ``images`` and returns one tensor, a row each.
        images: [n, ...] this process's rows.
        parts: In how many parts they pass; at most n.

    Attributes:
        outputs: [N, ...] of all processes, in the order of their ranks; a leaf in float32 (float64 stays).

    Raises:
        ValueError: There are no rows, or ``parts`` is not in [1, n].
        RuntimeError: The context is left and nothing was taken back to ``outputs``.
    """

    outputs: Tensor

    def __init__(self, network: nn.Module, images: Tensor, parts: int = 1) -> None:
        if not 1 <= parts <= len(images):
            raise ValueError(f"parts must be in [1, {len(images)}], the number of rows, got {parts}")
        self.network, self.parts = network, torch.tensor_split(images, parts)
        self.world = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        self._states: list[list[Tensor]] = []

    def __enter__(self) -> ExactBatch:
        device = self.parts[0].device
        self._autocast = torch.is_autocast_enabled(device.type), torch.get_autocast_dtype(device.type)
        whole = len(self.parts) == 1
        self._kept: list[Tensor] = []
        with contextlib.nullcontext() if whole else _without_graph(self.network):
            for part in self.parts:
                self._states.append(_random_state(device))
                self._kept.append(self.network(part))
        own = torch.cat([rows.detach() for rows in self._kept])
        own = own if own.dtype == torch.float64 else own.float()
        self._lengths = self._gather_lengths(own)
        self.outputs = self.gather(own).requires_grad_()
        return self

    def gather(self, rows: Tensor) -> Tensor:
        """[n, ...] of each process -> [N, ...] of all, in the order of ranks and without a graph: labels, groups.

        Raises:
            ValueError: There are not as many rows as images.
        """
        own = sum(len(part) for part in self.parts)
        if len(rows) != own:
            raise ValueError(f"{len(rows)} rows to gather, but this process has {own} images")
        if self.world == 1:
            return rows.detach().clone()
        padded = rows.new_zeros((max(self._lengths), *rows.shape[1:]))
        padded[: len(rows)] = rows.detach()
        found = [torch.empty_like(padded) for _ in range(self.world)]
        dist.all_gather(found, padded)
        return torch.cat([part[:length] for part, length in zip(found, self._lengths, strict=True)])

    def _gather_lengths(self, rows: Tensor) -> list[int]:
        if self.world == 1:
            return [len(rows)]
        found = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(self.world)]
        dist.all_gather(found, torch.tensor([len(rows)], device=rows.device))
        return [int(length) for length in found]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            return
        if self.outputs.grad is None:
            raise RuntimeError("call backward() on a loss of batch.outputs before the context of ExactBatch ends")
        rank = dist.get_rank() if self.world > 1 else 0
        start = sum(self._lengths[:rank])
        gradient = self.outputs.grad[start : start + self._lengths[rank]]
        reduced = isinstance(self.network, DistributedDataParallel)
        if reduced:
            gradient = gradient * self.world  # its reducer takes the mean over processes, and the gradient is a sum
        with contextlib.nullcontext() if reduced or self.world == 1 else _summed(self.network):
            self._backward(gradient)

    def _backward(self, gradient: Tensor) -> None:
        """Each part through the network once more, and its rows of the gradient back."""
        shares = torch.split(gradient, [len(part) for part in self.parts])
        if len(self.parts) == 1:
            torch.autograd.backward(self._kept[0], shares[0].to(self._kept[0].dtype))
            return
        device = self.parts[0].device
        after, last = _random_state(device), len(self.parts) - 1
        for number, (part, share) in enumerate(zip(self.parts, shares, strict=True)):
            waits = isinstance(self.network, DistributedDataParallel) and number < last
            with self.network.no_sync() if waits else contextlib.nullcontext():  # type: ignore[operator]
                _set_random_state(self._states[number], device)
                with torch.autocast(device.type, enabled=self._autocast[0], dtype=self._autocast[1]):
                    rows = self.network(part)
                torch.autograd.backward(rows, share.to(rows.dtype))
        _set_random_state(after, device)


@contextlib.contextmanager
def _without_graph(network: nn.Module) -> Iterator[None]:
    """No graph, and buffers as they were before: the second pass moves them."""
    kept = [(buffer, buffer.clone()) for buffer in network.buffers()]
    with torch.no_grad():
        yield
        for buffer, before in kept:
            buffer.copy_(before)


@contextlib.contextmanager
def _summed(network: nn.Module) -> Iterator[None]:
    """Sum over processes the gradient that the block adds, and no other that was there."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    before = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    yield
    for parameter, earlier in zip(parameters, before, strict=True):
        added = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        dist.all_reduce(added)
        parameter.grad = added if earlier is None else earlier + added


def _random_state(device: torch.device) -> list[Tensor]:
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _set_random_state(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)
