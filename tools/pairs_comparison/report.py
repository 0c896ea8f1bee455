"""The table, the CSV file and the figure of a comparison of pairs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from pairs_comparison.methods import TITLES
from pairs_comparison.race import Point
from rankhub_active.labeling import export

Results = Mapping[str, Mapping[int, Sequence[Point]]]
"""Method -> seed -> points in the order of the marks."""

STYLES = dict(zip(TITLES, (("#D55E00", "o"), ("#0072B2", "s"), ("#009E73", "D")), strict=True))
"""Method -> colour and marker."""

MEASURES = {"loss": "test ranking loss", "accuracy": "test ranking accuracy (%)"}


def write_csv(path: Path, results: Results) -> None:
    """One line a method, seed and mark."""
    known = (point.score.loss_by_kind for each in results.values() for points in each.values() for point in points)
    kinds = list(next(known, {}))
    head = ["method", "seed", "mark", "seconds", "views", "steps", "loss", "accuracy"]
    head += [f"{measure} {kind}" for measure in MEASURES for kind in kinds]
    table = []
    for method, seeds in results.items():
        for seed, point in ((seed, point) for seed, points in seeds.items() for point in points):
            score, line = point.score, [method, seed, point.mark, point.seconds, point.views, point.steps]
            line += [score.loss, score.accuracy, *score.loss_by_kind.values(), *score.accuracy_by_kind.values()]
            table.append(line)
    export.write_csv(path, head, table)


def value(point: Point, measure: str) -> float:
    """The loss, or the accuracy in per cent."""
    return point.score.loss if measure == "loss" else 100 * point.score.accuracy


def spread(points: Sequence[Point], measure: str) -> tuple[float, float]:
    """Mean and standard deviation over seeds; 0 for one seed."""
    values = [value(point, measure) for point in points]
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def at_marks(seeds: Mapping[int, Sequence[Point]]) -> list[list[Point]]:
    """The points of all seeds, mark by mark."""
    return [list(points) for points in zip(*seeds.values(), strict=True)]


def reaches(points: Sequence[Point], loss: float) -> float | None:
    """Seconds after which the loss is first as low, between two marks by a straight line; None if it never is."""
    before: Point | None = None
    for point in points:
        if point.score.loss <= loss:
            if before is None:
                return point.seconds
            share = (before.score.loss - loss) / (before.score.loss - point.score.loss)
            return before.seconds + share * (point.seconds - before.seconds)
        before = point
    return None


def table(results: Results) -> Table:
    """The methods at the last mark, and how soon each has the loss that random pairs have then."""
    found = Table(title="At the last mark: mean ± standard deviation over seeds")
    columns = (
        "seeds",
        "seconds",
        "views",
        "views/s",
        "steps",
        "loss",
        "accuracy %",
        "seconds to the end\nof random pairs",
    )
    for column in ("method", *columns):
        found.add_column(column, justify="left" if column == "method" else "right", no_wrap=True)
    for method, seeds in results.items():
        last = at_marks(seeds)[-1]
        common = [seed for seed in seeds if seed in results.get("random_pairs", {})]
        times = [reaches(seeds[seed], results["random_pairs"][seed][-1].score.loss) for seed in common]
        reached = [time for time in times if time is not None]
        said = f"{statistics.fmean(reached):.1f}" if reached else "-"
        if len(reached) < len(times):
            said += f" ({len(reached)} of {len(times)})"
        loss, accuracy = spread(last, "loss"), spread(last, "accuracy")
        views = statistics.fmean(point.views for point in last)
        seconds = statistics.fmean(point.seconds for point in last)
        found.add_row(
            method.replace("_", " "),
            str(len(seeds)),
            f"{seconds:.1f}",
            f"{views:,.0f}",
            f"{views / seconds:,.0f}",
            f"{statistics.fmean(point.steps for point in last):,.0f}",
            f"{loss[0]:.4f} ± {loss[1]:.4f}" if len(last) > 1 else f"{loss[0]:.4f}",
            f"{accuracy[0]:.2f} ± {accuracy[1]:.2f}" if len(last) > 1 else f"{accuracy[0]:.2f}",
            said,
        )
    return found


def draw(path: Path, results: Results, note: str) -> None:
    """Draw loss and accuracy against seconds and against views: mean and one standard deviation over seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    figure, panels = pyplot.subplots(2, 2, figsize=(11, 7.6), sharex="col", sharey="row", layout="constrained")
    for row, measure in zip(panels, MEASURES, strict=True):
        for method in (method for method in TITLES if method in results):
            colour, marker = STYLES[method]
            marks = at_marks(results[method])
            means, deviations = zip(*(spread(points, measure) for points in marks), strict=True)
            positions = (
                [statistics.fmean(point.seconds for point in points) for points in marks],
                [statistics.fmean(point.views for point in points) for points in marks],
            )
            seeds = len(results[method])
            label = f"{TITLES[method]}, {seeds} seed{'s' if seeds > 1 else ''}"
            for panel, at in zip(row, positions, strict=True):
                panel.plot(at, means, color=colour, marker=marker, ms=4, lw=1.6, label=label)
                low, high = ([m + sign * d for m, d in zip(means, deviations, strict=True)] for sign in (-1, 1))
                if seeds > 1:
                    panel.fill_between(at, low, high, color=colour, alpha=0.18, lw=0)
        row[0].set_ylabel(MEASURES[measure])
        for panel in row:
            panel.grid(color="#E5E5E5", linewidth=0.6)
            panel.spines[["top", "right"]].set_visible(False)
            panel.set_xlim(left=0)
    panels[0][0].set_ylim(bottom=0)
    panels[1][0].set_xlabel("seconds of training")
    panels[1][1].set_xlabel("passes of the network, those without a gradient too")
    panels[1][1].xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
    panels[0][0].legend(frameon=False, fontsize=9)
    figure.supxlabel(note, fontsize=8, color="#555555")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
