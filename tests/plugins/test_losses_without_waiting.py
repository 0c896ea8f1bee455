"""No official loss waits for the device: what depends on the order alone is found on the CPU, and sent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.device import BlockingCopies

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_points import Points
from rankhub_ranking.queue import Queue
from tools.gpu_checks.meta import META

CATALOG = Catalog.discover()
SHAPES = {"embedding": (6,), "prototypes": (6,), "logits": (6,), "score": (), "map": (1, 4, 4), "count": ()}
KINDS = {
    **dict.fromkeys(("mse", "l1", "huber", "margin_ranking"), "score"),
    "cross_entropy": "logits",
    "dino": "prototypes",
    "density_mse": "map",
    "bayesian_points": "map",
    "zip_nll": "map",
}
"""Of the output that a loss takes; else an embedding."""

CASES = [
    *((entry.component.name, {}) for entry in CATALOG.entries("loss")),
    ("swav", {"queue": 8, "queue_from": 0.0, "freeze_until": 0.0}),
    ("margin_ranking", {"pairs": "same_kind", "reduction": "groups", "shape": "logistic"}),
    ("pnp", {"variant": "O", "include_self": True}),
    ("mse", {"points": True}),
    ("smooth_ap", {"queue": 9, "tau_end": 0.01}),
    ("nt_xent", {"queue": 9, "temperature_end": 0.1}),
]


def target_of(name: str, points: bool) -> RankTarget:
    """Four images with two views each, one of them without a label."""
    index = torch.arange(4).repeat_interleave(2)
    view, level = torch.arange(2).repeat(4), torch.tensor([1.0, 0.5]).repeat(4)
    if points or KINDS.get(name) == "map":
        draw = np.random.default_rng(3)
        sizes = torch.full((8, 2), 16)
        label = Points.of([draw.random((number, 2)) * 16 for number in (0, 3, 1, 2, 4, 1, 1, 5)], sizes)
    elif name == "cross_entropy":
        label = torch.tensor([0, 1, -1, -1, 2, 2, 5, 5])
    else:
        label = torch.tensor([1.0, 2.0, float("nan"), 0.5, 1.5, 2.5, 3.0, 1.0])
    return RankTarget(index, view, index * 1, level, label, torch.zeros_like(index))


def step(loss, kind, target, log=False, queries=None):
    """One call of a loss and what comes after it; the gradient at what it was handed."""
    device = next(iter([*loss.parameters(), *loss.buffers()]), torch.zeros((), device=target.index.device)).device
    draw = torch.Generator().manual_seed(5)
    rows = torch.randn(8, *SHAPES[kind], generator=draw).to(device, non_blocking=True).requires_grad_()
    taught = torch.randn(8, *SHAPES[kind], generator=draw).to(device, non_blocking=True)
    count = loss.count(target.on_cpu)
    assert count.device.type == "cpu"
    outputs = {kind: rows, "suppressed": rows} if kind == "map" else {kind: rows}
    result = loss(outputs, target, LossContext(0.5, queries, {kind: taught}, log))
    (result.total / count.clamp(min=1)).backward()
    loss.after_step()
    return rows.grad


def built(name, options):
    options = dict(options)
    points = options.pop("points", False)
    kind = "count" if points else KINDS.get(name, "embedding")
    torch.manual_seed(1)
    small = {"moco": {"queue": 9}, "swav": {"prototypes": 7}}.get(name, {})
    spec = ComponentSpec(use=name, **small, **options)
    given = {one: OutputSpec(kind, 6) for one in ((kind, "suppressed") if name == "zip_nll" else (kind,))}
    return CATALOG.build("loss", spec, given), kind, target_of(name, points)


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{name} {options or ''}" for name, options in CASES])
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "of two processes"])
def test_a_loss_asks_nothing_of_a_device_that_cannot_answer(name, options, shared):
    """On ``meta`` every reading raises, and copies for which one would wait are listed."""
    loss, kind, target = built(name, options)
    queries = torch.arange(8) % 4 < 2 if shared and loss.per_query else None
    loss = loss.to(META)
    for queue in (module for module in loss.modules() if isinstance(module, Queue)):
        queue._known = (queue._state(), 0)  # it reads once how full it is, after a checkpoint; then it counts
    with BlockingCopies() as copies:
        for _ in range(3):
            gradient = step(loss, kind, target.to(META), queries=queries)
    assert gradient is None or gradient.device == META
    assert copies.found == []


def test_the_stand_in_refuses_what_would_wait():
    rows = torch.zeros(4, device=META)
    for read in (rows.tolist, rows[0].item, rows.nonzero, rows.cpu, rows.unique, lambda: bool(rows[0] > 0)):
        with pytest.raises((RuntimeError, NotImplementedError)):
            read()
    with BlockingCopies() as copies:
        torch.zeros(3).to(META, non_blocking=True)
        assert copies.found == []
        torch.zeros(3).to(META)
        torch.zeros(3, device=META).copy_(torch.zeros(3))
    assert len(copies.found) == 2


def test_a_queue_knows_how_many_came_without_reading_it_each_time(monkeypatch):
    loss, kind, target = built("swav", {"queue": 8, "queue_from": 0.0})
    reads = []
    monkeypatch.setattr(torch.Tensor, "__int__", lambda self: reads.append(1) or self.item())
    queue = loss.queues[0]
    full = []
    for _ in range(4):
        step(loss, kind, target)
        full.append(queue.full)
    assert full == [False, True, True, True]  # four views of a number come at each step
    assert len(reads) == len(loss.queues)
    state = {name: torch.zeros_like(value) for name, value in loss.state_dict().items()}
    loss.load_state_dict(state)
    assert not queue.full
