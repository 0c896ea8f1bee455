"""Images per second of each kind of distortion, on one core, and of the sets `live` and `tid2013`.

    python tools/bench_distortions.py                       # 481 x 321 pixels, as in LIVE and BSDS
    python tools/bench_distortions.py --width 512 --height 384 --photo my.png

Each level of each kind is timed on one photo (by default one of scikit-image's): processor time over all threads, the
least of several runs, so that what else the machine does counts little. A kind's figure is the mean of its levels; a
set's line is the time for all versions of one photo, which is what a cache saves.
"""

from __future__ import annotations

import argparse
import sys
import time
import timeit
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from rankhub_quality.distortion.kinds import KINDS
from rankhub_quality.distortion.pixels import Pixels
from rankhub_quality.distortion.sets import LIVE, TID2013, Levels

SETS: dict[str, tuple[Levels, ...]] = {"live": LIVE, "tid2013": TID2013}


def read_photo(path: Path, width: int, height: int) -> Pixels:
    """The photo at the given size; its sides are scaled independently."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))


def measure(image: Pixels, kind: str, strength: float, repeats: int) -> float:
    """Least processor seconds of ``repeats`` runs, after one that does not count."""
    apply, draws = KINDS[kind].apply, np.random.default_rng
    runs = timeit.repeat(lambda: apply(image, strength, draws(0)), "", time.process_time, repeats + 1, number=1)
    return min(runs[1:])


def kinds_table(title: str, seconds: dict[tuple[str, float], float]) -> Table:
    """A row per kind: milliseconds of its fastest, mean and slowest level, and images per second."""
    table = Table(title=title)
    table.add_column("kind", no_wrap=True)
    for column in ("least ms", "mean ms", "most ms", "images/s"):
        table.add_column(column, justify="right")
    for kind in KINDS:
        own = [value for (name, _), value in seconds.items() if name == kind]
        mean = sum(own) / len(own)
        cells = [f"{1000 * value:,.1f}" for value in (min(own), mean, max(own))]
        table.add_row(kind, *cells, f"{1 / mean:,.0f}" if mean < 0.1 else f"{1 / mean:,.1f}")
    return table


def sets_table(seconds: dict[tuple[str, float], float]) -> Table:
    """A row per set: versions of one photo, seconds for all of them, versions per second."""
    table = Table("set", title="All versions of one photo")
    for column in ("kinds", "versions", "seconds", "versions/s"):
        table.add_column(column, justify="right")
    for name, kinds in SETS.items():
        own = [seconds[levels.kind, strength] for levels in kinds for strength in levels.strengths]
        table.add_row(name, str(len(kinds)), str(len(own)), f"{sum(own):.2f}", f"{len(own) / sum(own):,.1f}")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print both tables, return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    shipped = Path(skimage.__file__).parent / "data" / "coffee.png"
    parser.add_argument("--photo", type=Path, default=shipped, help="image file (default: scikit-image's coffee.png)")
    parser.add_argument("--width", type=int, default=481, help="pixels (default: %(default)s)")
    parser.add_argument("--height", type=int, default=321, help="pixels (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each level (default: %(default)s)")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 140)
    image = read_photo(options.photo, options.width, options.height)
    cases = dict.fromkeys(
        (each.kind, strength) for kinds in SETS.values() for each in kinds for strength in each.strengths
    )
    seconds: dict[tuple[str, float], float] = {}
    with Progress(console=console, transient=True) as progress:
        for kind, strength in progress.track(list(cases), description="distortions"):
            seconds[kind, strength] = measure(image, kind, strength, options.repeats)
    console.print(kinds_table(f"{options.width} x {options.height} pixels, one core", seconds))
    console.print(sets_table(seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
