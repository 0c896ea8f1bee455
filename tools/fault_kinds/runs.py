"""Kills, full disks and signals, in a run and in what else writes; the oracle is the undisturbed run."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from labeling_kill.ingest import left, make_pool
from labeling_kill.serve import BrokenError, kill_serve

from fault_kinds.child import CommandEnd, Trap, rankhub
from fault_kinds.world import PREDICT, RESUME, START, STEPS, FaultType, World, differs, finish

_MARKS = {"checkpoint": "checkpoints/", "evaluation": "evaluation/", "decoding": "cache/"}
_STAGES = ("training", "checkpoint", "evaluation", "decoding", "ingest", "serve")
_CODES = {"SIGINT": {130}, "SIGTERM": {143}, "SIGHUP": {129}, "SIGUSR1": set(range(256)) - {0, 1, 2}}
"""What a shell expects; of SIGUSR1 any code that is stated will do, but none that says that all is well or wrong."""
_ASKED = ("training", "evaluation", "checkpoint", "training", "decoding")
"""Stages in which it is asked to end."""
_ROWS, _ANSWERS = 400, 100


def kill(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """One kill at a random moment of a stage, and in half of the runs a second one while it is resumed."""
    stage = _STAGES[number % len(_STAGES)]
    if stage == "ingest":
        return _kill_ingest(root, draw)
    if stage == "serve":
        try:
            kept = kill_serve(root / "serve", kills=1, seed=draw.randrange(1 << 30), images=12)[0]
        except BrokenError as error:
            return "serve, SIGKILL", str(error)
        return f"serve, SIGKILL after {kept.acknowledged} answers", None
    work = world.at("fresh", root / "work")
    trap = _moment(world, draw, stage, "SIGKILL")
    ended = rankhub(START, work, trap)
    done = f"{stage}, {trap}"
    if ended.code >= 0:  # a moment after its end
        return f"{done}: ended before", ended.wrong(0) or differs(world, work)
    if draw.random() < 0.5:
        again = Trap("cpu", draw.uniform(0.02, 0.6) * world.start.cpu, "SIGKILL")
        rankhub(RESUME, work, again)
        done = f"{done}, then {again}"
    return done, finish(world, work)


def _moment(world: World, draw: Random, stage: str, do: str) -> Trap:
    """A moment in a stage of a run, drawn from what the undisturbed one does there."""
    if stage == "training" or draw.random() < 0.15:
        return Trap("cpu", round(draw.uniform(0.02, 1.0) * world.start.cpu, 3), do)
    if stage == "checkpoint" and draw.random() < 0.4:
        sizes = [path.stat().st_size for path in (world.home / "whole/run/checkpoints").rglob("*.*") if path.is_file()]
        return Trap("size", draw.randrange(1000, max(sizes)), do)
    there = [n for n, event in enumerate(world.start.events, 1) if _MARKS[stage] in event]
    return Trap("event", draw.choice(there), do)


def _kill_ingest(root: Path, draw: Random) -> tuple[str, str | None]:
    command = _ingest(root, draw)
    pool = root / "labeling"
    before = (pool / "pool.db").read_bytes()
    calm = rankhub(command, root)
    after = (pool / "pool.db").stat().st_size
    (pool / "pool.db").write_bytes(before)
    traps = [
        Trap("cpu", round(draw.uniform(0.05, 1.0) * calm.cpu, 3), "SIGKILL"),
        Trap("size", draw.randrange(after // 2, after + 4096), "SIGKILL"),
    ]
    trap = draw.choice(traps)
    ended = rankhub(command, root, trap)
    found = left(pool, root / "answers.csv", 0.0, _ANSWERS)
    if calm.wrong(0) or not found.whole or not found.lawful:
        return f"ingest, {trap}", calm.wrong(0) or f"neither all labels nor none, or damage: {found}"
    lost = "labeled" in ended.out and not found.labels
    return f"ingest, {trap}, {found.when} the change", "ACKNOWLEDGED, and lost" if lost else None


def _ingest(root: Path, draw: Random) -> tuple[object, ...]:
    make_pool(root / "labeling", _ROWS)
    rows = "".join(f"image_{row:06d}.jpg,{draw.randint(1, 5)}\n" for row in draw.sample(range(_ROWS), _ANSWERS))
    (root / "answers.csv").write_text(f"path,score\n{rows}")
    return "label", "ingest", root / "answers.csv", "--folder", root / "labeling"


def fill(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """A disk that is full, or read-only, from a random write on, until there is room again; or the run is removed."""
    do, events = draw.choice(["ENOSPC", "ENOSPC", "EROFS", "EDQUOT"]), world.start.events
    if number % 5 == 3:
        return _fill_predict(world, root, draw, do)
    if number % 5 == 4:
        return _fill_labels(root, draw)
    if number % 10 == 6:
        later = [n for n, event in enumerate(events, 1) if "checkpoints/" in event]
        trap = Trap("event", draw.choice(later), "GONE")
        return f"run, {trap}", rankhub(START, world.at("fresh", root / "work"), trap).wrong(2)
    if draw.random() < 0.5:
        trap = Trap("event", draw.randrange(1, len(events)), do)
    else:
        trap = Trap("size", int(10 ** draw.uniform(0.5, 5.5)), "EFBIG")
    work = world.at("fresh", root / "work")
    ended = rankhub(START, work, trap)
    if ended.code == 0:  # what could not be written was not needed
        return f"run, {trap}", ended.wrong(0) or differs(world, work)
    return f"run, {trap}", ended.wrong(2) or finish(world, work)


def _fill_predict(world: World, root: Path, draw: Random, do: str) -> tuple[str, str | None]:
    work = world.at("whole", root / "work")
    event = Trap("event", draw.randrange(1, len(world.predicted.events) + 1), do)
    trap = draw.choice([event, Trap("size", draw.randrange(len(world.answers)), "EFBIG")])
    ended = rankhub(PREDICT, work, trap)
    wrong = ended.wrong(2)
    if wrong is None:
        again = "--force" if (work / "answers.csv").exists() else "--resume"
        wrong = rankhub((*PREDICT, again), work).wrong(0)
    if wrong is None and (work / "answers.csv").read_bytes() != world.answers:
        wrong = "OTHER ANSWERS"
    return f"predict, {trap}", wrong


def _fill_labels(root: Path, draw: Random) -> tuple[str, str | None]:
    command = _ingest(root, draw)
    size = (root / "labeling/pool.db").stat().st_size
    trap = Trap("size", draw.randrange(size // 4, size), "EFBIG")
    verb = draw.choice(["ingest", "export"])
    if verb == "export":
        left(root / "labeling", root / "answers.csv", 0.0, _ANSWERS)
        command = ("label", "export", "labels.csv", "--folder", root / "labeling")
        trap = Trap("size", draw.randrange(2000), "EFBIG")
    ended = rankhub(command, root, trap)
    if ended.code == 0:
        return f"label {verb}, {trap}: fitted", ended.wrong(0)
    wrong = ended.wrong(2)
    if verb == "export":
        rest = ("--force",) if (root / "labels.csv").exists() else ()
        return f"label {verb}, {trap}", wrong or rankhub((*command, *rest), root).wrong(0)
    found = left(root / "labeling", root / "answers.csv", 0.0, _ANSWERS)
    return f"label {verb}, {trap}", wrong or (None if found.whole and found.lawful else f"damaged: {found}")


def send(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """A signal that asks a run to end, at a random moment; or nobody reads any more what it prints."""
    work = world.at("fresh", root / "work")
    if number % 10 == 9:
        return "a closed reader", rankhub(START, work, unread=True).wrong(0) or differs(world, work)
    name = sorted(_CODES)[number % len(_CODES)]
    trap = _moment(world, draw, _ASKED[number // len(_CODES) % len(_ASKED)], name)
    if trap.how == "size":
        trap = Trap("cpu", round(draw.uniform(0.02, 1.0) * world.start.cpu, 3), name)
    ended = rankhub(START, work, trap)
    if ended.code == 0:
        return f"{trap}: ended before", ended.wrong(0) or differs(world, work)
    return str(trap), _stopped(ended, work, name) or finish(world, work)


def _stopped(ended: CommandEnd, work: Path, name: str) -> str | None:
    """What is wrong with how a run ended that was asked to."""
    code = 128 - ended.code if ended.code < 0 else ended.code  # as a shell says it
    if "Traceback (most recent call last)" in ended.said:
        return ended.wrong()
    if code not in _CODES[name]:
        return f"exit {code} after {name}: {' | '.join(ended.said.strip().splitlines())[-200:]}"
    metrics = work / "run/metrics.jsonl"
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    steps = [json.loads(line)["step"] for line in lines if line.endswith("}")]
    if not steps or steps[-1] == STEPS:  # before training, or after it
        return None
    if ended.code < 0:
        return f"{name} ended it without a checkpoint, after step {steps[-1]}"
    there = (work / f"run/checkpoints/step_{steps[-1]:09d}").is_dir()
    if not there or "--resume" not in ended.said:
        return f"after {name} in step {steps[-1]} there is no checkpoint of it, or it is not said how to go on"
    return None


KINDS = [FaultType("kills", 60, kill, 6), FaultType("disks", 40, fill, 4), FaultType("signals", 40, send, 4)]
