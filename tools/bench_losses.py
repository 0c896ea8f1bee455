"""Time and memory of the losses, beside pytorch-metric-learning's where it has the same one.

    python tools/bench_losses.py            # N from 256 to 16,384 views, in groups of 4 and of 8
    python tools/bench_losses.py --quick    # up to 1,024 in groups of 4, in a few minutes
    python tools/bench_losses.py --floor    # only smooth_ap beside its floor, N = 512 and 1,024; add --rows 16384

Each measurement is a process of its own: forward and backward of one loss on normal embeddings, the best of several
runs, and the peak of the process's memory above what it held with the embeddings made and the library warm. A loss
that does not fit into --memory-gb above the embeddings is reported as such. `functional.smooth_ap` is the function
for any training loop; its value is PML's where there are as many groups as rows of each. At the end: from which N on
ramp_ap, which sorts, overtakes smooth_ap, which visits every pair of a positive and an item; the larger the groups,
the sooner, so these two are also measured in groups of 16 and 32. With smooth_ap among the losses a run begins with
its time beside a floor that is measured in turns with it (tools/loss_benchmark/floor.py says what that is), on one
thread and on two unless --threads is given. pytorch-metric-learning is no dependency of rankhub: without it its columns
(PML) stay empty. Figures to keep are taken on an idle machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from loss_benchmark import floor
from loss_benchmark.floor import FloorCase
from loss_benchmark.losses import FORMS, OURS, RIVALS, unfit
from loss_benchmark.measuring import Found, LossCase, crossing_lines, in_a_process, largest_that_fits
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

RIVAL = "pytorch-metric-learning"
CROSSING = ("ramp_ap", "smooth_ap")
CROSSING_VIEWS = (16, 32)


def _cell(found: Found | None, case: LossCase) -> tuple[str, str, str]:
    if found is None:
        return "", "", ""
    if found.seconds is None or found.megabytes is None:
        return "", f"over {case.memory_gb:g} GB", ""
    value = "" if found.value is None else f"{found.value:.5f}"
    return f"{found.seconds:.4f}", f"{found.megabytes:,.0f}", value


def compare(loss: str, cases: Sequence[LossCase], with_rival: bool, console: Console) -> dict[LossCase, Found]:
    """Measure one loss, and the other library's, over all cases; print the table.

    Once the other library's loss does not fit, it is not tried at larger N in groups of the same size.
    """
    table = Table(title=f"{loss}: forward and backward, {cases[0].threads} thread(s), best of {cases[0].repeats}")
    for column in ("views", "N", "rankhub s", "MB", "value", "PML s", "MB", "value", "times faster"):
        table.add_column(column, justify="right")
    results: dict[LossCase, Found] = {}
    fails: set[int] = set()
    with Progress(console=console, transient=True) as progress:
        for case in progress.track(cases, description=loss):
            found = results[case] = in_a_process(case)
            theirs = None
            if with_rival and (loss != "vicreg" or case.views == 2):
                other = replace(case, rival=True)
                theirs = results[other] = Found() if case.views in fails else in_a_process(other)
                if theirs.seconds is None:
                    fails.add(case.views)
            ratio = f"{theirs.seconds / found.seconds:,.0f}" if theirs and theirs.seconds and found.seconds else ""
            table.add_row(str(case.views), f"{case.rows:,}", *_cell(found, case), *_cell(theirs, case), ratio)
    console.print(table)
    return results


def report_largest(results: dict[LossCase, Found], console: Console) -> None:
    """Search and print the largest batch that the other library's loss does in the memory, for each size of group."""
    rivals = {case: found for case, found in results.items() if case.rival}
    for views in sorted({case.views for case in rivals}):
        known = {case: found.seconds is not None for case, found in rivals.items() if case.views == views}
        fits = max((case.rows for case, fit in known.items() if fit), default=0)
        fails = min((case.rows for case, fit in known.items() if not fit), default=max(256, 2 * fits))
        case = next(iter(known))
        rows = largest_that_fits(case, fits, fails)
        console.print(f"Largest N that {RIVAL} does in {case.memory_gb:g} GB, groups of {views}: {rows:,}")


