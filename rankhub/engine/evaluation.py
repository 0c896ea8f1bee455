"""Runs the recipe's evaluators on one row of the report, and keeps what they found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image
from pydantic import BaseModel

from rankhub.catalog.blame import during
from rankhub.engine.checkpoint import Results
from rankhub.engine.source import NetworkSource
from rankhub.interfaces.evaluate import EvaluationResult, Evaluator
from rankhub.interfaces.files import as_csv, read_json, whole, write_text


def evaluate_row(source: NetworkSource, evaluators: Mapping[str, Evaluator], folder: Path | None) -> Results:
    """Run all evaluators on one row and write what they found under ``folder``; only the first process has results."""
    results: Results = {}
    if not source.processes.first:
        source.serve()
        return results
    for name, evaluator in evaluators.items():
        with during(f"evaluator {name!r}, row {source.row!r}"):
            found = source.evaluate(evaluator)
        unsaid = [metric for metric, value in found.metrics.items() if isnan(value)] if not found.notes else []
        notes = [*found.notes, *(f"{name} gave {metric} as NaN and does not say why" for metric in unsaid)]
        results[name] = replace(found, metrics=MappingProxyType(dict(found.metrics)), notes=notes)
    if folder is not None:
        for name, result in results.items():
            for table, rows in result.tables.items():
                write_text(folder / f"{name}_{table}.csv", as_csv(rows), make=True)
            for title, picture in result.pictures.items():
                with whole(folder / f"{name}_{title}.png", make=True) as beside:
                    Image.fromarray(picture).save(beside, "PNG")
        plain = {n: {"metrics": dict(r.metrics), "notes": list(r.notes)} for n, r in results.items()}
        write_text(folder / "metrics.json", json.dumps(plain, indent=1) + "\n", make=True)
    source.release()
    return results


def of_features(evaluators: Mapping[str, Evaluator]) -> dict[str, Evaluator]:
    """Those that say something of what only stands in for a network: they neither judge a head nor compare networks."""
    return {name: each for name, each in evaluators.items() if each.judges_training and not each.needs_heads}


def stored_row(folder: Path) -> Results | None:
    """The metrics of a row that an earlier start of the same run has written, or None."""
    path = folder / "metrics.json"
    if not path.exists():
        return None
    stored = read_json(path, dict[str, _Stored], "remove it, and a resumed run measures that again")
    return {name: EvaluationResult(part.metrics, notes=part.notes) for name, part in stored.items()}


class _Stored(BaseModel):
    metrics: dict[str, float | int]
    notes: list[str]


Row = tuple[str, Results]


def table_rows(rows: Sequence[Row], evaluators: Mapping[str, Evaluator]) -> list[dict[str, Any]]:
    """The closing table: one line a row of the report, one column a headline metric."""
    table = []
    for name, results in rows:
        line: dict[str, Any] = {"": name}
        for label, evaluator in evaluators.items():
            for metric in evaluator.headline():
                if label in results and metric in results[label].metrics:
                    line[f"{label} {metric}"] = results[label].metrics[metric]
        if len(line) > 1:  # a row in which nothing was measured, such as scores of raw pixels, is left out
            table.append(line)
    return table
