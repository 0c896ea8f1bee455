"""What the reducer of several processes makes of steps of many kinds; each process leaves what it found in a file."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import rankhub
from rankhub.interfaces.processes import Processes
from rankhub_torchrun.group import TorchProcesses
from rankhub_torchrun.peers import PeerLostError

COUNT, STEPS = 3, 4
PARTS = ("twice", "early", "one", "other", "odd", "never", "late")

Pass = tuple[list[Tensor], list[Tensor | None] | None]
"""Tensors from which a backward pass starts, and their gradients."""
Gradients = dict[str, Tensor | None]


class Parts(nn.Module):
    """Parts that processes and passes use as they like, one of them frozen, one in another type, one channels last."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        for name in PARTS:
            setattr(self, name, nn.Linear(6, 6, dtype=torch.float64))
        self.conv = nn.Conv2d(3, 4, 3, dtype=torch.float64).to(memory_format=torch.channels_last)
        self.single = nn.Parameter(torch.rand(6))
        self.frozen = nn.Linear(6, 6, dtype=torch.float64).requires_grad_(False)

    def moved(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def passes(net: Parts, rank: int, step: int) -> Iterator[Pass]:
    """The passes of a step, the last one last."""
    generator = torch.Generator().manual_seed(100 * step + rank)
    x = torch.randn(5, 6, dtype=torch.float64, generator=generator)
    yield [net.early(net.frozen(net.twice(x))).square().sum()], None
    if rank == 2:  # another number of passes than the others
        yield [net.other(net.early(x)).sin().sum()], None
    outputs = net.twice(net.late(net.twice(x)))
    if rank == 1:
        outputs = outputs + net.one(x)
    if step % 2:
        outputs = outputs * net.odd(x)
    maps = net.conv(torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=generator))
    rest = (net.single * x.float()).pow(3).sum().double()
    yield [outputs, maps, rest], [outputs.detach().cos(), maps.detach().exp(), None]


def reentrant(net: Parts, rank: int, step: int) -> Iterator[Pass]:
    """A step whose last pass goes back through a part of the network in a graph of its own."""
    x = torch.full((2, 6), 1.0 + rank + step, dtype=torch.float64, requires_grad=True)
    yield [net.early(x).square().sum()], None
    yield [net.late(checkpoint(net.twice, x, use_reentrant=True)).square().sum()], None


def without_start(net: Parts, rank: int, step: int) -> Iterator[Pass]:
    """A step whose last pass starts from nothing, as where only a loss has parameters that move."""
    yield [net.early(torch.full((2, 6), 1.0 + rank + step, dtype=torch.float64)).square().sum()], None
    yield [], []


def gradients(net: nn.Module) -> Gradients:
    return {name: None if p.grad is None else p.grad.clone() for name, p in net.named_parameters()}


def steps(kind: Callable[..., Iterator[Pass]], processes: TorchProcesses) -> list[tuple[Gradients, Gradients]]:
    """This process's own gradients in each step, and what it has when the reducer takes the step."""
    alone, shared = Parts(), Parts()
    found = []
    for step in range(STEPS):
        for net in (alone, shared):
            net.zero_grad(set_to_none=True)
        for tensors, starts in kind(alone, processes.rank, step):
            if tensors:
                torch.autograd.backward(tensors, starts)
        closing = processes.last_backward(shared.moved())
        taken = kind(shared, processes.rank, step)
        held = next(taken)
        for following in taken:
            torch.autograd.backward(*held)
            held = following
        closing(*held)
        found.append((gradients(alone), gradients(shared)))
    return found


@contextmanager
def watched(events: list[str], parameter: nn.Parameter) -> Iterator[None]:
    """Note when a bucket is sent, and when the gradient of a parameter comes."""
    send = dist.all_reduce

    def sending(*arguments: Any, **options: Any) -> Any:
        events.append("sent")
        return send(*arguments, **options)

    handle = parameter.register_hook(lambda gradient: events.append("first layer"))
    with mock.patch.object(dist, "all_reduce", sending):
        yield
    handle.remove()


class AfterThePass(TorchProcesses):
    """Sums as a launcher does that has no reducer."""

    last_backward = Processes.last_backward


def layers() -> nn.Sequential:
    """A network of several buckets."""
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(500, 600), nn.Tanh(), nn.Linear(600, 700), nn.Tanh(), nn.Linear(700, 4))


def in_buckets(processes: Processes, first: int) -> tuple[list[Tensor], list[str]]:
    """Gradients of the steps from ``first`` on with a reducer of its own, and what happened in the last of them."""
    net, found, events = layers(), [], list[str]()
    for step in range(first, STEPS):
        net.zero_grad(set_to_none=True)
        closing = processes.last_backward(list(net.parameters()))
        x = torch.randn(9, 500, generator=torch.Generator().manual_seed(10 * step + processes.rank))
        events.clear()
        with watched(events, net[0].weight):
            closing([net(x).square().sum()])
        found.append(torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None]))
    return found, events


class Again(torch.autograd.Function):
    """A reentrant checkpoint of somebody's own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, part: nn.Module) -> Tensor:
        ctx.x, ctx.part = x.detach(), part
        return part(x.detach())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:
        with torch.enable_grad():
            x = ctx.x.requires_grad_()
            torch.autograd.backward(ctx.part(x), gradient)
        return x.grad, None


def failure(processes: TorchProcesses, rows: Callable[[Parts, Tensor], Tensor], gone: int | None = None) -> str:
    """What is said of a step on rows that a function makes; one process may be gone before it goes back."""
    net = Parts()
    closing = processes.last_backward(net.moved())
    total = rows(net, torch.ones(2, 6, dtype=torch.float64, requires_grad=True)).sum()
    if processes.rank == gone:
        os._exit(0)
    try:
        closing([total])
    except (PeerLostError, rankhub.UserError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def _process(rank: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=COUNT, timeout=timedelta(seconds=60))
    processes = TorchProcesses(rank, COUNT, rank)
    found: dict[str, Any] = {kind.__name__: steps(kind, processes) for kind in (passes, reentrant, without_start)}
    found["again"] = steps(passes, processes)
    found["whole"], found["events"] = in_buckets(processes, 0)
    found["resumed"], _ = in_buckets(processes, 2)
    found["after"], found["events after"] = in_buckets(AfterThePass(rank, COUNT, rank), 0)
    found["own"] = failure(processes, lambda net, x: net.late(Again.apply(x, net.twice)))
    torch.save(found, folder / f"{rank}.pt")
    found["lost"] = failure(processes, lambda net, x: net.late(x), gone=2)
    torch.save(found, folder / f"{rank}.pt")
    os._exit(0)  # a group whose peer is gone may never end by itself


def on_processes(folder: Path) -> list[dict[str, Any]]:
    """What each process has found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(_process, (port, folder), COUNT, start_method="spawn")
    return [torch.load(folder / f"{rank}.pt") for rank in range(COUNT)]
