"""``rankhub runs``: list, compare, best."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Annotated, Any

import typer

import rankhub
from rankhub import UserError
from rankhub_console.speech import human_seconds, talking
from rankhub_runs.reading import FoundRun, Measured, best_of, measured, read_run, runs_below, settings_of
from rankhub_tracking.settings import flat

app = typer.Typer(no_args_is_help=True, help="List runs, compare them, find the best.")

SILENT = ("description", "next_steps", "callbacks")
"""Entries of a recipe that say nothing about what was learned."""

FolderArgument = Annotated[Path, typer.Argument(help="The folder in which runs are, nested or flat.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_runs(folder: FolderArgument = Path("runs"), as_data: JsonOption = False) -> None:
    """List the runs in a folder: recipe, state, steps, time, and the first figure of the closing table.

    A damaged run is listed with what is wrong with it.

    Example: rankhub runs list runs/quickstart
    """
    found = [read_run(path) for path in runs_below(folder)]
    if as_data:
        return _print([_plain(run) for run in found])
    talk = talking()
    if not found:
        return talk.line(f"There is no run in {folder}.")
    talk.table([{"run": _name(run.folder, folder), **_cells(run)} for run in found])
    for run in found:
        if run.problem:
            talk.note(run.problem)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, two or more.")], as_data: JsonOption = False
) -> None:
    """Show the settings in which runs differ, and their figures side by side; the best of each is marked by *.

    Example: rankhub runs compare runs/one runs/other
    """
    if len(runs) < 2:
        raise UserError("name two runs or more: rankhub runs compare RUN RUN ...")
    if len({path.resolve() for path in runs}) < len(runs):
        raise UserError("a run is named twice; name different ones")
    names = _short(runs)
    settings = {name: flat(_without(settings_of(path))) for name, path in zip(names, runs, strict=True)}
    figures = {name: measured(path) or Measured("") for name, path in zip(names, runs, strict=True)}
    keys = dict.fromkeys(key for one in settings.values() for key in one)
    differ = {
        key: {name: one.get(key, "-") for name, one in settings.items()}
        for key in keys
        if len({json.dumps(one.get(key, "-"), default=str) for one in settings.values()}) > 1
    }
    metrics = dict.fromkeys(key for one in figures.values() for key in one.values)
    values = {key: {name: one.values[key] for name, one in figures.items() if key in one.values} for key in metrics}
    ways = {key: _way(key, figures.values()) for key in metrics}
    best = {key: None if ways[key] is None else best_of(values[key], bool(ways[key])) for key in metrics}
    if as_data:
        return _print(
            {
                "runs": dict(zip(names, map(str, runs), strict=True)),
                "settings": differ,
                "metrics": {
                    key: {"lower_is_better": ways[key], "best": best[key], "values": _finite(values[key])}
                    for key in metrics
                },
            }
        )
    talk = talking()
    if differ:
        talk.table(
            [{"setting": key, **{name: _cell(value) for name, value in row.items()}} for key, row in differ.items()]
        )
    else:
        talk.line("They have the same settings.")
    talk.line()
    if metrics:
        talk.table([{"metric": key, **_marked(names, values[key], best[key])} for key in metrics])
    for name, one in figures.items():
        if one.row != "after training":
            talk.note(f"{name} has {f'figures of {one.row} only' if one.row else 'no figures'}")
    if unknown := [key for key, way in ways.items() if way is None]:
        talk.note(f"which way is better is not known of {', '.join(unknown)}")


@app.command()
def best(
    folder: FolderArgument = Path("runs"),
    metric: Annotated[str, typer.Option(help="Which figure, such as knn.accuracy.")] = ...,  # type: ignore[assignment]
    lower: Annotated[
        bool | None, typer.Option("--lower/--higher", help="Which way is better, where the runs do not say.")
    ] = None,
    as_data: JsonOption = False,
) -> None:
    """Order the finished runs in a folder by one of their figures, the best one first.

    Example: rankhub runs best runs --metric knn.accuracy
    """
    figures: dict[Path, Measured] = {}
    left_out = []
    for path in runs_below(folder):
        try:
            one = measured(path)
        except UserError as error:
            left_out.append(str(error))
            continue
        if one is not None and one.row == "after training":
            figures[path] = one
    names = sorted({name for one in figures.values() for name in one.values})
    key = _metric(metric, names, folder)
    way = _way(key, figures.values()) if lower is None else lower
    if way is None:
        raise UserError(f"which way of {key} is better is not known of these runs; say --lower or --higher")
    values = {path: one.values[key] for path, one in figures.items() if key in one.values}
    order = sorted(values, key=lambda path: (not isfinite(values[path]), values[path] if way else -values[path]))
    rows = [{"run": str(path), "value": values[path] if isfinite(values[path]) else None} for path in order]
    if as_data:
        return _print({"metric": key, "lower_is_better": way, "runs": rows, "damaged": left_out})
    talk = talking()
    talk.table([{"": number, "run": _name(path, folder), key: values[path]} for number, path in enumerate(order, 1)])
    for sentence in left_out:
        talk.note(sentence)
    talk.line(f"Best by {key} ({'lower' if way else 'higher'} is better): {order[0]}")


def _metric(wanted: str, names: Sequence[str], folder: Path) -> str:
    """The full name of a metric; its evaluator may be left out where only one has it."""
    if not names:
        raise UserError(f"no run in {folder} has figures after training")
    name = wanted.replace(" ", ".").replace("/", ".")
    fitting = [one for one in names if one == name] or [one for one in names if one.partition(".")[2] == name]
    if len(fitting) > 1:
        raise UserError(f"--metric {wanted} is a figure of several evaluators; write {' or '.join(fitting)}")
    if not fitting:
        raise UserError(f"no run in {folder} has the figure {wanted!r}{rankhub.suggestion(name, names)}")
    return fitting[0]


def _way(metric: str, runs: Any) -> bool | None:
    """Whether lower is better, by the runs that say so; None where none does, or they disagree."""
    said = {way for one in runs if metric in one.values and (way := one.lower_is_better(metric)) is not None}
    return said.pop() if len(said) == 1 else None


def _cells(run: FoundRun) -> dict[str, str]:
    return {
        "recipe": run.recipe,
        "state": run.state,
        "steps": f"{run.step}/{run.steps}" if run.steps is not None else str(run.step) if run.recipe else "",
        "time": human_seconds(run.seconds) if run.seconds is not None else "",
        "result": f"{run.headline[0]} {run.headline[1]:.3f}" if run.headline is not None else "",
    }


def _plain(run: FoundRun) -> dict[str, Any]:
    name, value = run.headline if run.headline is not None else (None, nan)
    return {
        "run": str(run.folder),
        "recipe": run.recipe or None,
        "state": run.state,
        "step": run.step,
        "steps": run.steps,
        "seconds": run.seconds,
        "metric": name,
        "value": value if isfinite(value) else None,
        "problem": run.problem or None,
    }


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path != folder else path.name or str(path)


def _short(paths: Sequence[Path]) -> list[str]:
    """The last parts of paths, as many as it takes to tell them apart."""
    for count in range(1, max(len(path.resolve().parts) for path in paths) + 1):
        names = ["/".join(path.resolve().parts[-count:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return list(map(str, paths))


def _without(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key not in SILENT}


def _cell(value: Any) -> str:
    return "-" if value is None or value == "-" else str(value)


def _marked(names: Sequence[str], values: Mapping[str, float], best: str | None) -> dict[str, str]:
    return {name: f"{values[name]:.3f}{' *' if name == best else ''}" if name in values else "-" for name in names}


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if isfinite(value) else None for name, value in values.items()}


def _print(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1, default=str))
