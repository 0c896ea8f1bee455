"""What one pass of each view saves against a Siamese network of two branches, on the pairs of the papers' batches.

    python tools/bench_siamese.py                                   # test_resnet at 96 px, in minutes on one core
    python tools/bench_siamese.py --model resnet18 --side 224       # much longer

One pass: every view goes through the network once, all pairs are formed on its outputs, as rankhub does it (Liu, van de
Weijer, Bagdanov: RankIQA, ICCV 2017, "efficient Siamese backpropagation"). Siamese: both members of every pair go
through the network, 2 pairs in all, so many pairs at a time that as many images are in memory as in the one pass; the
gradients of the parts are added up, which is exact. In theory one pass is 2 P / N times as fast, with P pairs among N
views. First both gradients are compared. Then the two are timed in turns, forward and backward; the medians count, and
the ratio is taken turn by turn. Peak memory is that of one gradient in a process of its own above network, images and
gradients; also for the Siamese network with all pairs together. Batch statistics are kept and dropout is off, since
with them the output of a view depends on its batch. Figures to keep are taken on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from siamese_benchmark.layouts import LAYOUTS
from siamese_benchmark.measuring import SiameseCase, agreement, peak_in_a_process, prepared, take_turns

AGREE = 1e-9
"""Relative difference of the gradients in float64 up to which they count as equal."""


def measure(case: SiameseCase) -> dict[str, Any]:
    """All figures of one layout.

    Raises:
        SystemExit: The two gradients differ.
    """
    layout, pairs = case.of, len(case.of.pairs()[0])
    # Memory first: it takes processes of its own, and this one is still small.
    memory = {
        "one_pass": peak_in_a_process(case, "one_pass"),
        "two_branches": peak_in_a_process(case, "two_branches"),
        "two_branches_all_together": peak_in_a_process(replace(case, at_once=pairs), "two_branches"),
    }
    subject = prepared(case)
    equal = agreement(case, subject)
    if not equal.difference < AGREE:
        raise SystemExit(
            f"{layout.title}: the gradients differ by {equal.difference:.1e} of their norm; nothing is timed"
        )
    seconds = take_turns(case, subject)
    median = {way: statistics.median(each) for way, each in seconds.items()}
    turns = [two / one for one, two in zip(seconds["one_pass"], seconds["two_branches"], strict=True)]
    return {
        "case": asdict(case),
        "images": layout.images,
        "pairs": pairs,
        "agreement": asdict(equal),
        "seconds": seconds,
        "images_per_second": {way: layout.images / each for way, each in median.items()},
        "passes_per_second": {
            "one_pass": layout.images / median["one_pass"],
            "two_branches": 2 * pairs / median["two_branches"],
        },
        "times_faster": statistics.median(turns),
        "times_faster_by_turn": turns,
        "theory": layout.theory,
        "peak_mb": memory,
    }


def show(results: dict[str, dict[str, Any]], console: Console) -> None:
    """Print what was found as tables."""
    first = next(iter(results.values()))["case"]
    setting = f"{first['model']} at {first['side']} px, {first['threads']} thread(s), median of {first['repeats']}"
    table = Table(
        title=f"Forward and backward of all pairs: {setting}", caption="images/s: views of the batch a second"
    )
    for column in ("layout", "N", "pairs", "one pass\nimages/s", "Siamese\nimages/s", "times\nfaster", "2 P / N"):
        table.add_column(column, justify="left" if column == "layout" else "right")
    for column in (
        "one pass\npeak MB",
        "Siamese\npeak MB",
        "all pairs\ntogether MB",
        "gradients\ndiffer by",
        "float32\ncosine",
    ):
        table.add_column(column, justify="right")
    for name, found in results.items():
        rate, memory, equal = found["images_per_second"], found["peak_mb"], found["agreement"]
        table.add_row(
            LAYOUTS[name].title,
            str(found["images"]),
            str(found["pairs"]),
            f"{rate['one_pass']:,.1f}",
            f"{rate['two_branches']:,.1f}",
            f"{found['times_faster']:.2f}",
            f"{found['theory']:g}",
            *(
                f"{each:,.0f}" if each is not None else f"> {found['case']['memory_gb'] * 1024:,.0f}"
                for each in memory.values()
            ),
            f"{equal['difference']:.0e}",
            f"{equal['cosine']:.6f}",
        )
    console.print(table)


def main() -> None:
    """Read the options, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layouts", nargs="+", choices=sorted(LAYOUTS), default=list(LAYOUTS), help="which batches")
    parser.add_argument("--model", default="test_resnet", help="a network of timm; default: %(default)s")
    parser.add_argument("--stem", default="standard", help="standard, small or small_pooled; default: %(default)s")
    parser.add_argument("--side", type=int, default=96, help="pixels of an image's side; default: %(default)s")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each way; default: %(default)s")
    parser.add_argument(
        "--at-once", type=int, metavar="PAIRS", help="pairs that the Siamese network takes at a time; default: N / 2"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; default: %(default)s")
    parser.add_argument("--memory-gb", type=float, default=8.0, help="memory a way may take; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("runs/bench_siamese.json"), help="default: %(default)s")
    options = parser.parse_args()
    if min(options.side, options.repeats, options.threads, options.at_once or 1) < 1:
        parser.error("--side, --repeats, --threads and --at-once are at least 1")
    console = Console(width=None if sys.stdout.isatty() else 140)
    results: dict[str, dict[str, Any]] = {}
    same = {key: value for key, value in vars(options).items() if key not in ("layouts", "at_once", "out")}
    for name in options.layouts:
        case = SiameseCase(name, at_once=options.at_once or LAYOUTS[name].images // 2, **same)
        with console.status(f"{LAYOUTS[name].title}: memory, agreement, time"):
            results[name] = measure(case)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    show(results, console)
    console.print(f"All figures: {options.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
