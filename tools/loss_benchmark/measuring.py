"""One measurement: a loss in a process of its own, with a limit on its memory; and from which size on one is faster."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import measured
from measured import is_of_memory, limit_memory, status

from loss_benchmark.losses import ours, rival

_ENOUGH_SECONDS = 60.0


@dataclass(frozen=True)
class LossCase:
    """One measurement, by the options of ``bench_losses.py``; of ``repeats`` fewer once they have taken a minute."""

    loss: str
    rows: int
    views: int
    dim: int
    repeats: int
    threads: int
    memory_gb: float
    rival: bool = False
    """Measure the other library's counterpart."""


@dataclass(frozen=True)
class Found:
    """What came out: seconds, MB above the embeddings, value; None where the memory did not suffice."""

    seconds: float | None = None
    megabytes: float | None = None
    value: float | None = None


def measure(case: LossCase) -> Found:
    """Run one case in this process, which should be a fresh one."""
    import torch

    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    warm = 4 * case.views
    loss = rival(case.loss, warm, case.views) if case.rival else ours(case.loss, warm, case.views, case.dim)
    assert loss is not None
    loss(torch.randn(warm, case.dim, requires_grad=True)).backward()
    loss = rival(case.loss, case.rows, case.views) if case.rival else ours(case.loss, case.rows, case.views, case.dim)
    assert loss is not None
    z = torch.randn(case.rows, case.dim, requires_grad=True)
    z.grad = torch.zeros_like(z)
    held = limit_memory(case.memory_gb)
    best, started = float("inf"), time.perf_counter()
    try:
        for _ in range(case.repeats):
            z.grad = None
            start = time.perf_counter()
            value = loss(z)
            value.backward()
            best = min(best, time.perf_counter() - start)
            if time.perf_counter() - started > _ENOUGH_SECONDS:
                break
    except (RuntimeError, MemoryError) as error:
        if not is_of_memory(error):
            raise
        return Found()
    return Found(best, (status("VmHWM") - held) / 2**20, float(value))


def in_a_process(case: LossCase) -> Found:
    """Run one case in a process of its own."""
    found = measured.in_a_process("loss_benchmark.measuring", str(case), json.dumps(asdict(case)))
    return Found() if found is None else Found(**found)


def answer(request: str) -> None:
    """Measure what another process asks for, and print what came out."""
    print(json.dumps(asdict(measure(LossCase(**json.loads(request))))))


def largest_that_fits(case: LossCase, fits: int, start: int) -> int:
    """The largest number of rows (a multiple of 16) at which a loss stays in the memory.

    So many rows ``fits`` that are known to, or 0; ``start`` is the first number to try above it.
    """

    def fit(rows: int) -> bool:
        return in_a_process(replace(case, rows=rows, repeats=1)).seconds is not None

    fails = start
    while fit(fails):
        fits, fails = fails, fails * 2
    while fails - fits > 16:
        middle = (fits + fails) // 32 * 16
        if fit(middle):
            fits = middle
        else:
            fails = middle
    return fits


Results = Mapping[LossCase, Found]


def overtakes(mine: Mapping[int, float], theirs: Mapping[int, float]) -> int | None:
    """The first N from which on ``mine`` takes less time at every N that both have; None if it is never so."""
    first = None
    for rows in sorted(mine.keys() & theirs.keys(), reverse=True):
        if mine[rows] >= theirs[rows]:
            break
        first = rows
    return first


def seconds_of(results: Results, loss: str, views: int) -> dict[int, float]:
    """N -> seconds of one of rankhub's losses in groups of ``views``, where it fitted."""
    return {
        case.rows: found.seconds
        for case, found in results.items()
        if (case.loss, case.views, case.rival) == (loss, views, False) and found.seconds is not None
    }


def crossing_lines(results: Results, fast: str, slow: str) -> list[str]:
    """A sentence for each size of group in which both were measured: from which N on ``fast`` overtakes ``slow``."""
    lines = []
    for views in sorted({case.views for case in results}):
        mine, theirs = seconds_of(results, fast, views), seconds_of(results, slow, views)
        both = sorted(mine.keys() & theirs.keys())
        if not both:
            continue
        first = overtakes(mine, theirs)
        where = f"from N = {first:,} on" if first else f"nowhere up to N = {both[-1]:,}"
        ratio = theirs[both[-1]] / mine[both[-1]]
        lines.append(
            f"{fast} is faster than {slow} in groups of {views}: {where} ({ratio:.2f} times as fast at {both[-1]:,})"
        )
    return lines
