"""A campaign of faults against rankhub: each has an oracle that says what must come of it.

    python tools/fault_campaign.py                              # the whole of it, within an hour on two cores
    python tools/fault_campaign.py --short                      # a part of each kind, within two minutes; CI runs it
    python tools/fault_campaign.py --part 600                   # as many of each kind as ten minutes take
    python tools/fault_campaign.py --kind kills --kind bits     # these kinds alone
    python tools/fault_campaign.py --kind kills --number 17     # one fault, as the record of a failure names it

Each fault is drawn from the seed, its kind and its number, and nothing else. Outcomes are appended to
``OUT/outcomes.jsonl`` as they come; a campaign that is started again with the same ``--out`` goes on where it stopped.
What a failed fault worked on stays in ``OUT/work``. Prints and writes (``OUT/counts.csv``) how many of each kind were
tried, survived and failed, and how to reproduce each failure; exit code 1 if there are any.

A fault *survives* if what must come of it does: the result of an undisturbed run, or one sentence and exit code 2.
It fails on a traceback, on another result without a word, on what hangs, and on what was acknowledged and is lost.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # before torch is imported: a process of several threads cannot be forked
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", COLUMNS="200", TERM="dumb")

from fault_kinds import documents, kept, pictures, processes, runs, strangers, tables, world
from fault_kinds.world import FaultType, World

KINDS: dict[str, FaultType] = {
    kind.name: kind
    for module in (runs, kept, pictures, tables, documents, strangers, processes)
    for kind in module.KINDS
}
Fault = tuple[str, int]


def attempt(kind: FaultType, number: int, seed: int, made: World, out: Path) -> dict[str, Any]:
    """Try one fault, in a folder of its own that stays if it fails."""
    root = out / "work" / f"{kind.name}-{number}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    since, before = time.monotonic(), _cpu()
    try:
        done, wrong = kind.attempt(made, root, random.Random(f"{seed} {kind.name} {number}"), number)
    except Exception:  # a fault of the campaign's own, or what no oracle foresees: to be looked at
        done, wrong = "the oracle itself stumbled", traceback.format_exc()[-1500:]
    if wrong is None:
        shutil.rmtree(root, ignore_errors=True)
    else:
        wrong = " | ".join(line.strip() for line in wrong.splitlines() if line.strip())
    took = {"seconds": round(time.monotonic() - since, 2), "cpu": round(_cpu() - before, 2)}
    return {"kind": kind.name, "number": number, "seed": seed, "fault": done, "wrong": wrong, **took}


def _cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def recorded(file: Path, seed: int) -> dict[Fault, dict[str, Any]]:
    """The outcomes of this seed that are there; a last line that was cut short is passed over."""
    found = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            outcome = json.loads(line)
        except ValueError:
            continue
        if outcome["seed"] == seed:
            found[outcome["kind"], outcome["number"]] = outcome
    return found


def in_turn(counts: dict[str, int]) -> Iterator[Fault]:
    """The faults of all kinds: the first of each, and then so that a part has about the same share of each."""
    faults = [(number / count, kind, number) for kind, count in counts.items() for number in range(count)]
    return ((kind, number) for _, kind, number in sorted(faults))


def work(mine: Sequence[Fault], options: argparse.Namespace, made: World, until: float) -> None:
    """Try faults until the time is over, the first of a kind even then; each outcome is one line, written at once."""
    handle = os.open(options.out / "outcomes.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for name, number in mine:
        if number and time.monotonic() > until:
            continue
        outcome = attempt(KINDS[name], number, options.seed, made, options.out)
        os.write(handle, (json.dumps(outcome) + "\n").encode())
        if outcome["wrong"] is not None or options.number is not None:
            verdict = "survived" if outcome["wrong"] is None else f"FAILED: {outcome['wrong']}"
            print(f"{name} {number}, {outcome['fault']}: {verdict}", flush=True)


def report(outcomes: Sequence[dict[str, Any]], names: Sequence[str], out: Path) -> int:
    """Print and write the counts by kind; returns how many failed."""
    head = ("kind", "tried", "survived", "failed", "seconds", "CPU")
    rows = []
    for name in names:
        of = [outcome for outcome in outcomes if outcome["kind"] == name]
        failed = sum(outcome["wrong"] is not None for outcome in of)
        times = [round(sum(outcome[key] for outcome in of), 1) for key in ("seconds", "cpu")]
        rows.append((name, len(of), len(of) - failed, failed, *times))
    rows.append(("all", *(round(sum(column), 1) for column in list(zip(*rows, strict=True))[1:])))
    with (out / "counts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    for row in (head, *rows):
        print(f"{row[0]:<10}" + "".join(f"{value:>10}" for value in row[1:]))
    for outcome in outcomes:
        if outcome["wrong"] is not None:
            again = f"--seed {outcome['seed']} --kind {outcome['kind']} --number {outcome['number']}"
            print(f"\nfailed: {outcome['fault']}\n  {outcome['wrong']}\n  python tools/fault_campaign.py {again}")
    return int(rows[-1][3])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign, or a part of it; exit code 1 if a fault failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="only this one; may be repeated")
    parser.add_argument("--number", type=int, help="only this fault of the kind")
    parser.add_argument("--count", type=int, help="so many of each kind, in place of a whole campaign's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="a part of each kind, of at most two minutes")
    parser.add_argument(
        "--part", type=float, default=float("inf"), help="seconds after which no further fault is tried"
    )
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--out", type=Path, help="folder of the record; without it, one that is removed at the end")
    options = parser.parse_args(arguments)
    options.part = min(options.part, 80.0) if options.short else options.part
    if options.number is not None and len(options.kind or ()) != 1:
        parser.error("--number takes one --kind")
    scratch = None if options.out else tempfile.mkdtemp(prefix="faults.")
    options.out = Path(scratch or options.out).absolute()
    try:
        return campaign(options)
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def campaign(options: argparse.Namespace) -> int:
    """Make the world, share the faults that are due among forked workers, and report."""
    names = options.kind or list(KINDS)
    counts = {name: options.count or (KINDS[name].part if options.short else KINDS[name].count) for name in names}
    numbers = [(names[0], options.number)] if options.number is not None else list(in_turn(counts))
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "outcomes.jsonl"
    done = {} if options.number is not None else recorded(file, options.seed)
    due = [fault for fault in numbers if fault not in done]
    made = world.make(options.out / "world", runs=any(KINDS[name].runs for name in names))
    until, workers = time.monotonic() + options.part, []
    for job in range(max(1, options.jobs)):
        if (child := os.fork()) == 0:
            try:
                work(due[job :: options.jobs], options, made, until)
            finally:
                os._exit(0)
        workers.append(child)
    for child in workers:
        os.waitpid(child, 0)
    outcomes = recorded(file, options.seed)
    return int(report([outcomes[fault] for fault in numbers if fault in outcomes], names, options.out) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
