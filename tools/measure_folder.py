"""Does S2R2 on a folder of photos find a representation? Trains on unlabeled photos, scores by kNN on labelled ones.

    python tools/measure_folder.py FOLDER                      # FOLDER/{unlabeled,train,test}, three seeds
    python tools/measure_folder.py FOLDER --steps 600 --seeds 0 optimizer.lr=0.001

FOLDER has `unlabeled/` (photos), `train/<class>/` and `test/<class>/`. Training sees the photos of `unlabeled` and
`train` without labels; kNN (k = 20) takes `train` as its bank and is scored on `test`. Further arguments are overrides
of the recipe below, which is run through the command line. Runs that are there already (`--out`) are not repeated.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RECIPE = """\
# S2R2 on small photos: a 0.4 M parameter network at 32 px, some minutes on two CPU cores.
name: measure_folder
channels_last: true
data:
  photos: {{use: image_folder, root: {folder}, folders: [unlabeled, train]}}
  train: {{use: image_folder, root: {folder}/train, labels: folder}}
  test: {{use: image_folder, root: {folder}/test, labels: folder}}
backbone: {{use: timm, model: test_resnet, stem: standard}}
heads:
  embedding: {{use: projection, dim: 128, hidden: 512, norm: batch}}
optimizer: {{use: adamw, lr: 2.0e-3, weight_decay: 1.0e-4}}
schedule: {{use: cosine, warmup_steps: 100}}
phases:
- name: pretrain
  steps: {steps}
  streams:
    views:
      data: photos
      batch_size: 64
      generator: [{{use: random_views, views: 4, size: 32, scale: [0.2, 1.0], jitter: [0.4, 0.4, 0.4, 0.1], blur: 0.0}}]
      objectives: [{{head: embedding, loss: {{use: smooth_ap, tau: 0.02}}}}]
predict: {{use: center, size: 32}}
evaluate:
- {{use: knn, train: train, test: test, k: 20}}
- {{use: retrieval, by: label, queries: test, gallery: test}}
checkpoint: {{every_epochs: null}}
"""


def run(folder: Path, steps: int, seed: int, overrides: list[str]) -> float:
    """Train one seed through the command line; returns the seconds of the whole command."""
    recipe = folder.with_suffix(".yaml")
    command = [sys.executable, "-m", "rankhub", "run", str(recipe), f"seed={seed}", *overrides, "--out", str(folder)]
    start = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - start


def results(folder: Path) -> dict[str, dict[str, float]]:
    """The closing table of a run: row -> column -> number."""
    with (folder / "results.csv").open() as file:
        return {row.pop(""): {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)}


def main() -> None:
    """Run the seeds and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("overrides", nargs="*", help="a.b.c=value")
    parser.add_argument("--steps", type=int, default=1100, help="optimiser steps of 256 views")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/measure_folder"))
    options = parser.parse_args()
    for part in ("unlabeled", "train", "test"):
        if not (options.folder / part).is_dir():
            parser.error(f"{options.folder.absolute() / part} is not there")
    options.out.mkdir(parents=True, exist_ok=True)
    gains, seconds = [], {}
    for seed in options.seeds:
        place = options.out / f"seed{seed}"
        recipe = RECIPE.format(folder=options.folder.absolute(), steps=options.steps)
        place.with_suffix(".yaml").write_text(recipe)
        if not (place / "results.csv").exists():
            seconds[seed] = run(place, options.steps, seed, options.overrides)
            place.with_suffix(".json").write_text(json.dumps({"seconds": seconds[seed]}))
        seconds[seed] = json.loads(place.with_suffix(".json").read_text())["seconds"]
        rows = results(place)
        column = next(name for name in next(iter(rows.values())) if name.startswith("knn"))
        *others, (_, trained) = rows.items()
        best = max(row[column] for _, row in others)
        gains.append(100 * (trained[column] - best))
        shown = ", ".join(f"{row} {numbers[column]:.3f}" for row, numbers in rows.items())
        print(f"seed {seed}: {column}: {shown}; gain {gains[-1]:.1f} points; {seconds[seed]:.0f} s in all", flush=True)
    spread = f" (standard deviation {statistics.stdev(gains):.1f})" if len(gains) > 1 else ""
    print(f"mean gain over the better reference: {statistics.mean(gains):.1f} points{spread}")


if __name__ == "__main__":
    main()