def beside_floor(cases: Sequence[FloorCase], console: Console) -> None:
    """Measure smooth_ap in each of its forms, and its floor; print the table."""
    clock = "CPU time" if cases[0].cpu_time else "time"
    table = Table(title=f"smooth_ap, forward and backward, beside its floor: {clock}, best of the turns")
    for column in ("threads", "views", "N", "loss s", "sigmoids s", "products s", *FORMS, "load"):
        table.add_column(f"{column} / floor" if column in FORMS else column, justify="right")
    with Progress(console=console, transient=True) as progress:
        for case in progress.track(cases, description="floor"):
            found = floor.in_a_process(case)
            seconds = (found.forms[FORMS[0]], found.sigmoids, found.products)
            ratios = (found.forms[form] / (found.sigmoids + found.products) for form in FORMS)
            cells = [f"{each:.4f}" for each in seconds] + [f"{ratio:.2f}" for ratio in ratios]
            table.add_row(str(case.threads), str(case.views), f"{case.rows:,}", *cells, f"{os.getloadavg()[0]:.1f}")
    console.print(table)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="up to N = 1,024 in groups of 4, best of 3, no search for the largest N"
    )
    parser.add_argument("--floor", action="store_true", help="only smooth_ap beside its floor")
    parser.add_argument(
        "--cpu-time", action="store_true", help="beside the floor: CPU time of the process, for a busy machine"
    )
    parser.add_argument("--loss", choices=sorted(OURS), nargs="*", default=list(OURS), help="which losses")
    parser.add_argument("--views", type=int, nargs="*", help="sizes of group (default 4 8)")
    parser.add_argument("--rows", type=int, nargs="*", help="numbers of embeddings (default 256 512 ... 16384)")
    parser.add_argument("--dim", type=int, default=128, help="length of an embedding")
    parser.add_argument("--threads", type=int, help="CPU threads (default 1; beside the floor 1 and 2)")
    parser.add_argument("--repeats", type=int, help="runs of which the fastest counts (default 5)")
    parser.add_argument("--memory-gb", type=float, default=8.0, help="memory that a loss may take")
    parser.add_argument("--no-rival", action="store_true", help=f"leave {RIVAL} out")
    options = parser.parse_args()
    views = options.views or ([4] if options.quick else [4, 8])
    rows = options.rows or [2**power for power in range(8, 11 if options.quick else 15)]
    repeats = options.repeats or (3 if options.quick else 5)
    console = Console(width=None if sys.stdout.isatty() else 140)
    if options.floor or "smooth_ap" in options.loss:
        near = options.rows or [512, 1024] + [16384] * (not (options.floor or options.quick))
        floors = [
            FloorCase(n, v, options.dim, repeats, threads, options.cpu_time)
            for threads in ([options.threads] if options.threads else [1, 2])
            for v in views
            for n in near
        ]
        beside_floor(floors, console)
    if options.floor:
        return
    installed = importlib.util.find_spec("pytorch_metric_learning") is not None
    if not installed and not options.no_rival:
        console.print(f"{RIVAL} is not installed, so its columns stay empty; `pip install {RIVAL}` fills them.")
    everything: dict[LossCase, Found] = {}
    for loss in options.loss:
        fitting = []
        for size in views:
            refused = unfit(loss, size)
            if refused:
                console.print(f"Not in groups of {size}: {refused[0]}")
            else:
                fitting.append(size)
        if loss in CROSSING and not (options.views or options.quick):
            fitting += CROSSING_VIEWS
        cases = [
            LossCase(loss, n, v, options.dim, repeats, options.threads or 1, options.memory_gb)
            for v in fitting
            for n in rows
        ]
        if cases:
            results = compare(loss, cases, installed and not options.no_rival and loss in RIVALS, console)
            if not options.quick:
                report_largest(results, console)
            everything |= results
    for line in crossing_lines(everything, *CROSSING):
        console.print(line)


if __name__ == "__main__":
    main()
