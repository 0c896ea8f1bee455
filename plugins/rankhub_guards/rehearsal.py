"""What is tried before training: whether losses, schedules, optimizers, generators and test time keep what they say."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rankhub.interfaces.batch import Batch
from rankhub.interfaces.data import Dataset, GivenData
from rankhub.interfaces.generator import Generator
from rankhub.interfaces.loss import Loss, LossContext
from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.predict import Forward, Predict
from rankhub.interfaces.schedule import Clock, Schedule
from rankhub_guards.contracts import Given, check_answers, digest
from rankhub_train.trial import TrialGuard

TOLERANCE = 1e-3
"""Relative difference above which two sums are two numbers."""

PLACES = 256
"""Steps of a phase at which its schedules are asked."""


class Rehearsal(TrialGuard):
    """Tries components before training, on copies."""

    def scheduled(self, schedule: Schedule, start: Clock, low: float, high: float) -> None:
        """Ask a schedule over the whole length of a phase: a rate that ends below 0 is known before the first step."""
        for step in np.unique(np.linspace(0, start.steps - 1, PLACES).astype(int)).tolist():
            value = schedule.value(replace(start, step=step))
            fine = isinstance(value, int | float | np.number) and math.isfinite(value) and low <= value <= high
            wanted = "finite" if low < 0 else f"finite and {'at least 0' if high > 1 else 'from 0 to 1'}"
            Given(schedule).must(fine, f"gave {value!r} for step {step + 1} of {start.steps}, it must be {wanted}")

    def summed(self, loss: Loss, outputs: Mapping[str, Tensor], target: RankTarget, taught: bool) -> None:
        """Whether a loss is the sum that it announces: over views, over samples, or over queries."""
        every = torch.arange(len(target), device=target.index.device)
        narrow = (torch.bfloat16, torch.float16)  # in which two sums of one law may differ by more than its tolerance
        wide = {name: value.float() if value.dtype in narrow else value for name, value in outputs.items()}

        def total(rows: Tensor, seed: int = 0, queries: Tensor | None = None) -> float:
            torch.manual_seed(seed)
            picked = {name: wide[name][rows] for name in outputs}
            context = LossContext(queries=queries, teacher=picked if taught else None)
            with torch.no_grad():
                return float(copy.deepcopy(loss)(picked, target.rows(rows), context).total)  # it may keep a queue

        of, counts = "queries", list[float]()
        if loss.scope == "batch":
            if not loss.per_query:
                return
            parts = [total(every, queries=every % 2 == half) for half in (0, 1)]
        else:
            by, of = (every, "views") if loss.scope == "sample" else (target.index, "samples")
            _, inverse = torch.unique(by, return_inverse=True)
            rows = [every[inverse % 2 == half] for half in (0, 1)]
            if not all(len(half) for half in rows):
                return
            parts = [total(half) for half in rows]
            counts = [float(loss.count(target.rows(half))) for half in rows]
        whole, other = total(every), total(every, seed=1)
        size = TOLERANCE * (abs(whole) + sum(map(abs, parts)))
        if abs(whole - other) > size or not math.isfinite(whole + sum(parts)):
            return  # it draws at random
        announced = f"announces the scope {loss.scope!r}"
        said = f"{announced}, a sum over {of}, and gave {whole:.6g} for a batch and {sum(parts):.6g} for its two halves"
        Given(loss).must(abs(whole - sum(parts)) <= size, f"{said} together; announce the scope it has")
        count = float(loss.count(target)) if counts else 0.0
        said = f"{announced} and counted {count:g} in a batch and {sum(counts):g} in its two halves"
        Given(loss).must(abs(count - sum(counts)) <= TOLERANCE * (1 + count), said)

    def optimized(self, optimizer: Optimizer) -> None:
        """Whether an optimizer moves by the learning rate that its groups have in this step.

        It steps at its rate and at 0, from the same state and by the gradient of the last step; weights are put back.
        """
        moved = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        given, rates = Given(optimizer), [group.get("lr", 0.0) for group in optimizer.param_groups]
        fine = all(bool(torch.isfinite(one).all()) for one in moved)
        given.must(fine, "made weights that are not finite of a gradient that is")
        if not any(rates) or not any(one.grad is not None and one.grad.any() for one in moved):
            return
        before = [one.detach().clone() for one in moved]
        known = {key: copy.deepcopy(value) for key, value in optimizer.state.items()}

        def stepped(factor: float) -> list[Tensor]:
            optimizer.state.update({key: copy.deepcopy(value) for key, value in known.items()})
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            optimizer.step()
            after = [one.detach().clone() for one in moved]
            for one, old in zip(moved, before, strict=True):
                one.data.copy_(old)
            return after

        still, own_rate = stepped(0.0), stepped(1.0)

        def same(one: list[Tensor], other: list[Tensor]) -> bool:
            return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

        given.must(not same(own_rate, before), "moved no weight, though there is a gradient")
        follow = 'it must follow group["lr"], set before each step'
        given.must(not same(own_rate, still), f"moved the weights with a learning rate of 0 as with its own; {follow}")

    def answered(self, predict: Predict, datasets: Iterable[Dataset], forward: Forward, device: torch.device) -> None:
        """Whether test time answers for two images what it answers for each alone, and leaves them as they were."""
        for dataset in datasets:
            sizes = dataset.sizes()
            objection = predict.check_images(sizes) if sizes is not None and len(sizes) else None
            fit = np.arange(len(dataset)) if objection is None else np.flatnonzero(~objection[1])
            if len(fit) < 2:
                continue
            images = [dataset[index].image.to(device) for index in fit[[0, -1]].tolist()]
            known = digest(images)
            both, alone = predict(images, forward), predict(images[:1], forward)
            for said, count in ((both, 2), (alone, 1)):
                check_answers(predict, said, count, forward)
            given = Given(predict)
            given.must(digest(images) == known, "changed the images that it was handed; it must work on a copy")
            for name in both:
                one, other = (rows[0].float() for rows in (alone[name], both[name]))
                slack = 0.05 * float(one.abs().max()) + 1e-4  # in half precision the size of a batch shows
                near = one.shape == other.shape and torch.allclose(one, other, rtol=0.0, atol=slack, equal_nan=True)
                given.must(near, f"gave another {name} for an image alone than beside another image")
            return

    def drawn(self, dataset: Dataset, steps: Sequence[Generator], batch: Batch, alone: Callable[[int], Batch]) -> None:
        """Whether the views of a batch's last image are those that it has by itself, and not its neighbours'."""
        if isinstance(dataset, GivenData):  # a user's may draw at random
            return
        last = batch.target.index[-1]
        own, by_itself = batch.rows((batch.target.index == last).nonzero().flatten().cpu()), alone(int(last))
        given = Given(steps[-1] if steps else dataset)
        said = "made other views of an image by itself than beside others: draw by `draws` alone, in the order of rows"
        for name in ("view", "group", "level"):
            given.must(
                torch.equal(getattr(own.target, name), getattr(by_itself.target, name)), f"{said} ({name} differs)"
            )
        pairs = zip(own.images, by_itself.images, strict=True)
        for (mine, other), (height, width) in (((m, o), o.shape[-2:]) for m, o in pairs):  # one may be padded
            near = torch.allclose(mine[..., :height, :width], other, atol=2 / 255)
            given.must(mine.shape[:2] == other.shape[:2] and near, f"{said} (pixels differ)")
