"""Does S2R2 on a folder of photos find a representation? Trains on unlabeled photos, scores by kNN on labeled ones.

    python tools/measure_folder.py FOLDER                      # FOLDER/{unlabeled,train,test}, three seeds
    python tools/measure_folder.py FOLDER optimizer.lr=0.001 --steps 600 --seeds 0

FOLDER has `unlabeled/` (photos), `train/<class>/` and `test/<class>/`. Training sees the photos of `unlabeled` and
`train` without labels; kNN (k = 20) takes `train` as its bank and is scored on `test`. Further arguments are overrides
of the recipe below. Runs that are there already (`--out`) are not repeated.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import rankhub

RECIPE = """\
# S2R2 on small photos: a 0.4 M parameter network at 32 px, some minutes on two CPU cores.
name: measure_folder
channels_last: true
data:
  photos: {use: image_folder, root: ., folders: [unlabeled, train]}
  train: {use: image_folder, root: train, labels: folder}
  test: {use: image_folder, root: test, labels: folder}
backbone: {use: timm, model: test_resnet, stem: standard}
heads:
  embedding: {use: projection, dim: 128, hidden: 512, norm: batch}
optimizer: {use: adamw, lr: 2.0e-3, weight_decay: 1.0e-4}
schedule: {use: cosine, warmup_steps: 100}
streams:
  views:
    data: photos
    batch_size: 64
    generator: [{use: random_views, views: 4, size: 32, scale: [0.2, 1.0], jitter: [0.4, 0.4, 0.4, 0.1], blur: 0.0}]
    objectives: [{use: smooth_ap, head: embedding, tau: 0.02}]
phases: [{name: pretrain, streams: [views], steps: 1100}]
predict: {use: center, size: 32}
evaluate:
- {use: knn, train: train, test: test, k: 20}
- {use: retrieval, by: label, queries: test, gallery: test}
checkpoint: {every_epochs: null}
"""


def run(path: Path, changes: list[str]) -> tuple[rankhub.Run, float]:
    """The run in a folder, trained if it is not there yet, and the seconds that it took in all."""
    record = path.with_suffix(".json")
    if (path / "results.csv").exists():
        return rankhub.load_run(path), float(json.loads(record.read_text())["seconds"])
    start = time.monotonic()
    found = rankhub.train(rankhub.load_recipe(RECIPE, changes, need_data=True), path, progress=rankhub.talking())
    seconds = time.monotonic() - start
    record.write_text(json.dumps({"seconds": seconds}))
    return found, seconds


def knn_of(found: rankhub.Run) -> tuple[str, dict[str, float]]:
    """The column of kNN in a run's closing table, and its numbers by row."""
    rows = found.tables["results"]
    column = next(name for name in rows[0] if name.startswith("knn"))
    return column, {row[""]: float(row[column]) for row in rows}


def main() -> None:
    """Run the seeds and print a line of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("overrides", nargs="*", help="a.b.c=value")
    parser.add_argument("--steps", type=int, default=1100, help="optimizer steps of 256 views")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/measure_folder"))
    options = parser.parse_intermixed_args()
    folder = options.folder.absolute()
    for part in ("unlabeled", "train", "test"):
        if not (folder / part).is_dir():
            parser.error(f"{folder / part} is not there")
    roots = {"photos": folder, "train": folder / "train", "test": folder / "test"}
    own = [f"data.{name}.root={json.dumps(str(path))}" for name, path in roots.items()]
    gains = []
    for seed in options.seeds:
        changes = [*own, f"steps={options.steps}", f"seed={seed}", *options.overrides]
        try:
            found, seconds = run(options.out / f"seed{seed}", changes)
        except rankhub.UserError as error:
            parser.error(str(error))
        column, rows = knn_of(found)
        *others, trained = rows.values()
        gains.append(100 * (trained - max(others)))
        shown = ", ".join(f"{row} {number:.3f}" for row, number in rows.items())
        print(f"seed {seed}: {column}: {shown}; gain {gains[-1]:.1f} points; {seconds:.0f} s in all", flush=True)
    spread = f" (standard deviation {statistics.stdev(gains):.1f})" if len(gains) > 1 else ""
    print(f"mean gain over the better reference: {statistics.mean(gains):.1f} points{spread}")


if __name__ == "__main__":
    main()
