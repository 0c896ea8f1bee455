"""``rankhub evaluate``: a trained network measured again, on its recipe's data or on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhub import Talk
from rankhub.interfaces.evaluate import EvaluationResult
from rankhub.interfaces.files import as_csv, whole, write_text
from rankhub_tables.writing import fitting
from rankhub_train.references import RawPixels
from rankhub_use.shell import as_json, paced

if TYPE_CHECKING:
    from rankhub import Run

PIXELS, NOW = "raw pixels", "now"
OWN = " (the run's own data)"
"""Behind the name of a row that was measured when the run was trained, where data are changed now."""

Found = Mapping[str, EvaluationResult]


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
    pixels = run.evaluate(evaluators, row=PIXELS, forward=RawPixels(), progress=paced(talk))
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
    write_text(written[1], as_json(plain, indent=1) + "\n")
    for label, result in found.items():
        for name, table in result.tables.items():
            written.append(folder / fitting(f"{label}_{name}", ".csv"))
            write_text(written[-1], as_csv(table))
        for name, picture in result.pictures.items():
            written.append(folder / fitting(f"{label}_{name}", ".png"))
            with whole(written[-1]) as beside:
                Image.fromarray(picture).save(beside, "PNG")
    return written
