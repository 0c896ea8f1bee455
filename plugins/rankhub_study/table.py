"""The table of a study: mean, deviation and number of seeds, and the seed-paired difference with its interval."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rankhub import Talk
from rankhub_study.plan import Metric
from rankhub_study.points import Point
from rankhub_study.results import Moment, Results, interval

MINUS = "\N{MINUS SIGN}"


def markdown(results: Results) -> str:
    """The whole page: the table, what rounds have saved, and what the numbers mean."""
    plan = results.plan
    if not results.finals:
        return "No final job is there yet.\n"
    columns = {name: Column(results, name) for name in plan.metrics}
    parts = [f"# {plan.title}"] if plan.title else []
    parts.append("\n".join(_table(results, columns)))
    if plan.rounds is not None and plan.baseline is not None:
        parts += ["\n".join(_saved(results, column)) for column in columns.values() if column.differs]
    return "\n\n".join([*parts, *_notes(results)]) + "\n"


class Column:
    """A column, with its difference to the baseline where it has one."""

    def __init__(self, results: Results, name: str) -> None:
        self.results, self.name = results, name
        self.metric: Metric = results.plan.column(name)
        self.differs = results.plan.baseline is not None and self.metric.difference
        self.digits = self.metric.digits
        if self.digits is None:
            known = [
                self.values(method, cell, results.moments[-1])
                for method in results.plan.methods
                for cell in results.cells
            ]
            largest = max((abs(value) for values in known for value in values.values()), default=0.0)
            self.digits = 1 if self.metric.percent or largest >= 10 else 3

    def heads(self) -> list[str]:
        """Its head, and that of the difference."""
        title = self.metric.title
        return [f"{title} (%)" if self.metric.percent else title, *([f"Δ {title}"] if self.differs else [])]

    def values(self, method: str, cell: Point, moment: Moment) -> dict[Point, float]:
        """Seed -> value."""
        return self.results.by_seed(method, self.name, cell, moment)

    def cells(self, method: str, cell: Point, moment: Moment) -> list[str]:
        """A method's cells."""
        found = [self.figure(self.values(method, cell, moment).values())]
        if self.differs:
            found.append(self.difference(self.results.differences(method, self.name, cell, moment).values()))
        return found

    def number(self, value: float, sign: str = "") -> str:
        """With the column's digits."""
        return f"{value * (100 if self.metric.percent else 1):{sign}.{self.digits}f}".replace("-", MINUS)

    def figure(self, given: Iterable[float]) -> str:
        """``0.931 ± 0.004``; the deviation of the sample, where there is more than one value."""
        values = list(given)
        spread = f" ± {self.number(statistics.stdev(values))}" if len(values) > 1 else ""
        return f"{self.number(statistics.fmean(values))}{spread}" if values else ""

    def difference(self, given: Iterable[float]) -> str:
        """``+0.012 [+0.003, +0.020]``: the mean and its interval, where there is more than one value."""
        values = list(given)
        found = interval(values)
        bounds = "" if found is None else f" [{self.number(found[0], '+')}, {self.number(found[1], '+')}]"
        return f"{self.number(statistics.fmean(values), '+')}{bounds}" if values else ""


