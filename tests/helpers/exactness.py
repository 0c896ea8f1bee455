"""The gradient of a training step on one process, on several, and over micro-batches, for any loss.

The network has no batch statistics unless they are asked for, and computes in float64.
"""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers import fakes
from torch import Tensor, nn

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.spec import ComponentSpec
from rankhub.engine.device import Compute
from rankhub.engine.learner import Learner, ScheduledOptimizer, StepInfo, StreamBatch, WeightAverage
from rankhub.engine.network import Network
from rankhub.engine.objectives import Objective
from rankhub.engine.step import take_step
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.model import Backbone, Head, OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.processes import ALONE, Processes
from rankhub.interfaces.schedule import Clock
from rankhub.recipe.assembly import Assembly
from rankhub_torchrun.group import TorchProcesses

SAMPLES, STEPS = 8, 3
OPTIONS: dict[str, dict[str, Any]] = {
    "swav": {"prototypes": 12, "queue": 24, "queue_from": 0.3, "freeze_until": 0.0},
    "moco": {"queue": 40},
    "smooth_ap": {"queue": 40, "tau_end": 0.2},
    "nt_xent": {"queue": 40, "temperature_end": 0.2},
}
"""Options that make a loss small, where its defaults are for real data, or with a queue, empty at the first step."""


class Both(Head):
    """An embedding and scores, so that any loss finds what it takes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed, self.score = nn.Linear(width, 6), nn.Linear(width, 10)

    @property
    def outputs(self):
        return {"embedding": OutputSpec("embedding", 6), "scores": OutputSpec("prototypes", 10)}

    def forward(self, features):
        return {"embedding": self.embed(features.pooled), "scores": self.score(features.pooled)}


@dataclass(frozen=True)
class Case:
    """One way to take a step.

    Attributes:
        loss: Name of the component.
        micro: Micro-batches of each process.
        norm: Whether the network has BatchNorm.
        timm: A network of timm that takes the place of the fake one, its norms frozen.
    """

    loss: str
    micro: int = 1
    norm: bool = False
    timm: str | None = None


@functools.cache
def catalog() -> Catalog:
    """The official plugins."""
    return Catalog.discover()


def batch_wide() -> list[str]:
    """The names of all losses that depend on the whole batch."""
    return sorted(entry.component.name for entry in catalog().entries("loss") if catalog().load(entry).scope == "batch")


def build_loss(name: str) -> tuple[Loss, str, int]:
    """The loss, the output it takes, and the number of views that suits it."""
    outputs = {"embedding": OutputSpec("embedding", 6), "scores": OutputSpec("prototypes", 10)}
    for output, spec in outputs.items():
        try:
            loss = catalog().build("loss", ComponentSpec(use=name, **OPTIONS.get(name, {})), {output: spec})
        except Exception:
            continue
        for views in (4, 2):
            sizes = ((2, 8), (2, 6)) if views == 4 else ((2, 8),)
            if not list(loss.check(ViewSpec(views=views, groups=1, levels="equal", sizes=sizes), LabelSpec())):
                return loss, output, views
    raise AssertionError(f"no way was found to hand {name} what it takes")


def batch(views: int, step: int, processes: Processes) -> Batch:
    """This process's share of a batch: large views in one stack, small ones in a second."""
    generator = torch.Generator().manual_seed(step)
    share = processes.share(SAMPLES)
    images, rows = [], []
    for first, side in ((0, 8), (2, 6))[: views // 2]:
        stack = torch.rand(SAMPLES, 2, 3, side, side, generator=generator, dtype=torch.float64)
        stack += torch.rand(SAMPLES, 1, 3, 1, 1, generator=generator, dtype=torch.float64)
        images.append(stack[share].flatten(0, 1))
        rows += [(100 + 7 * sample, first + view) for sample in range(SAMPLES)[share] for view in range(2)]
    index, view = torch.tensor(rows).T.contiguous()
    level = ((index * 3 + view * 5) % 4 + 1) / 4
    target = RankTarget(index, view, index.clone(), level.float())
    sizes = torch.cat([torch.full((len(stack), 2), stack.shape[-1]) for stack in images])
    return Batch(tuple(images), sizes, torch.zeros(len(index), 2, 3, dtype=torch.float64), target)


def frozen(model: str) -> Backbone:
    """A network of timm with frozen norms whose statistics are not those of a new one."""
    backbone = catalog().build("backbone", ComponentSpec(use="timm", model=model, norms="frozen"))
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return backbone


def built(case: Case) -> tuple[Network, Loss, str, int]:
    """The network, and what :func:`build_loss` gives."""
    torch.manual_seed(5)
    backbone = fakes.Flat(width=7, norm=case.norm) if case.timm is None else frozen(case.timm)
    loss, output, views = build_loss(case.loss)
    network = Network(backbone, {"both": Both(backbone.spec.width)}, {("stream", "loss"): loss}).double()
    return network, loss, output, views


def gradients(case: Case, processes: Processes = ALONE) -> list[Tensor]:
    """The gradient of each step, and at the end what the loss holds in its buffers."""
    network, loss, output, views = built(case)
    objectives = [Objective("stream/loss", "both", (output,), loss)]
    average = WeightAverage(network, teaches=True)
    compute = Compute(torch.device("cpu"))
    groups = [{"params": list(network.parameters()), "vector": False, "lr_scale": 1.0}]
    assembly = Assembly({"optimizer": {"use": "descent", "lr": 0.05}}, Catalog.of({"fakes": fakes}))
    optimizer = ScheduledOptimizer(assembly, ("optimizer",), None, groups)
    learner = Learner(network, average, 0.9, compute, compute.scaler(), None, 3, processes)
    found = []
    for step in range(STEPS):
        portions = {"stream": StreamBatch(batch(views, step, processes), objectives, case.micro)}
        take_step(learner, portions, optimizer, StepInfo(Clock(step, STEPS, STEPS), step + 1, log=True))
        found.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    return [*found, *(buffer.detach().double().flatten() for buffer in loss.buffers())]


def _process(rank: int, count: int, port: int, cases: list[Case], box: Any) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=count, timeout=timedelta(seconds=60))
    found = [gradients(case, TorchProcesses(rank, count, rank)) for case in cases]
    if rank == 0:
        box.put([[tensor.numpy() for tensor in tensors] for tensors in found])
    dist.barrier()
    dist.destroy_process_group()


def on_processes(count: int, cases: list[Case]) -> list[list[Tensor]]:
    """:func:`gradients` of each case, taken by several processes together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = mp.get_context("spawn")
    box = context.Queue()
    started = mp.start_processes(_process, (count, port, cases, box), count, join=False, start_method="spawn")
    found = box.get(timeout=120)
    while not started.join():
        pass
    return [[torch.from_numpy(array) for array in arrays] for arrays in found]
