"""Times `rankhub label ingest` as a command, on a pool of its own in a temporary folder.

    python tools/bench_labeling.py                          # 10,000 scores into a pool of 100,000 images
    python tools/bench_labeling.py --takes points           # so many images with five points each

A score or a count needs no image. For points, those that are answered are drawn, since each file's size is read.
Prints the seconds of each call; the exit code is 1 if the median is over the limit.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import subprocess
import sys
import tempfile
import timeit
from functools import partial
from pathlib import Path

from PIL import Image

from rankhub_active.labeling.pool import FILE, Pool
from rankhub_active.labeling.settings import Settings, Takes

LIMIT = 5.0
"""Seconds that 10,000 answers may take."""
SIDE, POINTS = 64, 5


def make_pool(folder: Path, images: Path, rows: int, takes: Takes) -> Pool:
    """A pool in a new folder, of images in folders of a thousand."""
    folder.mkdir(parents=True)
    paths = [f"{number // 1000:03d}/image_{number:07d}.jpg" for number in range(rows)]
    return Pool.create(folder, Settings(images=str(images), takes=takes, low=1, high=5), paths)


def write_answers(pool: Pool, path: Path, count: int, seed: int) -> None:
    """Answers to ``count`` images of the pool, drawn at random; of points, their images as well."""
    draw = random.Random(seed)
    chosen = draw.sample(pool.rows(), count)
    takes = pool.settings.takes
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "x", "y"] if takes == "points" else ["path", takes])
        for row in chosen:
            if takes == "points":
                image = Path(pool.settings.images, row.path)
                image.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (SIDE, SIDE)).save(image)
                writer.writerows([row.path, draw.randrange(SIDE), draw.randrange(SIDE)] for _ in range(POINTS))
            else:
                writer.writerow([row.path, draw.randint(1, 5)])


def ingest_seconds(pool: Pool, answers: Path, calls: int) -> list[float]:
    """Seconds of each call, the table being as it was before each."""
    table = pool.folder / FILE
    before = table.read_bytes()
    command = [sys.executable, "-m", "rankhub", "label", "ingest", str(answers), "--folder", str(pool.folder)]
    call = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
    return timeit.repeat(call, lambda: table.write_bytes(before), number=1, repeat=calls)


def main() -> int:
    """Print the times; 1 if they are over the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="images of the pool (default: %(default)s)")
    parser.add_argument("--answers", type=int, default=10_000, help="rows of the file (default: %(default)s)")
    parser.add_argument("--takes", choices=["score", "count", "points"], default="score")
    parser.add_argument("--calls", type=int, default=5, help="how often (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pool = make_pool(Path(scratch, "labeling"), Path(scratch, "images"), options.rows, options.takes)
        answers = Path(scratch, "answers.csv")
        write_answers(pool, answers, options.answers, options.seed)
        seconds = ingest_seconds(pool, answers, options.calls)
    median = statistics.median(seconds)
    print(
        f"ingest, {options.answers:,} answers ({options.takes}) into {options.rows:,} images: median {median:.2f} s of "
        f"{', '.join(f'{each:.2f}' for each in seconds)} (limit {LIMIT:g} s)"
    )
    return int(median > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
