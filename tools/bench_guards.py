"""The guards' share of the CPU time of a training step, by a profile of it and not by a clock.

    python tools/bench_guards.py                              # the quickstart, 60 steps
    python tools/bench_guards.py s2r2_folder --steps 20 data.photos.root=FOLDER
    python tools/bench_guards.py --strict                     # the same, with every part looked at in every step

A profile makes Python's own functions, of which guards consist, look dearer than they are, and the work of torch's
kernels not: the share that is printed is an upper bound. Counted are the hooks around backbone, heads and losses, the
copy of each image before it is handed to generators, and the norm of the gradient; evaluation is left out, the
trial step too.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import tempfile
import time
from pathlib import Path
from typing import Any

GUARDS = {"rankhub_guards/watch.py": ("before", "after", "calling", "made"), "engine/step.py": ("_norm",)}
"""Folder and file -> its functions that guard; what they call counts with them."""

WARM_UP = 5


def measured(recipe: str, changes: list[str], steps: int, strict: bool) -> dict[str, float]:
    """``total`` CPU seconds of all threads in the steps of a run after the first few, and those of each guard."""
    import rankhub
    from rankhub.engine import feed
    from rankhub.interfaces.callback import Callback

    profile, copies, first_view = cProfile.Profile(time.process_time), [0.0], feed.first_view

    def timed(sample: Any) -> Any:  # in the feed's own thread, which the profile does not see
        start = time.thread_time()
        view = first_view(sample)
        copies[0] += time.thread_time() - start
        return view

    feed.first_view = timed

    class StepWatch(Callback):
        def step_logged(self, step: int, values: object) -> None:
            if step == WARM_UP:
                copies[0] = 0.0
                profile.enable()

        def run_ended(self, step: int, status: object) -> None:
            profile.disable()

    short = ["loader.workers=0", f"strict={json.dumps(strict)}", "evaluate=[]", "keep_best=null"]
    loaded = rankhub.load_recipe(recipe, [*changes, *short])
    spec = loaded.resolved()
    for phase in spec["phases"]:
        phase |= {"epochs": None, "clock": None, "steps": steps + WARM_UP}
    with tempfile.TemporaryDirectory() as folder:
        rankhub.train(rankhub.load_recipe(spec, catalog=loaded.catalog), Path(folder) / "run", callbacks=[StepWatch()])
    stats: Any = pstats.Stats(profile)
    return {**share(stats), "copies": copies[0]}


def share(stats: Any) -> dict[str, float]:
    """The total of a profile, and the seconds of each guard, in which what it calls is counted."""
    found = {"total": stats.total_tt}
    for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items():
        if name in GUARDS.get("/".join(Path(file).parts[-2:]), ()):
            found[name] = found.get(name, 0.0) + cumulative
    return found


def main() -> None:
    """Print the share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="quickstart")
    parser.add_argument("changes", nargs="*")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--strict", action="store_true")
    asked = parser.parse_intermixed_args()
    found = measured(asked.recipe, asked.changes, asked.steps, asked.strict)
    total = found.pop("total")
    for name, seconds in found.items():
        print(f"{name:14} {1000 * seconds / asked.steps:8.3f} ms a step  {seconds / total:7.2%}")
    whole = sum(found.values())
    print(f"{'all guards':14} {1000 * whole / asked.steps:8.3f} ms a step  {whole / total:7.2%}")


if __name__ == "__main__":
    main()
