"""Measures counting on the five published folds of UCF_CC_50: labels alone, and with nested crops beside them.

    python tools/measure_crowds.py UCF --out OUT                 # half an hour on two cores
    python tools/measure_crowds.py UCF --out OUT --only-report   # from what is there

UCF holds ``1.jpg`` and ``1_ann.mat`` to ``50_ann.mat``, as released. In each fold a small network learns from scratch
from the 40 photos of the other folds, of which ``--labels`` keep their points (default: all), and in the multi-task
scheme from nested crops of the same 40. Beside both stands what always answering the mean count of the labeled photos
comes to. With 40 photos and no pretrained weights this is no figure for a leaderboard.

Settings stand in ``crowd_study/runs.py``; ``--set steps=100 weight=1`` changes some. OUT gets a folder for each run,
``table.csv`` and ``table.md``. Start it again after Ctrl-C: runs that are there are not repeated, one that was
interrupted goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from comparison.progress import work
from crowd_study.report import write_report
from crowd_study.runs import Crowds, settings

SHOWN = ("counting mae", "MAE {:,.0f}")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ucf", type=Path, help="folder of UCF_CC_50")
    parser.add_argument("--out", type=Path, default=Path("runs/crowd_study"), help="default: %(default)s")
    parser.add_argument("--labels", type=int, help="photos of the 40 that keep their points; default: all")
    parser.add_argument("--max-side", type=int, default=Crowds.max_side, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings, values as JSON")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time; default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each run; default: %(default)s")
    parser.add_argument("--only-report", action="store_true", help="write the table from what is there")
    options = parser.parse_args(arguments)
    if min(options.jobs, options.threads) < 1 or (options.labels is not None and not 1 <= options.labels <= 40):
        parser.error("--jobs and --threads are at least 1, --labels is 1 to 40")
    if not (options.ucf / "1_ann.mat").is_file():
        parser.error(f"{options.ucf.absolute()} has no 1_ann.mat; expected the folder of UCF_CC_50")
    try:
        chosen = settings().changed(options.set)
    except ValueError as error:
        parser.error(str(error))
    crowds = Crowds(
        options.ucf.absolute(),
        options.out.absolute(),
        chosen,
        options.labels,
        options.seed,
        options.max_side,
        options.threads,
    )
    complete = options.only_report or work(crowds.ordered, options.jobs, crowds.threads, SHOWN)
    print(write_report(crowds))
    if not complete:
        print("Not all runs are there. Start the same command again to go on.", file=sys.stderr)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
