"""Whether a loss has the same gradient on one process, on two and accumulated.

Any loss ``loss(embeddings, labels)`` can be asked::

    python -m rankhub_ranking.proof rankhub_s2r2.functional:smooth_ap
    python -m rankhub_ranking.proof mymodule:my_loss

A small network in float64 is given one batch in five ways, and its gradients are compared with those of the first, one
process and one batch: by :class:`~rankhub_ranking.exact_batch.ExactBatch` in four parts and on two processes, and as
loops do it without: the mean of four parts' losses, and the mean over two processes of their own rows' losses.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from rankhub_ranking.exact_batch import ExactBatch

LabelsLoss = Callable[[Tensor, Tensor], Tensor]
ROWS, COLUMNS, PARTS, PROCESSES = 48, 12, 4, 2
WAYS = {
    "exact, 4 parts": (True, PARTS, 1),
    "exact, 2 processes": (True, 1, PROCESSES),
    "exact, 2 processes of 4 parts": (True, PARTS, PROCESSES),
    "mean of 4 parts": (False, PARTS, 1),
    "mean of 2 processes": (False, 1, PROCESSES),
}
"""Name -> whether by ExactBatch, in how many parts, on how many processes."""


def compare_gradients(loss: str) -> dict[str, float]:
    """The largest difference of a network's gradient from that of one process and one batch, for each of ``WAYS``.

    Relative to the largest entry of that gradient; exact ways are below 1e-9 for a loss that takes float64.

    Args:
        loss: ``module:name`` of a function, or of a class that is built without arguments, ``(embeddings, labels)``.

    Raises:
        ValueError: The name leads to nothing that can be called.
        ImportError: There is no such module.
    """
    resolve(loss)  # a wrong name is said here, not by another process
    with tempfile.TemporaryDirectory() as folder:
        whole = _gradient(loss, True, 1, 1, folder)
        scale = whole.abs().max().clamp(min=torch.finfo(whole.dtype).tiny)
        return {way: float((_gradient(loss, *how, folder) - whole).abs().max() / scale) for way, how in WAYS.items()}


def resolve(loss: str) -> LabelsLoss:
    """The function of ``module:name``; a class is built without arguments."""
    module, _, name = loss.partition(":")
    found = getattr(importlib.import_module(module), name, None) if name else None
    if isinstance(found, type):
        found = found()
    if not callable(found):
        raise ValueError(f"{loss!r} is no loss: name it as module:function, such as rankhub_s2r2.functional:smooth_ap")
    return found  # type: ignore[no-any-return]


def _gradient(loss: str, exact: bool, parts: int, processes: int, folder: str) -> Tensor:
    if processes == 1:
        return _own_gradient(resolve(loss), exact, parts, 0, 1)
    handle, out = tempfile.mkstemp(dir=folder)
    os.close(handle)
    spawn(_worker, (loss, exact, parts, processes, f"{out}.store", out), nprocs=processes)
    return torch.load(out, weights_only=True)  # type: ignore[no-any-return]


def _worker(rank: int, loss: str, exact: bool, parts: int, processes: int, store: str, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=processes)
    gradient = _own_gradient(resolve(loss), exact, parts, rank, processes)
    if rank == 0:
        torch.save(gradient, out)
    dist.destroy_process_group()


def _own_gradient(loss: LabelsLoss, exact: bool, parts: int, rank: int, processes: int) -> Tensor:
    draws = torch.Generator().manual_seed(0)
    images = torch.randn(ROWS, COLUMNS, generator=draws, dtype=torch.float64)
    labels = torch.arange(ROWS) // 4
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(COLUMNS, 16), nn.Tanh(), nn.Linear(16, 8)).double()
    own = slice(rank * ROWS // processes, (rank + 1) * ROWS // processes)
    images, labels = images[own], labels[own]
    if exact:
        with ExactBatch(network, images, parts) as batch:
            loss(batch.outputs, batch.gather(labels)).backward()
    else:
        for some, known in zip(images.chunk(parts), labels.chunk(parts), strict=True):
            (loss(network(some), known) / (parts * processes)).backward()
        if processes > 1:
            for one in gradients(network):
                dist.all_reduce(one)
    return torch.cat([gradient.flatten() for gradient in gradients(network)])


def gradients(network: nn.Module) -> list[Tensor]:
    """The gradients of a network's parameters."""
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def main(arguments: list[str]) -> int:
    """Print how far each way is off; 2 where the loss cannot be found."""
    if len(arguments) != 1:
        print("usage: python -m rankhub_ranking.proof module:loss", file=sys.stderr)
        return 2
    try:
        differences = compare_gradients(arguments[0])
    except (ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for way, difference in differences.items():
        print(f"{way:32}{difference:10.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
