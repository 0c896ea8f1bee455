"""What people are told of a run: what it will do and cost, its tables and notes, what to do with it."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, isnan, nan
from typing import Any

import torch
from rich.filesize import decimal

from rankhub import NetworkForward, Parts, RunClosed, RunMeasured, RunPlanned, Talk
from rankhub.interfaces.evaluate import EvaluationResult, Evaluator
from rankhub_console.speech import human_seconds
from rankhub_train.norms import has_batch_statistics

Row = tuple[str, Mapping[str, EvaluationResult]]
"""Its name, and what evaluators found, by their labels."""


def say(event: object, talk: Talk) -> None:
    """What there is to say of an event of a run; nothing of those that are not known."""
    if isinstance(event, RunPlanned):
        _plan(event, talk)
    elif isinstance(event, RunClosed):
        if event.rows:
            _closing_table(event, talk)
        _farewell(event, talk)
    elif isinstance(event, RunMeasured):
        talk.table(event.table)
        for sentence in undefined(event.table):
            talk.note(sentence)


def _plan(plan: RunPlanned, talk: Talk) -> None:
    talk.pairs(lines(plan))
    for data, report in plan.parts.reports.items():
        for note in report.notes:
            for table in report.tables:
                note = note.replace(f"the table {table}", f"data/{data}_{table}.csv of the run folder")
            talk.note(f"data.{data}: {note}")
    for sentence in plan.parts.left_out:
        talk.note(sentence)


def lines(plan: RunPlanned) -> dict[str, str]:
    """Lines by name: device, data, network, steps of phases; where they were measured, memory and time."""
    parts = plan.parts
    mixing = [each for each in parts.plans if has_batch_statistics(parts.network, each.phase.freeze)]
    count = sum(parameter.numel() for parameter in parts.network.parameters())
    found = {
        "recipe": f"{plan.name}, seed {parts.recipe.seed}",
        "device": _computes(parts),
        "data": ", ".join(f"{data} {len(dataset):,} images" for data, dataset in parts.datasets.items()),
        "network": f"{count / 1e6:.2f} M parameters",
    }
    for number, each in enumerate(parts.plans):
        found[f"phase {each.phase.name}"] = _phase(plan, number)
    if plan.costs:
        found["expected"] = (
            f"{decimal(max(cost.memory for cost in plan.costs))} for training, beside data and libraries; "
            f"{human_seconds(plan.seconds)} of training (from a trial step)"
        )
    processes = parts.processes.count
    if processes > 1:
        found["processes"] = f"{processes}, each with an equal share of every batch"
    accumulates = any(stream.accumulate > 1 for each in mixing for stream in each.streams.values())
    if mixing and (accumulates or processes > 1):
        over = "a micro-batch" if accumulates else "the share of a process"
        found["batch norm"] = (
            f"with BatchNorm {over} is another function than the whole batch: the gradient is not that of one process "
            "and one batch; networks with GroupNorm or frozen norms, or on several processes SyncBatchNorm, are free "
            "of it"
        )
    heard = {each.phase.name: [one for one in each.streams.values() if one.statistics] for each in mixing}
    several = [name for name, streams in heard.items() if len(streams) > 1]
    if several:
        found["streams"] = (
            f"with BatchNorm, phase {several[0]} leaves statistics that mix the views of its streams, and images are "
            "scored with them; let one stream set them (`statistics: false` at the others), or take a network with "
            "GroupNorm, LayerNorm or frozen norms"
        )
    return found


def _computes(parts: Parts) -> str:
    """Where, and how precisely."""
    device, dtype = parts.compute.device, parts.compute.dtype
    if device.type == "cuda":
        name = f"{torch.cuda.get_device_name(device)} ({device})"
    else:
        name = f"CPU, {torch.get_num_threads()} threads"
    return f"{name}, {'float32' if dtype is None else str(dtype).removeprefix('torch.')}"


def _phase(plan: RunPlanned, number: int) -> str:
    phase, streams = plan.parts.plans[number], []
    for name, stream in phase.streams.items():
        views = plan.parts.feeds[phase.phase.name, name].chain.views
        sizes = " + ".join(f"{count}" + (f" of {side} px" if side else "") for count, side in views.sizes)
        micro = f" in {stream.accumulate} micro-batches" if stream.accumulate > 1 else ""
        total = stream.batch_size * views.views
        streams.append(f"{name}: {stream.batch_size} images x {sizes} = {total} views a step{micro}")
    epochs = f" ({phase.phase.epochs} epochs of {phase.steps_per_epoch})" if phase.phase.epochs is not None else ""
    return f"{phase.steps:,} steps{epochs}; " + "; ".join(streams)


def _closing_table(closed: RunClosed, talk: Talk) -> None:
    talk.line()
    talk.table(closed.table)
    talk.line()
    noted = dict.fromkeys(note for _, found in closed.rows for result in found.values() for note in result.notes)
    forward = NetworkForward(closed.parts.network, closed.parts.compute)
    remarks = closed.parts.predict.remarks(forward.outputs, forward.features)
    for sentence in (*noted, *undefined(closed.table), *remarks):
        talk.note(sentence)
    talk.line(f"Scored: the {'moving average of the weights' if closed.averaged else 'weights of the last step'}.")
    for sentence in beaten(closed.rows, closed.parts.evaluators):
        talk.note(f"training did not help: {sentence}")
    for sentence in closed.changes:
        talk.note(f"{closed.rows[-1][0]}: {sentence}")


def _farewell(closed: RunClosed, talk: Talk) -> None:
    """Where the run lies, how to see it and what to try next."""
    if (best := closed.best) is not None:
        wanted = f"{best.label} {best.metric}"
        if (kept := best.kept()) is not None:
            talk.line(f"Best {wanted}: {kept[1]:.3f}, kept in {kept[0]}")
        else:
            talk.note(f"keep_best keeps nothing: {wanted} was never a finite number")
    talk.line(f"Run folder: {closed.folder}")
    for hint in closed.hints:
        talk.line(f"See it with: {hint}")
    for number, advice in enumerate(closed.parts.recipe.next_steps):
        talk.line(("Try next: " if number == 0 else "          ") + advice)


def undefined(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence on each column of a report's table that holds NaN or infinity."""
    found: dict[str, list[str]] = {}
    for line in table:
        for column, value in line.items():
            if isinstance(value, float) and not isfinite(value):
                found.setdefault(column, []).append(line[""])
    return [f"{column} is no finite number ({', '.join(rows)}); that is never best" for column, rows in found.items()]


def beaten(rows: Sequence[Row], evaluators: Mapping[str, Evaluator]) -> Iterator[str]:
    """Sentences on the evaluators whose first metric did not rise above every reference row; none if all did."""
    *references, (last, results) = rows
    for label, evaluator in evaluators.items():
        metric = evaluator.headline()[0]
        sign = evaluator.sign(metric)
        if label not in results or not references or not evaluator.judges_training:
            continue
        others = {name: found[label].metrics.get(metric, nan) for name, found in references if label in found}
        known = [(sign * value, name) for name, value in others.items() if not isnan(value)]
        ours = results[label].metrics.get(metric, nan)
        if not known or isnan(ours):
            continue  # not computed, or undefined, which the evaluator's own notes explain
        best, strongest = max(known)
        if not sign * ours > best:
            yield f"{label} {metric}: {last} ({ours:.3f}) does not beat {strongest} ({sign * best:.3f})"
