"""The share of a training step that several processes spend on each other, by hand and by torch's reducer.

    python tools/bench_processes.py                           # two processes, test_resnet at 32 px, resnet18 at 64 px
    python tools/bench_processes.py --turns 5 --seconds 20 --networks resnet18:64:32

Three ways take turns in the same processes, on one batch of views that stays, each with the engine's own step (views
through the network, smooth_ap over all processes, AdamW):

- by hand: gradients are summed in buckets of 16 MiB once the backward pass is through, as rankhub did up to 0.1;
- by the reducer: while it is under way, as a run does;
- alone: each process by itself, with as many rows in the loss.

What a way takes more than the processes take alone is communication: sending, adding up, and waiting for the others.
Shares are taken turn by turn. Tensors go by gloo; the cores are divided between the processes.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

import rankhub
from rankhub.engine.learner import Learner, StepInfo
from rankhub.engine.parts import Resources, build
from rankhub.engine.step import take_step
from rankhub.engine.training import new_learner, new_optimizer, stream_batch
from rankhub.interfaces.processes import Backward, Processes
from rankhub_torchrun.group import TorchProcesses

BUCKET, WARM_UP = 2**24, 3

RECIPE = """
name: bench
data: {{digits: {{use: placed_digits, part: train, size: 40}}}}
backbone: {{use: timm, model: {model}, stem: standard}}
heads: {{embedding: {{use: projection, dim: 128, hidden: 512}}}}
optimizer: {{use: adamw, lr: 0.001}}
streams:
  views:
    data: digits
    batch_size: {images}
    generator: [{{use: random_views, views: 2, size: {size}}}]
    objectives: [{{use: smooth_ap, head: embedding}}]
steps: 1000
predict: {{use: center, size: {size}}}
"""


class ByHand(TorchProcesses):
    """Sums gradients in buckets, after the backward pass."""

    def last_backward(self, parameters: Sequence[nn.Parameter]) -> Backward:
        """The pass, and then the sums."""

        def backward(tensors: Sequence[Tensor], gradients: Sequence[Tensor | None] | None = None) -> None:
            torch.autograd.backward(tensors, gradients)
            present = self.sum(torch.tensor([p.grad is not None for p in parameters]).long()).tolist()
            for parameter in (p for p, number in zip(parameters, present, strict=True) if number and p.grad is None):
                parameter.grad = torch.zeros_like(parameter)
            for bucket in buckets([p.grad for p in parameters if p.grad is not None]):
                flat = self.sum(torch.cat([gradient.flatten() for gradient in bucket]))
                for gradient, part in zip(bucket, torch.split(flat, [one.numel() for one in bucket]), strict=True):
                    gradient.copy_(part.view_as(gradient))

        return backward


def buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients of one type that together have about :data:`BUCKET` bytes."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        if bucket and (sum(one.nbytes for one in bucket) >= BUCKET or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


class Alone(Processes):
    """Knows of the others, and says nothing to them: their rows are its own once more."""

    def gather(self, rows: Tensor, even: bool = True) -> Tensor:
        """As many rows as all have."""
        return torch.cat([rows.detach()] * self.count)

    def last_backward(self, parameters: Sequence[nn.Parameter]) -> Backward:
        """Nothing is summed."""
        return torch.autograd.backward


WAYS = {"by hand": ByHand, "by the reducer": TorchProcesses, "alone": Alone}


def measured(network: str, processes: TorchProcesses, turns: int, seconds: float) -> dict[str, list[float]]:
    """Way -> seconds a step of each turn, mean over the processes."""
    model, size, images = network.split(":")
    loaded = rankhub.load_recipe(RECIPE.format(model=model, size=int(size), images=int(images) * processes.count))
    parts = build(loaded.recipe, Resources(loaded.catalog, lambda done, total, what: None, processes))
    plan, learner = parts.plans[0], new_learner(parts)
    optimizer, feed = new_optimizer(parts, plan), parts.feeds[plan.phase.name, "views"]
    batch = feed.chain.on_device(feed.fetch(feed.in_epoch(0)), 0)
    portions = {"views": stream_batch(parts, plan, "views", batch)}

    def steps(learner: Learner, number: int) -> float:
        processes.sum(torch.zeros(1))  # all begin together
        start = time.perf_counter()
        for _ in range(number):
            take_step(learner, portions, optimizer, StepInfo(plan.clock_at(0)))
        return (time.perf_counter() - start) / number

    who = (processes.rank, processes.count, processes.local_rank)
    learners = {way: replace(learner, processes=kind(*who)) for way, kind in WAYS.items()}
    for one in learners.values():
        steps(one, WARM_UP)
    number = max(1, round(seconds / processes.from_first(steps(learners["by hand"], WARM_UP))))
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(turns):
        for way, one in learners.items():
            taken = processes.sum(torch.tensor([steps(one, number)], dtype=torch.float64))
            found[way].append(float(taken) / processes.count)
    return found


def _process(rank: int, count: int, port: int, folder: str, options: argparse.Namespace) -> None:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // count))
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=count)
    processes = TorchProcesses(rank, count, rank)
    found: dict[str, Any] = {
        network: measured(network, processes, options.turns, options.seconds) for network in options.networks
    }
    if rank == 0:
        (Path(folder) / "found.json").write_text(json.dumps(found))
    os._exit(0)


def main() -> None:
    """Measure, and print what came out turn by turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said = "model of timm, pixels, and images a process (2 views of each)"
    parser.add_argument("--networks", nargs="+", default=["test_resnet:32:64", "resnet18:64:32"], help=said)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each way in a turn")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        print(f"{options.processes} processes, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}", flush=True)
        count = options.processes
        mp.spawn(_process, (count, port, folder, options), count)  # type: ignore[attr-defined, no-untyped-call]
        found = json.loads((Path(folder) / "found.json").read_text())
    for network, ways in found.items():
        print(network)
        for way, taken in ways.items():
            shares = [1 - alone / one for one, alone in zip(taken, ways["alone"], strict=True)]
            said = f"; communication {statistics.median(shares):.1%} of it, from {min(shares):.1%} to {max(shares):.1%}"
            print(f"  {way:15} {1000 * statistics.median(taken):8.1f} ms a step{'' if way == 'alone' else said}")
        ratios = [hand / own for hand, own in zip(ways["by hand"], ways["by the reducer"], strict=True)]
        median = statistics.median(ratios)
        print(f"  by the reducer {median:.3f} times as fast as by hand, from {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main()
