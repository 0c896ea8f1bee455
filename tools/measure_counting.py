"""Measures how much ranking helps to count where few images are labeled: four ways to train, few to many labels.

    python tools/measure_counting.py CELLS --out OUT                 # 90 minutes on two cores
    python tools/measure_counting.py CELLS --out OUT --sweep         # variations of multi-task, at 8 labels
    python tools/measure_counting.py CELLS --out OUT --only-report   # from what is there

CELLS is a folder of images with an image of dots beside each, such as the VGG cells (``001cell.png``,
``001dots.png``). ``--held-out`` of them are the test images of all runs; all others are to train on, a few of them with
their dots, all of them without dots in the ranked stream. Each seed draws its own labeled images, the same for all
methods.

All methods do equally many optimiser steps from scratch, with a cosine schedule. Ranking, then fine-tuning begins with
one run of ranking alone that all numbers of labels of a seed share. All settings stand in
``counting_study/settings.py``; ``--set steps=100 weight=1`` changes some.

The sweep changes one setting at a time and is judged on images to train on that have no label, never on test images.

OUT gets a folder for each run, ``table.csv``, ``table.md`` and ``figure.png``, and of the sweep ``sweep.csv`` and
``sweep.md``. Start it again after Ctrl-C: runs that are there are not repeated, one that was interrupted goes on from
its checkpoint. Runs with other settings lie in other folders.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from comparison.progress import work
from counting_study.labeled import draws
from counting_study.report import write_report
from counting_study.runs import Runs
from counting_study.settings import Settings
from counting_study.study import SWEEP_LABELS, SWEEP_SEED, Images, Study
from counting_study.sweep import write_sweep

from rankhub.interfaces.errors import UserError

SHOWN = ("counting mae", "MAE {:.1f}")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    usual = Images(Path())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path, help="folder of images with an image of dots beside each")
    parser.add_argument("--out", type=Path, default=Path("runs/counting_study"), help="default: %(default)s")
    parser.add_argument("--images", default=usual.images, help="pattern of the images; default: %(default)s")
    parser.add_argument("--dots", default=usual.dots, help="pattern of the images of dots; default: %(default)s")
    parser.add_argument("--dot", choices=("auto", "pixel", "blob"), default=usual.dot, help="default: %(default)s")
    parser.add_argument("--held-out", type=int, default=usual.held_out, help="test images; default: %(default)s")
    parser.add_argument("--unit", default=usual.unit, help="what is counted; default: %(default)s")
    parser.add_argument("--labels", type=int, nargs="+", default=list(Study.labels), help="default: 4 8 16 32")
    parser.add_argument("--seeds", type=int, default=3, help="how many; default: %(default)s")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings, values as JSON")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time; default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each run; default: %(default)s")
    parser.add_argument("--sweep", action="store_true", help="the variations of multi-task instead")
    parser.add_argument("--only-report", action="store_true", help="write table and figure from what is there")
    options = parser.parse_args(arguments)
    if min(*options.labels, options.held_out, options.seeds, options.jobs, options.threads) < 1:
        parser.error("--labels, --held-out, --seeds, --jobs and --threads are at least 1")
    return options


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    options = parse(arguments)
    out = options.out.absolute()
    images = Images(options.cells.absolute(), options.images, options.dots, options.dot, options.held_out, options.unit)
    labels, seeds = tuple(sorted(set(options.labels))), tuple(range(options.seeds))
    try:
        study = Study(images, out, Settings().changed(options.set), labels, seeds, options.threads)
        runs = Runs(study, draws(study))
    except (UserError, ValueError) as error:
        print(f"measure_counting: {error}", file=sys.stderr)
        return 2
    wanted = {(SWEEP_LABELS, SWEEP_SEED)} if options.sweep else {(one, seed) for one in labels for seed in study.seeds}
    for one, seed in sorted(wanted):
        runs.draws.make(one, seed)
    write = write_sweep if options.sweep else write_report
    if options.only_report:
        print(write(runs))
        return 0
    if options.sweep:
        complete = work(runs.sweep, options.jobs, study.threads, SHOWN)
    else:
        complete = work(runs.ordered, options.jobs, study.threads, SHOWN, runs.expected)
    print(write(runs))
    if not complete:
        print("Not all runs are there. Start the same command again to go on.", file=sys.stderr)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
