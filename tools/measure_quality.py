"""Measures how much ranking helps where few images are scored: five ways to train, leave one reference out.

    python tools/measure_quality.py LIVE PHOTOS --out OUT                 # 80 minutes on two cores
    python tools/measure_quality.py LIVE PHOTOS --out OUT --only-report   # from what is there

LIVE holds ``labels.csv`` (image, reference, distortion, dmos, matched_by) and ``ref_images/``; PHOTOS holds good photos
without scores, of which those that are references are left out. A ``test_resnet`` from scratch on crops of 96 px.

Ranking alone does 1,300 steps and stops; its weights are shared by the folds, and the three schemes go on from them
with labels for 300 steps more, with the batch statistics of the first phase and a tenth of the learning rate for the
backbone. Supervised training does 1,600 steps from scratch.

Methods with labels try two settings each, judged by SROCC on one reference that is neither trained on nor the first one
tested; the choice serves all folds, so labels of references that later folds test have had a say in it. Set by hand,
after a look at pilot runs on two of the folds: margin, ``same_kind``, what is frozen, the backbone's learning rate, the
numbers of steps, and all settings of ranking alone.

OUT gets a folder for each run, ``table.csv``, ``table.md`` and ``figure.png``. Start it again after Ctrl-C: runs that
are there are not repeated, one that was interrupted goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from comparison.progress import work
from quality_study.photos import without_references
from quality_study.report import write_report
from quality_study.runs import Runs
from quality_study.study import Study

from rankhub import build
from rankhub.interfaces.data import OpenContext


def first_reference(study: Study) -> str:
    """The reference that the first fold tests."""
    data = build("dataset", study.scored(part="held_out", folds=study.references, fold=0))
    data.open(OpenContext(study.out / "cache", 10**9, lambda done, total, what: None))
    (reference,) = set(data.facts("reference") or ())
    return reference


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("live", type=Path, help="folder of scored images with labels.csv and ref_images/")
    parser.add_argument("photos", type=Path, help="folder of photos without scores")
    parser.add_argument("--out", type=Path, default=Path("runs/quality_study"), help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=1600, help="optimiser steps with labels; default: %(default)s")
    parser.add_argument("--ranking-steps", type=int, default=1300, help="those without; default: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time; default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each run; default: %(default)s")
    parser.add_argument("--only-report", action="store_true", help="write table and figure from what is there")
    options = parser.parse_args()
    for place in (options.live / "labels.csv", options.live / "ref_images", options.photos):
        if not place.exists():
            parser.error(f"{place.absolute()} is not there")
    if not 1 <= options.ranking_steps < options.steps or min(options.jobs, options.threads) < 1:
        parser.error("--ranking-steps is at least 1 and below --steps, --jobs and --threads at least 1")
    out = options.out.absolute()
    try:
        kept, left_out = without_references(options.photos, options.live / "ref_images", out / "photos")
    except ValueError as error:
        parser.error(str(error))
    names = ", ".join(f"{photo} ({reference})" for photo, reference in left_out) or "none"
    print(f"{kept} unlabeled photos; left out since they are references: {names}")
    study = Study(
        options.live.absolute(), out / "photos", out, options.steps, options.ranking_steps, threads=options.threads
    )
    runs = Runs(study, first_reference(study))
    complete = options.only_report or work(
        runs.ordered,
        options.jobs,
        study.threads,
        ("quality srocc", "SROCC {:.3f}"),
        runs.expected,
    )
    print(write_report(runs))
    if not complete:
        print("Not all runs are there. Start the same command again to go on.", file=sys.stderr)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
