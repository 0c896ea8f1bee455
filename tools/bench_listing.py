"""Time to the first step and memory with a million image files: listed for the first time, and again.

    python tools/bench_listing.py                         # 10^6 files in 1,000 folders, below the temporary folder
    python tools/bench_listing.py --files 20000 --folders 20
    python tools/bench_listing.py --at FOLDER             # another disk; files made there are removed at the end

The files are images of 8 x 8 pixels, each another: names of one file (hard links) would all be copies of each other,
of which a data set tells. They are decoded the first time, and kept (`cache: always`). Each line is a process of its
own that trains test_resnet for two steps of 32 images; `open` is the data set's opening alone, `first step` all from
the call of `rankhub.train` to the end of step 1. Memory is what the process holds after step 1, and its peak, less
those of the same run on the first 1,000 files. `trained on, held out` opens both parts of the folder. Spawned workers
get a copy of the data set: its bytes, and the seconds of writing and reading them. Last, the order of an epoch of 10^9
images: a batch of 128, and 10^6 places of it at once.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measured import in_a_process, status

SIDE, FEW = 8, 1000

RECIPE = """
name: bench_listing
data:
  photos: {{use: image_folder, root: {root}/photos, cache: always{options}}}
  {second}
backbone: {{use: timm, model: test_resnet, stem: small}}
heads: {{embedding: {{use: projection, dim: 16, hidden: 16}}}}
optimizer: {{use: adamw, lr: 0.001}}
streams:
  views:
    data: photos
    batch_size: 32
    generator: [{{use: random_views, views: 2, size: 32}}]
    objectives: [{{use: smooth_ap, head: embedding}}]
steps: 2
device: cpu
predict: {{use: center, size: 32}}
evaluate: {evaluate}
checkpoint: {{every_epochs: null}}
loader: {{cache: {root}/cache}}
"""

WAYS = {
    "few": "the first 1,000 files",
    "first": "all, the first time",
    "again": "all, again",
    "parts": "all, again: trained on, held out",
    "anew": "all, again, `listing: anew`",
}


def write_images(root: Path, files: int, folders: int) -> None:
    """So many images, each another, below ``photos``; the first 1,000 also alone in a folder ``few``."""
    rng = np.random.default_rng(0)
    head, each = f"P6 {SIDE} {SIDE} 255\n".encode(), -(-files // folders)
    few = root / "few" / "photos"
    few.mkdir(parents=True)
    for number in range(folders):
        folder = root / "photos" / f"folder_{number:04d}"
        folder.mkdir(parents=True)
        first = number * each
        pixels = rng.integers(0, 256, (min(each, files - first), SIDE * SIDE * 3), np.uint8)
        for row, one in enumerate(pixels):
            path = folder / f"image_{first + row:07d}.ppm"
            path.write_bytes(head + one.tobytes())
            if first + row < FEW:
                os.link(path, few / path.name)


def trained(root: Path, way: str) -> dict[str, float]:
    """Seconds and bytes of two steps; ``copy_bytes`` and ``copy`` of the data set as a spawned worker gets it."""
    import rankhub
    from rankhub.interfaces.callback import Callback
    from rankhub_data.image_folder import ImageFolder

    found: dict[str, float] = {"open": 0.0}
    opened: list[ImageFolder] = []
    plain = ImageFolder.open

    def timed(self: ImageFolder, context: Any) -> Any:
        start = time.perf_counter()
        try:
            return plain(self, context)
        finally:
            found["open"] += time.perf_counter() - start
            opened.append(self)

    ImageFolder.open = timed  # type: ignore[method-assign]

    class FirstStepWatch(Callback):
        def step_logged(self, step: int, values: object) -> None:
            if step == 1:
                found["first step"] = time.perf_counter() - start
                found["held"] = status("VmRSS")
                found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    options = {"anew": ", listing: anew", "parts": ", part: train"}.get(way, "")
    second = "held_out: {like: photos, part: held_out}" if way == "parts" else ""
    evaluate = "[{use: retrieval, by: instance, stream: views, data: held_out}]" if way == "parts" else "[]"
    text = RECIPE.format(root=root, options=options, second=second, evaluate=evaluate)
    recipe = rankhub.load_recipe(text, ["evaluate_every_epochs=null"])
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        try:
            rankhub.train(recipe, scratch, progress=False, callbacks=[FirstStepWatch()])
        finally:
            ImageFolder.open = plain  # type: ignore[method-assign]
    start = time.perf_counter()
    copy = pickle.dumps(opened[0], protocol=pickle.HIGHEST_PROTOCOL)
    pickle.loads(copy)
    return {**found, "copy": time.perf_counter() - start, "copy_bytes": len(copy)}


def permuted(count: int) -> dict[str, float]:
    """Seconds of a batch of 128 of the order of so many images and of 10^6 places of it, and the bytes of the peak."""
    from rankhub.engine.shuffle import Shuffle
    from rankhub.interfaces.draws import Draws

    order = Shuffle(count, Draws(0, "bench", 0))
    order(np.arange(2))
    held = status("VmRSS")
    start = time.perf_counter()
    order(np.arange(128))
    batch = time.perf_counter()
    many = len(np.unique(order(np.arange(1_000_000))))
    end = time.perf_counter()
    assert many == 1_000_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"batch": batch - start, "million": end - batch, "bytes": peak - held}


def answer(way: str, root: str) -> None:
    """Measure what another process asks for, and print what came out."""
    print(json.dumps(permuted(10**9) if way == "order" else trained(Path(root), way)))


def measure(root: Path, ways: list[str]) -> None:
    """Print the table."""
    few = in_a_process("bench_listing", "few", "few", str(root / "few"))
    print("| | open | first step | holds more | peak higher | copy to a spawned worker |")
    print("|---|---|---|---|---|---|")
    for way in ("few", *ways):
        load = os.getloadavg()[0]
        found = few if way == "few" else in_a_process("bench_listing", way, way, str(root))
        more, higher = ((found[key] - few[key]) / 1e6 for key in ("held", "peak"))
        copy = f"{found['copy_bytes'] / 1e6:,.0f} MB, {found['copy']:.2f} s"
        times = f"{found['open']:.2f} s | {found['first step']:.2f} s"
        print(f"| {WAYS[way]} (load {load:.1f}) | {times} | {more:,.0f} MB | {higher:,.0f} MB | {copy} |", flush=True)
    found = in_a_process("bench_listing", "order", "order", str(root))
    print(
        f"\nOrder of an epoch of 10^9 images: a batch of 128 in {found['batch'] * 1e3:.2f} ms, 10^6 places in "
        f"{found['million']:.2f} s with a peak of {found['bytes'] / 1e6:,.0f} MB; a table of it would take 8,000 MB."
    )


def main() -> None:
    """Make the files, measure, remove them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--at", type=Path, default=Path(tempfile.gettempdir()), help="where the files are made")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS)[1:], default=list(WAYS)[1:])
    options = parser.parse_args()
    if options.files < FEW or not 1 <= options.folders <= options.files:
        parser.error(f"--files takes at least {FEW}, --folders from 1 to --files")
    root = Path(tempfile.mkdtemp(prefix="bench_listing_", dir=options.at))
    try:
        start = time.perf_counter()
        write_images(root, options.files, options.folders)
        print(f"{options.files:,} files in {options.folders:,} folders, made in {time.perf_counter() - start:.0f} s\n")
        measure(root, options.ways)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