def _table(results: Results, columns: Mapping[str, Column]) -> Iterator[str]:
    plan, moments = results.plan, results.moments
    axes = [name for name, _ in results.cells[0]]
    axes += ["labels" if plan.rounds is not None else "training"] if len(moments) > 1 else []
    heads = [head for column in columns.values() for head in column.heads()]
    yield _line([*axes, "method", "seeds", *heads, "seconds", "forwards"])
    yield _line(["---"] * (len(axes) + 1) + ["---:"] * (len(heads) + 3))
    for row in plan.references:
        mine = [one for (method, _), one in results.finals.items() if method == plan.baseline]
        rows = [one.record["rows"][row] for one in mine if row in one.record["rows"]]
        cells: list[str] = []
        for column in columns.values():
            values = [found[column.metric.metric] for found in rows if column.metric.metric in found]
            cells += [column.figure(values), *([""] if column.differs else [])]
        yield _line([*[""] * len(axes), {"before training": "untrained"}.get(row, row), "", *cells, "", ""])
    for cell in results.cells:
        for moment in moments:
            for method in plan.methods:
                count = max(len(column.values(method, cell, moment)) for column in columns.values())
                entries = [results.finals.get((method, point)) for point in results.points(method, cell)]
                there = [entry for entry in entries if entry is not None]
                if not count or not there:
                    continue
                when = [f"{moment:g}" if plan.rounds is not None else f"{moment:.0%}"] if len(moments) > 1 else []
                timed = [entry.seconds for entry in there if entry.seconds is not None]
                forwards = round(statistics.fmean(entry.forwards for entry in there))
                found = [text for column in columns.values() for text in column.cells(method, cell, moment)]
                cost = [f"{statistics.fmean(timed):,.0f}" if timed else "", f"{forwards:,}" if forwards else ""]
                yield _line([*(str(label) for _, label in cell), *when, plan.called(method), str(count), *found, *cost])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _saved(results: Results, column: Column) -> Iterator[str]:
    """What choosing saves: better than the baseline over the rounds, and the labels that reach its end."""
    plan, sign, moments, base = results.plan, results.sign(column.name), results.moments, str(results.plan.baseline)
    heads = [
        f"{column.metric.title}: better than {base}, mean of the later rounds",
        "seeds better",
        "labels to reach its end",
    ]
    yield _line(["method", *heads])
    yield _line(["---", "---:", "---:", "---:"])
    for cell in results.cells:
        ends = column.values(base, cell, moments[-1]).values()
        for method, one in plan.methods.items():
            curves = {moment: column.values(method, cell, moment) for moment in moments}
            if not ends or not one.rounds or not all(curves.values()):
                continue
            gains = [results.differences(method, column.name, cell, moment) for moment in moments[1:]]
            seeds = [seed for seed in gains[-1] if all(seed in gain for gain in gains)]
            each = [sign * statistics.fmean(gain[seed] for gain in gains) for seed in seeds]
            means = {moment: sign * statistics.fmean(values.values()) for moment, values in curves.items()}
            needed = next(
                (f"{moment:g}" for moment in moments if means[moment] >= sign * statistics.fmean(ends)), "more"
            )
            label = ", ".join([plan.called(method), *(f"{name} {value}" for name, value in cell)])
            better = f"{sum(value > 0 for value in each)} of {len(each)}" if each else ""
            yield _line([label, column.difference(each), better, needed])


def _notes(results: Results) -> list[str]:
    """What the table means."""
    plan = results.plan
    planned = {(name, point) for name in plan.methods for point in results.points(name, ())}
    said = ["Mean ± standard deviation over seeds."]
    if plan.baseline is not None:
        said.append(
            f"Δ: difference to {plan.called(plan.baseline)}, seed by seed; in brackets the 95 % interval of its mean "
            "by 10,000 bootstrap draws of the seeds."
        )
    if folds := [name for name in plan.axes if plan.role(name) == "fold"]:
        said.append(f"Within a seed, metrics are over all values of {', '.join(folds)}.")
    if plan.budget is not None:
        ((unit, amount),) = plan.budget.model_dump(exclude_none=True).items()
        said.append(f"Equal for all: {amount:,} {unit}{' a round' if plan.rounds is not None else ''}.")
    ways = [f"{plan.column(name).title} {'higher' if results.sign(name) > 0 else 'lower'}" for name in plan.metrics]
    said.append(f"Better is: {', '.join(ways)}.")
    said.append("Seconds (of training alone) and forwards are with those of the run that a job begins with.")
    said.append(f"{len(planned & results.finals.keys())} of {len(planned)} jobs are there.")
    notes = [" ".join(said)]
    if plan.trials is not None:
        share = f", {plan.trials.budget:.0%} of the length each" if plan.trials.budget < 1 else ""
        notes.append(
            f"Settings by {plan.trials.number} trials a method{share}, by {plan.trials.choose} on data held out of "
            f"training: {'; '.join(_chosen(results))}."
        )
    return [*notes, *([plan.note.strip()] if plan.note else [])]


def _chosen(results: Results) -> Iterator[str]:
    """Method: what its trials chose, and how often where that differs."""
    searched = {one.told["method"] for one in results.entries if one.told["searched"]}
    for method in results.plan.methods:
        found = [entry.told["setting"] or "as it is" for (name, _), entry in results.finals.items() if name == method]
        if method in searched and found:
            counts = {each: found.count(each) for each in found}
            words = [f"{each} ({count} jobs)" if len(counts) > 1 else each for each, count in counts.items()]
            yield f"{results.plan.called(method)}: {', '.join(words)}"


def show(text: str, talk: Talk) -> None:
    """Print a page; a table for which there is no room is laid out as those of runs are."""
    lines = text.splitlines()
    while lines:
        table = list(itertools.takewhile(lambda line: line.startswith("| "), lines))
        if not table:
            talk.line(lines.pop(0))
            continue
        del lines[: len(table)]
        if max(map(len, table)) <= talk.width:
            talk.line("\n".join(table))
            continue
        heads, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in table)
        name = heads.index("method") + 1  # what comes before says which method, where
        titled = [(" ".join(filter(None, row[:name])), *row[name:]) for row in rows]
        talk.table([dict(zip(["", *heads[name:]], row, strict=True)) for row in titled])
