"""One measurement: a loss in a process of its own, with a limit on its memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from loss_benchmark.losses import ours, rival

_ENOUGH_SECONDS = 60.0


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes:
        loss: Name of one of rankhub's losses.
        rows: N, embeddings in the batch.
        views: Embeddings in each group.
        dim: Length of an embedding.
        repeats: Runs, of which the fastest counts; fewer once they have taken a minute.
        threads: CPU threads.
        memory_gb: Memory that the loss may take.
        rival: Measure the other library's counterpart.
    """

    loss: str
    rows: int
    views: int
    dim: int
    repeats: int
    threads: int
    memory_gb: float
    rival: bool = False


@dataclass(frozen=True)
class Found:
    """What came out: seconds and MB above the embeddings, or None where the memory did not suffice."""

    seconds: float | None = None
    megabytes: float | None = None


def measure(case: Case) -> Found:
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
    held = _status("VmRSS")
    limit = _status("VmSize") + int(case.memory_gb * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    best, started = float("inf"), time.perf_counter()
    try:
        for _ in range(case.repeats):
            z.grad = None
            start = time.perf_counter()
            loss(z).backward()
            best = min(best, time.perf_counter() - start)
            if time.perf_counter() - started > _ENOUGH_SECONDS:
                break
    except (RuntimeError, MemoryError) as error:
        if "memory" not in str(error).lower() and not isinstance(error, MemoryError):
            raise
        return Found()
    return Found(best, (_status("VmHWM") - held) / 2**20)


def _status(key: str) -> int:
    """Bytes of a line of this process's memory account (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}; this benchmark needs Linux")


def in_a_process(case: Case) -> Found:
    """Run one case in a process of its own."""
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); "
    program += "from loss_benchmark.measuring import answer; answer(sys.argv[1])"
    command = [sys.executable, "-c", program, json.dumps(asdict(case))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode < 0:  # killed, which the memory limit can also do
        return Found()
    if done.returncode:
        raise SystemExit(f"measuring {case} failed:\n{done.stderr}")
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def answer(request: str) -> None:
    """Measure what another process asks for, and print what came out."""
    print(json.dumps(asdict(measure(Case(**json.loads(request))))))


def largest_that_fits(case: Case, fits: int, start: int) -> int:
    """The largest number of rows (a multiple of 16) at which a loss stays in the memory.

    Args:
        case: What to measure; its rows are replaced.
        fits: Rows that are known to fit, or 0.
        start: The first number of rows to try above it.
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
