"""Kills what changes the table of a pool at random moments, and looks whether the table is whole.

    python tools/check_labeling.py                  # twenty kills of ingest, and twenty of serve
    python tools/check_labeling.py --only ingest --kills 5

Every kill is a SIGKILL. Of `rankhub label ingest`, either none of the file's labels may be in the table afterwards, or
all; and taking the same file once more must end with each of them there. Half of the moments are spread over the
duration of an undisturbed call, the other half over that of its transaction, counted from when it begins. Of
`rankhub label serve`, each answer that it said was saved must be there once, as it was sent.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from labeling_kill.ingest import When, kill_ingest
from labeling_kill.serve import BrokenError, kill_serve


def check_ingest(scratch: Path, kills: int, rows: int, answers: int, seed: int) -> bool:
    """Print a line for each kill; whether all tables are whole and lawful."""
    moments: Counter[When] = Counter()
    good = 0
    for number, each in enumerate(kill_ingest(scratch, kills, rows=rows, answers=answers, seed=seed), 1):
        moments[each.when] += 1
        good += each.whole and each.lawful
        print(
            f"ingest, kill {number}: after {each.moment:.3f} s, {each.when} the transaction; "
            f"{each.labels:,} of {answers:,} labels, table {'whole' if each.whole else 'DAMAGED'}, "
            f"taken again: {'each label once' if each.lawful else 'NOT EACH LABEL ONCE'}",
            flush=True,
        )
    fell = ", ".join(f"{moments[when]} {when}" for when in ("before", "in", "after"))
    print(f"ingest: {good} of {kills} kills left a whole table with all labels or none ({fell} the transaction)")
    return good == kills


def check_serve(scratch: Path, kills: int, seed: int) -> bool:
    """Print a line for each kill; whether each saved answer is there once."""
    try:
        found = kill_serve(scratch, kills, seed)
    except BrokenError as error:
        print(f"serve: BROKEN: {error}")
        return False
    for each in found:
        print(
            f"serve, kill {each.number}: after {each.after:.3f} s of answering; {each.acknowledged} answers saved, all "
            f"there once; {each.pending} under way, of which {each.kept} are there"
        )
    saved = sum(each.acknowledged for each in found)
    print(f"serve: {kills} of {kills} kills left a whole table with each of {saved:,} saved answers there once")
    return True


def main() -> int:
    """Print what was found; 1 if a table is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["ingest", "serve"], help="kill one of the two; both by default")
    parser.add_argument("--kills", type=int, default=20, help="of each (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=100_000, help="images of ingest's pool (default: %(default)s)")
    parser.add_argument("--answers", type=int, default=10_000, help="rows of ingest's file (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        if options.only != "serve":
            scratch_folder = Path(scratch, "ingest")
            good = check_ingest(scratch_folder, options.kills, options.rows, options.answers, options.seed)
        if options.only != "ingest":
            good = check_serve(Path(scratch, "serve"), options.kills, options.seed) and good
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
