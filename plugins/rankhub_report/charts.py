"""Charts as plain data: what page.js hands to plotly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from rankhub_report.kept import Kept, step_of
from rankhub_report.seen import Seen
from rankhub_report.worst import Guess

MOST_POINTS = 1500
"""Points of a curve; of longer ones evenly spaced points are shown, the first and the last among them."""
MOST_MARKS = 5000
MOST_GROUPS = 20
"""Classes that have a colour of their own."""
MOST_ON_MAP = 60

Chart = dict[str, Any]


def said(text: str) -> str:
    """A text for plotly, which reads some HTML in names: here it is always shown as it is."""
    return escape(text, quote=False)


def curves(runs: Sequence[Kept]) -> dict[str, Chart]:
    """Name of a number of the journal -> its chart, one line a run; losses first, then the learning rate."""
    names = dict.fromkeys(name for run in runs for name in run.curves)
    order = sorted(names, key=lambda name: (rank(name), list(names).index(name)))
    return {name: _curve(name, runs) for name in order}


def rank(name: str) -> int:
    """0 the loss, 1 the losses of objectives, 2 the learning rate, 3 all others."""
    if name == "loss":
        return 0
    if name.count("/") == 1 and not name.endswith("/epoch"):
        return 1
    return 2 if name == "lr" or name.startswith("lr/") else 3


def _curve(name: str, runs: Sequence[Kept]) -> Chart:
    lines = []
    for number, run in enumerate(runs):
        steps, values = run.curves.get(name, ([], []))
        if steps:
            kept = spread(len(steps), MOST_POINTS)
            lines.append(
                {
                    "x": [steps[place] for place in kept],
                    "y": [values[place] for place in kept],
                    "name": said(run.name),
                    "run": number,
                    "mode": "lines" if len(kept) > 1 else "markers",
                }
            )
    return {"kind": "lines", "x": "step", "y": "", "lines": lines}


def spread(number: int, most: int) -> list[int]:
    """Positions of at most ``most`` of ``number``, evenly spaced from the first to the last."""
    if number <= most:
        return list(range(number))
    return sorted({round(place * (number - 1) / (most - 1)) for place in range(most)})


def evaluations(runs: Sequence[Kept]) -> dict[str, Chart]:
    """Metric -> its chart by step, for metrics that were measured at two steps or more; references are dotted lines."""
    charts: dict[str, Chart] = {}
    for metric in shown_metrics(runs):
        lines = []
        for number, run in enumerate(runs):
            points = {}
            for row, values in run.rows.items():
                if metric in values and row != "raw_pixels":
                    place = step_of(row)
                    points[run.last_step if math.isinf(place) else int(place)] = values[metric]
            if len(points) > 1:
                line = {"x": list(points), "y": list(points.values()), "name": said(run.name), "run": number}
                lines.append({**line, "mode": "lines+markers"})
            pixels = run.rows.get("raw_pixels", {}).get(metric)
            if len(points) > 1 and pixels is not None:
                ends = [min(points), max(points)]
                named = f"{said(run.name)}: raw pixels"
                lines.append(
                    {"x": ends, "y": [pixels] * 2, "name": named, "run": number, "dash": "dot", "mode": "lines"}
                )
        if lines:
            charts[metric] = {"kind": "lines", "x": "step", "y": "", "lines": lines}
    return charts


def shown_metrics(runs: Sequence[Kept]) -> list[str]:
    """Metrics of the closing tables; of runs without one all that were measured."""
    names: dict[str, None] = {}
    for run in runs:
        own = [name for row in run.closing for name in row if name] or [m for row in run.rows.values() for m in row]
        names |= dict.fromkeys(own)
    return list(names)


def scatter(rows: Sequence[Guess]) -> Chart:
    """Answers over labels, one colour a group, with the line on which they agree."""
    kept = [rows[place] for place in spread(len(rows), MOST_MARKS)]
    groups = list(dict.fromkeys(row.group for row in kept))
    if len(groups) > MOST_GROUPS:
        groups = [""]
    sets = []
    for number, group in enumerate(groups):
        own = [row for row in kept if len(groups) == 1 or row.group == group]
        sets.append(
            {
                "x": [row.true for row in own],
                "y": [row.predicted for row in own],
                "text": [said(row.image) for row in own],
                "name": said(group) if len(groups) > 1 else "",
                "run": number,
                "mode": "markers",
            }
        )
    every = [value for row in kept for value in (row.true, row.predicted)]
    low, high = min(every), max(every)
    agreed = {"x": [low, high], "y": [low, high], "name": "equal", "run": -1, "dash": "dot", "mode": "lines"}
    return {"kind": "scatter", "x": "label", "y": "answer", "lines": [agreed, *sets]}


def landscape(seen: Seen, thumbs: bool) -> Chart | None:
    """The map of features: a point an image, coloured by class or by label; None without one."""
    if seen.points is None:
        return None
    places = [[round(float(value), 5) for value in point] for point in seen.points]
    groups = list(dict.fromkeys(seen.groups))
    split = 1 < len(groups) <= MOST_GROUPS
    sets: list[Mapping[str, Any]] = []
    for number, group in enumerate(sorted(groups) if split else [""]):
        own = [place for place in range(len(places)) if not split or seen.groups[place] == group]
        values = None if seen.values is None else [_finite(seen.values[place]) for place in own]
        sets.append(
            {
                "x": [places[place][0] for place in own],
                "y": [places[place][1] for place in own],
                "text": [said(" · ".join(filter(None, [seen.names[place], seen.groups[place]]))) for place in own],
                "at": own,
                "name": said(group),
                "run": number,
                "mode": "markers",
                **({} if values is None else {"value": values}),
            }
        )
    chart: Chart = {"kind": "map", "x": "", "y": "", "lines": sets}
    if thumbs:
        chart |= {"thumbs": seen.thumbs, "shown": apart(places)}
    return chart


def apart(places: Sequence[Sequence[float]]) -> list[tuple[float, float, int]]:
    """(x, y, position) of images whose pictures can stand on the map without covering one another."""
    xs, ys = [place[0] for place in places], [place[1] for place in places]
    width, height = (max(xs) - min(xs)) or 1.0, (max(ys) - min(ys)) or 1.0
    kept: list[tuple[float, float, int]] = []
    for number, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if all(abs(x - a) > width / 12 or abs(y - b) > height / 9 for a, b, _ in kept):
            kept.append((x, y, number))
        if len(kept) == MOST_ON_MAP:
            break
    return kept


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
