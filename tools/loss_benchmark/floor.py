"""smooth_ap beside a floor: the sigmoids and products that pairs cost where each pass makes its own, and nothing else.

The floor of N rows of length d in groups of V is the time of

1. N²(V - 1) sigmoids, once for the forward and once for the backward, by ``torch.sigmoid`` on a block that stays in the
   cache, of the size at which it is fastest;
2. two products of matrices by ``torch.mm``: all similarities, [N, d] x [d, N], and one product of a matrix of their
   size with the rows, [N, N] x [N, d], both in blocks of rows, of the sizes at which they are fastest.

Everything runs in one process, with the same number of threads for the loss and for both parts of the floor, in turns:
the forms of the loss, the floor, the forms ...; the best of each counts, so that a busy machine slows all alike.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import measured

from loss_benchmark.losses import LossOf, smooth_forms

if TYPE_CHECKING:
    from torch import Tensor

_TURNS_SECONDS, _MOST_SECONDS = 10.0, 90.0
_SIGMOIDS = tuple(2**power for power in range(12, 19))
_PRODUCT_BYTES = tuple(2**power for power in (20, 21, 22, 24, 26))


@dataclass(frozen=True)
class FloorCase:
    """One measurement: at least so many ``repeats``, more while they take less than ten seconds."""

    rows: int
    views: int
    dim: int
    repeats: int
    threads: int
    cpu_time: bool = False
    """Count the CPU time of the process, of all its threads, instead of the time that passes."""


@dataclass(frozen=True)
class Beside:
    """Seconds of forward and backward: of each form of the loss by name, and of the floor's parts."""

    forms: dict[str, float]
    sigmoids: float
    products: float


def measure(case: FloorCase) -> Beside:
    """Run one case in this process, which should be a fresh one."""
    import torch

    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    z = torch.randn(case.rows, case.dim, requires_grad=True)
    parts = {name: _step(loss, z) for name, loss in smooth_forms(case.rows, case.views, case.dim).items()}
    parts |= {"sigmoids": sigmoids(2 * case.rows**2 * (case.views - 1)), "products": products(case.rows, case.dim)}
    best = dict.fromkeys(parts, float("inf"))
    clock = time.process_time if case.cpu_time else time.perf_counter
    started, turns = time.perf_counter(), 0
    while turns < case.repeats or time.perf_counter() - started < _TURNS_SECONDS:
        best = {name: min(best[name], _seconds(part, clock)) for name, part in parts.items()}
        turns += 1
        if time.perf_counter() - started > _MOST_SECONDS:
            break
    return Beside(sigmoids=best.pop("sigmoids"), products=best.pop("products"), forms=best)


def sigmoids(count: int) -> Callable[[], None]:
    """So many sigmoids, as fast as torch does them."""
    import torch

    blocks = [(torch.randn(size), torch.empty(size)) for size in _SIGMOIDS]
    trial = max(_SIGMOIDS)

    def run(block: Sequence[Tensor], count: int) -> None:
        source, result = block
        for _ in range(count // len(source)):
            torch.sigmoid(source, out=result)
        rest = count % len(source)
        torch.sigmoid(source[:rest], out=result[:rest])

    fastest = min(blocks, key=lambda block: _best(lambda: run(block, 8 * trial)))
    return lambda: run(fastest, count)


def products(rows: int, dim: int) -> Callable[[], None]:
    """All inner products of so many rows, and a matrix of their size times the rows."""
    import torch

    z, result = torch.randn(rows, dim), torch.empty(rows, dim)
    counts = sorted({max(1, min(rows, size // (4 * rows))) for size in _PRODUCT_BYTES})
    work = torch.empty(max(counts), rows)

    def inner(at: slice) -> None:
        some = z[at]
        torch.mm(some, z.T, out=work[: len(some)])

    def outer(at: slice) -> None:
        some = result[at]
        torch.mm(work[: len(some)], z, out=some)

    def run(product: Callable[[slice], None], count: int, most: int) -> None:
        for start in range(0, most, count):
            product(slice(start, min(start + count, most)))

    def fastest(product: Callable[[slice], None]) -> int:
        most = min(rows, 2 * max(counts))
        return min(counts, key=lambda count: _best(lambda: run(product, count, most)))

    work.normal_()
    both = ((inner, fastest(inner)), (outer, fastest(outer)))

    def all_of_both() -> None:
        for product, count in both:
            run(product, count, rows)

    return all_of_both


def _step(loss: LossOf, z: Tensor) -> Callable[[], None]:
    def step() -> None:
        z.grad = None
        loss(z).backward()

    return step


def _seconds(run: Callable[[], None], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return clock() - start


def _best(run: Callable[[], None]) -> float:
    return min(_seconds(run, time.process_time) for _ in range(5))


def in_a_process(case: FloorCase) -> Beside:
    """Run one case in a process of its own."""
    found = measured.in_a_process("loss_benchmark.floor", str(case), json.dumps(asdict(case)))
    if found is None:
        raise SystemExit(f"there was too little memory for {case}")
    return Beside(**found)


def answer(request: str) -> None:
    """Measure what another process asks for, and print what came out."""
    print(json.dumps(asdict(measure(FloorCase(**json.loads(request))))))
