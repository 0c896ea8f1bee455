"""Images per second of `predict` and `embed` beside what decoder and network give, and memory as images grow in number.

    python tools/bench_use.py                                # rates by two networks, memory to 100,000 images
    python tools/bench_use.py --images 300 --turns 2 --small 200 2000   # in a minute or two
    python tools/bench_use.py --models test_resnet --small   # rates alone

Rates: JPEGs of 500 x 375 pixels, made on the spot from scikit-image's photographs, by a network that was not trained,
with `predict: {use: center}`. `decoder` is Pillow alone, file to RGB, in as many threads as there are cores; `forward`
is the network alone, on ready stacks of views, by as many threads; what both give one after the other is
1 / (1/forward + 1/decoder). The verbs begin with two stacks of noise, by which they see whether a view's place in a
stack matters: a part of a call that is the smaller the more images there are. All four take turns in one process; the
best of all turns counts for each, since whatever else the machine does only ever adds time. Memory: the peak of a
process of its own, less what it holds with the network loaded, for numbers of small JPEGs. The machine's load is
printed; figures to keep are taken on an idle one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measured import in_a_process, status
from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage import data

import rankhub
from rankhub_use.embed import Vectors
from rankhub_use.named import NamedFile
from rankhub_use.predict import Scores
from rankhub_use.sources import sources

BATCH, SIDES, SMALL = 32, (500, 375), (33, 30)
RECIPE = """
name: bench_use
data: {{scored: {{use: scored_csv, root: {root}/photos, higher_is_better: true}}}}
backbone: {{use: timm, model: {model}}}
heads: {{score: {{use: score}}}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  labeled:
    data: scored
    batch_size: 4
    generator: [{{use: random_crops, size: 24}}]
    objectives: [{{use: mse, head: score}}]
steps: 1
device: cpu
threads: {threads}
predict: {{use: center, size: {size}}}
evaluate: [{{use: quality, data: scored}}]
loader: {{cache: {root}/cache}}
"""


def write_photos(folder: Path, count: int, sides: tuple[int, int]) -> None:
    """Crops of photographs in ``photos``, each another; the first eight have scores."""
    folder = folder / "photos"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    photos = [Image.fromarray(getattr(data, name)()) for name in ("astronaut", "chelsea", "coffee", "rocket")]
    for number in range(count):
        photo = photos[number % len(photos)]
        share = rng.uniform(0.5, 1)
        width, height = int(photo.width * share), int(photo.height * share)
        left, top = (int(rng.integers(0, room + 1)) for room in (photo.width - width, photo.height - height))
        crop = photo.resize(sides, Image.Resampling.BILINEAR, (left, top, left + width, top + height))
        crop.save(folder / f"{number:06d}.jpg", quality=90)
    rows = [f"{number:06d}.jpg,{number}" for number in range(8)]
    (folder / "labels.csv").write_text("\n".join(["path,score", *rows]) + "\n")


def trained(root: Path, model: str, size: int, threads: int) -> Path:
    """A run of one step; its folder."""
    recipe = RECIPE.format(root=root, model=model, size=size, threads=threads)
    rankhub.train(recipe, root / model, progress=False)
    return root / model


def _pillow(file: NamedFile) -> int:
    with Image.open(file.path) as image:
        return np.asarray(image.convert("RGB")).nbytes


def works(run: Any, files: list[NamedFile], size: int, threads: int, out: Path) -> dict[str, Callable[[], object]]:
    """What is timed: name -> all files once."""
    talk = rankhub.Talk()  # nothing is shown
    forward, stack = run.forward(), torch.rand(BATCH, 3, size, size)

    def network() -> None:
        for _ in range(0, len(files), BATCH):
            forward(stack)

    def decoder() -> None:
        with ThreadPoolExecutor(threads) as pool:
            sum(pool.map(_pillow, files))

    def predict() -> None:
        Scores(run, files, BATCH).write(out / "scores.csv", talk, force=True, resume=False, safe=False)

    def embed() -> None:
        Vectors(run, files, BATCH).write(out / "vectors", talk, force=True, resume=False, safe=False)

    return {"forward": network, "decoder": decoder, "predict": predict, "embed": embed}


def rates(root: Path, model: str, size: int, turns: int) -> dict[str, float]:
    """Images per second of each, the best of all turns, and ``wanted``."""
    threads = len(os.sched_getaffinity(0))
    files = list(sources([root / "photos"]))
    files = files[: len(files) // BATCH * BATCH]
    best: dict[str, float] = {}
    with rankhub.load_run(trained(root, model, size, threads)) as run:
        todo = works(run, files, size, threads, root)
        for turn in range(turns):
            for name in random.Random(turn).sample(list(todo), len(todo)):
                start = time.perf_counter()
                todo[name]()
                best[name] = max(len(files) / (time.perf_counter() - start), best.get(name, 0))
    return {**best, "wanted": 1 / (1 / best["forward"] + 1 / best["decoder"])}


def answer(verb: str, run: str, folder: str, count: str) -> None:
    """Print the bytes of the peak above the loaded network. Runs in a process of its own."""
    files = list(sources([folder]))[: int(count)]
    with rankhub.load_run(run) as loaded, tempfile.TemporaryDirectory() as out:
        todo = works(loaded, files[:BATCH], 24, torch.get_num_threads(), Path(out))
        todo[verb]()
        held = status("VmRSS")
        works(loaded, files, 24, torch.get_num_threads(), Path(out))[verb]()
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - held))


def memory(root: Path, counts: list[int]) -> Table:
    """Peaks above the loaded network, for so many small images."""
    small = root / "small"
    write_photos(small, counts[-1], SMALL)
    run = trained(small, "test_resnet", 24, 1)
    table = Table(title=f"peak above the loaded network in MB, JPEGs of {SMALL[0]} x {SMALL[1]}")
    for column in ("verb", *(f"{count:,}" for count in counts), "bytes an image"):
        table.add_column(column, justify="right")
    for verb in ("predict", "embed"):
        peaks = [in_a_process("bench_use", verb, verb, str(run), str(small / "photos"), str(n)) for n in counts]
        more = (peaks[-1] - peaks[0]) / max(1, counts[-1] - counts[0])
        table.add_row(verb, *(f"{peak / 1e6:,.1f}" for peak in peaks), f"{more:,.0f}")
    return table


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2048, help="JPEGs of 500 x 375")
    parser.add_argument("--models", nargs="*", default=["resnet18", "test_resnet"], help="of timm")
    parser.add_argument("--size", type=int, default=224, help="side of a view")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--small", type=int, nargs="*", default=[1000, 10_000, 100_000], help="numbers of small JPEGs")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.2f}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_photos(root, options.images, SIDES)
        table = Table(title=f"images/s, {options.images} JPEGs, {options.size} px, best of {options.turns} turns")
        for column in ("network", "forward", "decoder", "both", "predict", "of both", "embed", "of both"):
            table.add_column(column, justify="right")
        for model in options.models:
            found = rates(root, model, options.size, options.turns)
            shares = [f"{found[verb] / found['wanted']:.3f}" for verb in ("predict", "embed")]
            names = ("forward", "decoder", "wanted", "predict", "embed")
            cells = [f"{found[name]:,.1f}" for name in names]
            table.add_row(model, *cells[:4], shares[0], cells[4], shares[1])
        console.print(table)
        if options.small:
            console.print(memory(root, sorted(options.small)))
        console.print(f"load at the end {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
