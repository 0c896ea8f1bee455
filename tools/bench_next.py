"""Where `rankhub label next` spends its time, on a large pool of small images.

    python tools/bench_next.py                    # 100,000 images of 64 x 64 pixels, one draw of five nested crops each
    python tools/bench_next.py --acquirer coreset # one pass of each image
    python tools/bench_next.py --among 2000       # the network looks at 2,000 of them, the table holds them all

A network of 60,000 parameters that was trained for two steps looks at every image. Images are noise, written to a
temporary folder, or to FOLDER, where a later call finds them. Prints the seconds in the network, in making views, in
reading images, in counting pairs and in the table; the exit code is 1 if the table takes more than a tenth.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import rankhub
from rankhub.engine.feed import Chain
from rankhub.engine.source import NetworkForward
from rankhub_active.acquirers.network_pool import NetworkPool
from rankhub_active.labeling import choose as choosing
from rankhub_active.labeling.handout import hand_out
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import LabelingOptions
from rankhub_active.labeling.setup import open_images, set_up
from rankhub_console.speech import talking

SIDE, SHARE = 64, 0.1
ORDER = "{use: ranking_uncertainty, draws: 1}"
RECIPE = (
    "steps=2",
    "data.labeled.images=12",
    "data.labeled.labels=8",
    "data.test.images=2",
    "evaluate=[]",
    "threads=1",
    "streams.ranked.generator.0.size=32",
    "streams.ranked.generator.0.smallest=12",
    "streams.labeled.generator.0.size=32",
)


def write_images(folder: Path, count: int) -> None:
    """Noise, in folders of a thousand; images that are there stay."""
    generator = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number // 1000:03d}" / f"{number:07d}.png"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path, compress_level=0)


def seconds_in(stats: pstats.Stats, functions: Iterable[Callable[..., Any]]) -> float:
    """Seconds inside functions, what they call included."""
    wanted = {(one.__code__.co_filename, one.__code__.co_firstlineno, one.__code__.co_name) for one in functions}
    return sum(cumulative for key, (_, _, _, cumulative, _) in stats.stats.items() if key in wanted)  # type: ignore[attr-defined]


def profiled(
    folder: Path, images: Path, count: int, acquirer: str, among: int | None
) -> tuple[float, dict[str, float]]:
    """Seconds of choosing and handing out, and of its parts."""
    talk = talking()
    loaded = rankhub.load_recipe("counting_quickstart", RECIPE)
    run = rankhub.train(loaded, folder / "run", progress=talk).path
    made = set_up(folder / "labeling", loaded, LabelingOptions(images), talk.work)
    profile = cProfile.Profile()
    begun = time.perf_counter()
    profile.enable()
    request = choosing.Request(count, run, [f"acquire={acquirer}"], among)
    chosen = choosing.choose(made.pool, request, talk.work)
    hand_out(folder / "round", chosen, made.pool.settings, copy=True, progress=talk.work)
    profile.disable()
    whole = time.perf_counter() - begun
    stats = pstats.Stats(profile)
    table: list[Callable[..., Any]] = [Pool.rows, Pool.ids, Pool.rounds, Pool.ask, Pool.counts, Pool.add, Pool.__init__]
    network = seconds_in(stats, [unwrapped(NetworkForward.__call__)])
    views = seconds_in(stats, [Chain.in_worker, unwrapped(Chain.on_device)])
    opened = seconds_in(stats, [open_images])
    inside = seconds_in(stats, [NetworkPool.views, NetworkPool.outputs])
    parts = {
        "network": network,
        "views (crops, levels)": views,
        "images to batches": inside - network - views,
        "reading the folder": opened,
        "table": seconds_in(stats, table),
        "files of the round": seconds_in(stats, [hand_out]),
    }
    parts["the acquirer's own and the rest"] = whole - sum(parts.values())
    return whole, parts


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a decorator of torch stands around."""
    inner: Callable[..., Any] = getattr(function, "__wrapped__", function)
    return inner


def main() -> int:
    """Print the profile; 1 if the table takes too large a share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="images of the pool (default: %(default)s)")
    parser.add_argument("--count", type=int, default=50, help="images to choose (default: %(default)s)")
    parser.add_argument("--images", type=Path, help="where the images are, or are to be")
    parser.add_argument("--acquirer", default=ORDER, help="as in a recipe (default: %(default)s)")
    parser.add_argument("--among", type=int, help="candidates that the network looks at; all by default")
    options = parser.parse_args()
    acquirer = options.acquirer if options.acquirer.startswith("{") else f"{{use: {options.acquirer}}}"
    with tempfile.TemporaryDirectory() as scratch:
        images = options.images or Path(scratch, "images")
        write_images(images, options.rows)
        whole, parts = profiled(Path(scratch), images, options.count, acquirer, options.among)
    looked = f", {options.among:,} looked at" if options.among else ""
    print(f"\nnext by {acquirer}, {options.count} of {options.rows:,} images{looked}: {whole:.1f} s profiled, of which")
    for name, seconds in parts.items():
        print(f"  {seconds:8.1f} s  {seconds / whole:4.0%}  {name}")
    return int(parts["table"] > SHARE * whole)


if __name__ == "__main__":
    sys.exit(main())
