"""Counts how often each file of rankhub and its plugins is entered between `rankhub run` and the first step.

    python tools/count_entries.py                                  # the quickstart
    python tools/count_entries.py RECIPE PATH=VALUE... --top 15    # any recipe, the files that are entered most

`entered` counts calls of a file's functions from other files, its import among them; `calls` those from itself too, and
each time that one of its generators goes on. Counted is the main thread from the import of the command line up to the
first step of training: the check, opening the data, the trial steps, the reference rows. `evaluate=[]` leaves those
rows out. What another thread does is not counted: how far the one that fetches batches comes is chance. So one machine
counts the same each time, but for files in a cache: run it twice. The run's folder is thrown away.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

STEP = ("step.py", "training.py")
"""The file of what takes a step, and the one that calls it in training: trial steps are called from elsewhere."""
STEPS = ("take_step", "step")
"""What takes a step has been called so."""


class FirstStep(BaseException):
    """Training is about to take its first step."""


class Entries:
    """A profile function that counts.

    Args:
        root: Only files of Python packages called ``rankhub...`` and of ``plugins`` below it count.

    Attributes:
        entered: File, below ``root`` -> calls from other files.
        calls: File, below ``root`` -> all calls.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entered: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._names: dict[str, str] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Note a call.

        Raises:
            FirstStep: It is that of the first step.
        """
        if event != "call":
            return
        code, caller = frame.f_code, frame.f_back
        name = self.name(code.co_filename)
        if not name:
            return
        outside = caller is None or caller.f_code.co_filename != code.co_filename
        if code.co_name in STEPS and caller is not None and self.files(code, caller.f_code) == STEP:
            raise FirstStep
        self.calls[name] += 1
        self.entered[name] += outside

    @staticmethod
    def files(*codes: CodeType) -> tuple[str, ...]:
        """The names of their files, without folders."""
        return tuple(Path(code.co_filename).name for code in codes)

    def name(self, file: str) -> str:
        """The file below the root; "" if it does not count."""
        if file not in self._names:
            below = file.removeprefix(f"{self.root}/")
            counts = below != file and below.startswith(("rankhub", "plugins/"))
            self._names[file] = below if counts else ""
        return self._names[file]


@contextlib.contextmanager
def profiled(entries: Entries) -> Iterator[None]:
    """Count what is called inside."""
    sys.setprofile(entries)
    try:
        yield
    finally:
        sys.setprofile(None)


def count(arguments: Sequence[str]) -> Entries:
    """What is entered by ``rankhub run`` with these arguments (recipe and overrides) up to the first step.

    Ends where there was none; what rankhub said of it stands on standard error.
    """
    spec = importlib.util.find_spec("rankhub")
    assert spec is not None
    assert spec.origin is not None
    entries = Entries(Path(spec.origin).parents[1])
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(sys.stderr):
        try:
            with profiled(entries):
                from rankhub_cli.main import execute

                code = execute(["run", *arguments, "--out", f"{scratch}/run"])
        except FirstStep:
            return entries
    raise SystemExit(code or "the run has ended without a step")


def lines(entries: Entries, top: int | None) -> Iterator[str]:
    """The table, the files that are entered most first, and its totals."""
    width = max(map(len, entries.calls), default=0)
    yield f"{'file':{width}}  {'entered':>10}  {'calls':>10}"
    for name in sorted(entries.calls, key=lambda name: (-entries.entered[name], name))[:top]:
        yield f"{name:{width}}  {entries.entered[name]:>10,}  {entries.calls[name]:>10,}"
    total = f"{len(entries.calls)} files"
    yield f"{total:{width}}  {entries.entered.total():>10,}  {entries.calls.total():>10,}"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="quickstart", help="a name or a file; default: %(default)s")
    parser.add_argument("overrides", nargs="*", metavar="PATH=VALUE", help="changes to it, as for `rankhub run`")
    parser.add_argument("--top", type=int, help="only so many files; default: all")
    options = parser.parse_intermixed_args(arguments)
    for line in lines(count([options.recipe, *options.overrides]), options.top):
        print(line)


if __name__ == "__main__":
    main()
