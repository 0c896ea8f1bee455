"""``rankhub evaluate``: a trained network measured again, on its recipe's data or on others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import rankhub
from rankhub import Talk, UserError
from rankhub.interfaces.evaluate import EvaluationResult
from rankhub.interfaces.files import as_csv, whole, write_text
from rankhub_tables.writing import fitting
from rankhub_use.options import read_options
from rankhub_use.shell import ForceOption, JsonOption, RunArgument, SetOption, paced, say, talk_beside

if TYPE_CHECKING:
    from rankhub import Run

PIXELS, NOW = "raw pixels", "now"
OWN = " (the run's own data)"
"""Behind the name of a row that was measured when the run was trained, where data are changed now."""

Found = Mapping[str, EvaluationResult]


def evaluate(
    run: RunArgument,
    evaluators: Annotated[
        list[str] | None,
        typer.Option(
            "--evaluator", help="One of the recipe's, or another: '{use: knn, train: a, test: b}'. May be repeated."
        ),
    ] = None,
    changes: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables, pictures and metrics.json; made.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the network of a run by the evaluators of its recipe, or by others, beside the reference rows.

    With other data (--set data.NAME.root=FOLDER), raw pixels are measured anew; what was measured before and after
    training stands beside, marked as that of the run's own data.

    Example: rankhub evaluate runs/s2r2/2026-01-31_12-00-00 --set data.test.root=~/others
    """
    if out is not None and out.exists() and not (out.is_dir() and (force or not any(out.iterdir()))):
        raise UserError(f"--out {out} is there already; name another folder, or --force to write into it")
    talk = talk_beside(as_json)
    asked = [read_options([f"evaluator={text}"])["evaluator"] for text in evaluators or ()]
    with rankhub.load_run(run, overrides=changes or []) as trained:
        rows, found = measure(trained, asked or None, talk)
    if not as_json:
        talk.table(rows)
    for label, result in found.items():
        for note in result.notes:
            talk.note(f"{label}: {note}")
    if out is not None:
        for path in write_found(out, rows, found):
            talk.line(str(path))
    if as_json:
        say({"rows": rows, "metrics": {label: dict(result.metrics) for label, result in found.items()}})


def measure(
    run: Run, evaluators: Sequence[str | Mapping[str, Any]] | None, talk: Talk
) -> tuple[list[dict[str, Any]], Found]:
    """Measure a run beside its reference rows.

    Args:
        run: It, loaded with the changes that are wanted.
        evaluators: As for :meth:`rankhub.Run.evaluate`.
        talk: Where progress is told.

    Returns:
        The table: ``""`` is the name of a row, the others are ``EVALUATOR METRIC``; and what was found now.
    """
    found = run.evaluate(evaluators, progress=paced(talk))
    pixels = run.evaluate(evaluators, pixels=True, progress=paced(talk))
    talk.finish()
    columns = [(label, metric) for label, result in found.items() for metric in result.metrics]
    other = any(change.startswith(("data.", "streams.")) for change in run.recipe.changes)
    rows = [_row(PIXELS, columns, _flat(pixels))] if pixels else []
    for name, values in run.measured.items():
        if name != PIXELS:
            rows.append(_row(name + (OWN if other else ""), columns, values))
    return [*(row for row in rows if len(row) > 1), _row(NOW, columns, _flat(found))], found


def _flat(found: Found) -> dict[str, float]:
    return {f"{label}.{name}": value for label, one in found.items() for name, value in one.metrics.items()}


def _row(name: str, columns: Sequence[tuple[str, str]], values: Mapping[str, float]) -> dict[str, Any]:
    known = {f"{label} {metric}": values.get(f"{label}.{metric}") for label, metric in columns}
    return {"": name, **{column: value for column, value in known.items() if value is not None}}


def write_found(folder: Path, rows: Sequence[Mapping[str, Any]], found: Found) -> list[Path]:
    """Write the table, and the tables and pictures of each evaluator.

    Returns:
        The files.

    Raises:
        UserError: They cannot be written.
    """
    from PIL import Image

    written = [folder / "results.csv", folder / "metrics.json"]
    write_text(written[0], as_csv(rows), make=True)
    plain = {label: {"metrics": dict(one.metrics), "notes": list(one.notes)} for label, one in found.items()}
    write_text(written[1], json.dumps(plain, indent=1) + "\n")
    for label, result in found.items():
        for name, table in result.tables.items():
            written.append(folder / fitting(f"{label}_{name}", ".csv"))
            write_text(written[-1], as_csv(table))
        for name, picture in result.pictures.items():
            written.append(folder / fitting(f"{label}_{name}", ".png"))
            with whole(written[-1]) as beside:
                Image.fromarray(picture).save(beside, "PNG")
    return written
