"""Time and memory of the losses, beside pytorch-metric-learning's where it has the same one.

    python tools/bench_losses.py            # N from 256 to 16,384 views, in groups of 4 and of 8
    python tools/bench_losses.py --quick    # up to 1,024, in a minute

Each measurement is a process of its own: forward and backward of one loss on normal embeddings, the best of several
runs, and the peak of the process's memory above what it held with the embeddings made and the library warm. A loss that
does not fit into --memory-gb above the embeddings is reported as such. pytorch-metric-learning is no dependency of
rankhub: without it its columns (PML) stay empty. Figures to keep are taken on an idle machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from torch import Tensor

RIVAL = "pytorch-metric-learning"


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes:
        loss: Key of ``LOSSES`` or ``RIVALS``.
        rows: N, embeddings in the batch.
        views: Embeddings in each group.
        dim: Length of an embedding.
        repeats: Runs, of which the fastest counts; fewer once they have taken a minute.
        threads: CPU threads.
        memory_gb: Memory that the loss may take.
    """

    loss: str
    rows: int
    views: int
    dim: int
    repeats: int
    threads: int
    memory_gb: float


@dataclass(frozen=True)
class Found:
    """What came out: seconds and MB above the embeddings, or None where the memory did not suffice."""

    seconds: float | None = None
    megabytes: float | None = None


def _smooth_ap(group: Tensor) -> Callable[[Tensor], Tensor]:
    from rankhub_s2r2.smooth_ap import smooth_average_precision

    return lambda z: 1 - smooth_average_precision(z, group, tau=0.05)[0].mean()


def _rival_smooth_ap(group: Tensor) -> Callable[[Tensor], Tensor]:
    from pytorch_metric_learning.losses import SmoothAPLoss

    loss = SmoothAPLoss(temperature=0.05)
    return lambda z: loss(z, group)


Builder = Callable[["Tensor"], Callable[["Tensor"], "Tensor"]]

LOSSES: Mapping[str, Builder] = {"smooth_ap": _smooth_ap}
"""Name -> from the group of each row to the loss of the embeddings."""

RIVALS: Mapping[str, Builder] = {"smooth_ap": _rival_smooth_ap}
"""The other library's counterparts, by our names."""


def measure(case: Case, rival: bool) -> Found:
    """Run one case in this process, which should be a fresh one."""
    import torch

    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    build = (RIVALS if rival else LOSSES)[case.loss]
    build(torch.arange(16) // 4)(torch.randn(16, case.dim, requires_grad=True)).backward()  # warm
    loss = build(torch.arange(case.rows) // case.views)
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
            if time.perf_counter() - started > 60:
                break
    except (RuntimeError, MemoryError) as error:
        if "memory" not in str(error).lower():
            raise
        return Found()
    return Found(best, (_status("VmHWM") - held) / 2**20)


def _status(key: str) -> int:
    """Bytes of a line of this process's memory account (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}; this benchmark needs Linux")


def in_a_process(case: Case, rival: bool = False) -> Found:
    """Run one case in a process of its own."""
    request = json.dumps(asdict(case) | {"rival": rival})
    done = subprocess.run([sys.executable, __file__, "--measure", request], capture_output=True, text=True, check=False)
    if done.returncode < 0:  # killed, which the memory limit can also do
        return Found()
    if done.returncode:
        raise SystemExit(f"measuring {case} failed:\n{done.stderr}")
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def largest_that_fits(case: Case, fits: int, start: int) -> int:
    """The largest number of rows (a multiple of 16) at which the other library's loss stays in the memory.

    Args:
        case: What to measure; its rows are replaced.
        fits: Rows that are known to fit, or 0.
        start: The first number of rows to try above it.
    """
    fails = start
    while in_a_process(_with(case, rows=fails, repeats=1), rival=True).seconds is not None:
        fits, fails = fails, fails * 2
    while fails - fits > 16:
        middle = (fits + fails) // 32 * 16
        if in_a_process(_with(case, rows=middle, repeats=1), rival=True).seconds is None:
            fails = middle
        else:
            fits = middle
    return fits


def _with(case: Case, **changes: Any) -> Case:
    return Case(**(asdict(case) | changes))


def _cell(found: Found | None, case: Case) -> tuple[str, str]:
    if found is None:
        return "", ""
    if found.seconds is None or found.megabytes is None:
        return "", f"over {case.memory_gb:g} GB"
    return f"{found.seconds:.4f}", f"{found.megabytes:,.0f}"


def compare(loss: str, cases: list[Case], search: bool, console: Console) -> None:
    """Measure one loss over all cases and print its table; ``search`` for the largest that the other library does."""
    with_rival = loss in RIVALS and importlib.util.find_spec("pytorch_metric_learning") is not None
    table = Table(title=f"{loss}: forward and backward, {cases[0].threads} thread(s), best of {cases[0].repeats}")
    for column in ("views", "N", "rankhub s", "MB", "PML s", "MB", "times faster"):
        table.add_column(column, justify="right")
    fits: dict[int, int] = {}
    fails: dict[int, int] = {}
    with Progress(console=console, transient=True) as progress:
        for case in progress.track(cases, description=loss):
            ours, theirs = in_a_process(case), None
            if with_rival:
                theirs = Found() if case.views in fails else in_a_process(case, rival=True)
                if theirs.seconds is None:
                    fails.setdefault(case.views, case.rows)
                else:
                    fits[case.views] = case.rows
            ratio = f"{theirs.seconds / ours.seconds:,.0f}" if theirs and theirs.seconds and ours.seconds else ""
            table.add_row(str(case.views), f"{case.rows:,}", *_cell(ours, case), *_cell(theirs, case), ratio)
    console.print(table)
    if with_rival and search:
        for case in {case.views: case for case in cases}.values():
            known = fits.get(case.views, 0)
            rows = largest_that_fits(case, known, fails.get(case.views, max(256, 2 * known)))
            console.print(f"Largest N that {RIVAL} does in {case.memory_gb:g} GB, groups of {case.views}: {rows:,}")


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="up to N = 1,024 in groups of 4, best of 3, no search for the largest N"
    )
    parser.add_argument("--loss", choices=sorted(LOSSES), nargs="*", default=sorted(LOSSES), help="which losses")
    parser.add_argument("--views", type=int, nargs="*", help="sizes of group (default 4 8)")
    parser.add_argument("--rows", type=int, nargs="*", help="numbers of embeddings (default 256 512 ... 16384)")
    parser.add_argument("--dim", type=int, default=128, help="length of an embedding")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--repeats", type=int, help="runs of which the fastest counts (default 5)")
    parser.add_argument("--memory-gb", type=float, default=8.0, help="memory that a loss may take")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        request = json.loads(options.measure)
        rival = request.pop("rival")
        print(json.dumps(asdict(measure(Case(**request), rival))))
        return
    views = options.views or ([4] if options.quick else [4, 8])
    rows = options.rows or [2**power for power in range(8, 11 if options.quick else 15)]
    repeats = options.repeats or (3 if options.quick else 5)
    console = Console()
    if importlib.util.find_spec("pytorch_metric_learning") is None:
        console.print(f"{RIVAL} is not installed, so its columns stay empty; `pip install {RIVAL}` fills them.")
    for loss in options.loss:
        cases = [
            Case(loss, n, v, options.dim, repeats, options.threads, options.memory_gb) for v in views for n in rows
        ]
        compare(loss, cases, not options.quick, console)


if __name__ == "__main__":
    main()
