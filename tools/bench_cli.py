"""Times the command line's quick verbs, and importing the package, against their limits, each in a process of its own.

Run it on a machine that does nothing else::

    python tools/bench_cli.py --runs 15
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import timeit
from collections.abc import Sequence
from functools import partial

LIMITS = {
    ("-m", "rankhub", "--help"): 0.25,
    ("-m", "rankhub", "plugins", "list"): 0.35,
    ("-c", "import rankhub"): 0.1,
}
"""What Python is started with -> seconds that the median may take."""


def measure(arguments: Sequence[str], runs: int) -> list[float]:
    """Seconds of ``runs`` calls, sorted; one call before them fills the file cache and does not count."""
    command = [sys.executable, *arguments]
    call = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return sorted(timeit.repeat(call, number=1, repeat=runs + 1)[1:])


def main() -> int:
    """Print a line for each call; 0 if all medians are within their limits, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=11, help="calls of each (default: %(default)s)")
    runs = parser.parse_args().runs
    print(f"{'python':<24}{'median':>9}{'fastest':>9}{'slowest':>9}{'limit':>8}")
    within = True
    for arguments, limit in LIMITS.items():
        seconds = measure(arguments, runs)
        median = statistics.median(seconds)
        within = within and median < limit
        verdict = "" if median < limit else "  TOO SLOW"
        command = " ".join(arguments)
        print(f"{command:<24}{median:>8.3f}s{seconds[0]:>8.3f}s{seconds[-1]:>8.3f}s{limit:>7.2f}s{verdict}")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
