"""The parts of a report, from what was kept of runs and what was seen of their data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from rankhub_console.speech import human_seconds
from rankhub_report import charts, page
from rankhub_report.images import picture
from rankhub_report.kept import Kept
from rankhub_report.seen import Seen
from rankhub_report.worst import Bad, guesses, largest_errors
from rankhub_report.worst import number as as_number

MOST_CURVES = 120
"""Numbers of a journal that are drawn."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How much room images take; see :data:`DETAILS`."""

    side: int
    thumbs: bool
    words: str


DETAILS = (
    Detail(1100, True, ""),
    Detail(720, True, "Pictures are at most 720 pixels wide, so that the file stays small."),
    Detail(
        480, False, "Pictures are at most 480 pixels wide and the map has no thumbnails, so that the file stays small."
    ),
    Detail(0, False, "Pictures and thumbnails are left out, so that the file stays small."),
)
"""From all to least: what is tried, one after the other, until the file is below its limit."""


@dataclass
class RunPage:
    """A report on runs, looked at once and written with as much detail as there is room for."""

    runs: Sequence[Kept]
    seen: Sequence[Seen]
    _charts: dict[str, Any] = field(default_factory=dict)
    _names: dict[str, list[str]] = field(default_factory=dict)

    def html(self, detail: Detail) -> str:
        """The whole page."""
        self._charts, self._names = {}, {}
        curves, more = self._curves()
        wide = "wide" if len(self.runs) < 2 else ""
        built = {
            "what": ("What was run", page.cards([self._what(number) for number in range(len(self.runs))], wide)),
            "results": ("Results", self._results() + self._evaluated()),
            "curves": ("Curves", curves + more),
            "answers": ("Answers and labels", self._scatters()),
            "worst": ("The worst images", self._worst(detail)),
            "map": ("Map of the features", self._maps(detail)),
            "sheets": ("Sheets of the evaluation", self._sheets(detail, "evaluated")),
            "views": ("Views as the network saw them", self._sheets(detail, "pictures")),
            "recipes": ("Recipes as resolved", self._recipes()),
            "notes": ("Notes", self._notes(detail)),
        }
        links = "".join(f'<a href="#{key}">{page.tell(name)}</a>' for key, (name, inside) in built.items() if inside)
        title = ", ".join(run.name for run in self.runs)
        bar = f'<nav aria-label="Parts">{links}</nav><button id="theme">Dark</button>'
        top = f"<header><strong>rankhub</strong>{bar}</header>"
        parts = "\n".join(page.section(key, name, inside) for key, (name, inside) in built.items())
        heading = f"<h1>{page.tell(title if len(self.runs) < 4 else f'{len(self.runs)} runs')}</h1>"
        return page.document(
            f"{title}: report", f"{top}\n<main>\n{heading}\n{parts}\n</main>", self._charts, self._names
        )

    def _title(self, number: int) -> str:
        return (page.swatch(number) if len(self.runs) > 1 else "") + page.tell(self.runs[number].name)

    def _each(self) -> Iterator[tuple[int, Kept, Seen]]:
        for number, (run, seen) in enumerate(zip(self.runs, self.seen, strict=True)):
            yield number, run, seen

    def _chart(self, chart: Mapping[str, Any], kind: str, label: str) -> str:
        name = f"c{len(self._charts)}"
        self._charts[name] = chart
        return page.chart(name, kind, label)

    def _what(self, number: int) -> str:
        run = self.runs[number]
        plain, lock = run.plain, run.lock
        libraries = lock.get("libraries")
        versions = libraries.items() if isinstance(libraries, dict) else ()
        overrides = lock.get("overrides")
        known = {
            "recipe": plain.get("name"),
            "about": plain.get("description"),
            "state": _state(run),
            "time": "" if run.seconds is None else f"{human_seconds(run.seconds)}, by the times of its files",
            "changes": ", ".join(map(str, overrides)) if isinstance(overrides, list) else "",
            "data": ", ".join(_data(run)),
            "backbone": _named(plain.get("backbone")),
            "losses": ", ".join(name for name in run.curves if charts.rank(name) == 1),
            "seed": str(plain.get("seed", "")),
            "Python": f"{lock.get('python', '')} on {lock.get('platform', '')}" if lock.get("python") else "",
            "versions": ", ".join(f"{name} {version}" for name, version in versions),
            "folder": str(run.path),
        }
        return page.card(self._title(number), page.pairs(known))

    def _results(self) -> str:
        columns = charts.shown_metrics(self.runs)
        if not columns:
            return "<p>Nothing was evaluated.</p>"
        lines = ["<tr><th></th>" + "".join(f"<th>{page.tell(column)}</th>" for column in columns) + "</tr>"]
        for number, run, _ in self._each():
            if len(self.runs) > 1:
                lines.append(f'<tr class="run"><td colspan="{len(columns) + 1}">{self._title(number)}</td></tr>')
            rows: Sequence[Mapping[str, Any]] = run.closing
            if not rows:
                rows = [{"": name.replace("_", " "), **values} for name, values in run.rows.items() if values]
            for place, row in enumerate(rows):
                cells = "".join(f"<td>{_cell(row.get(column))}</td>" for column in columns)
                last = ' class="last"' if place == len(rows) - 1 else ""
                lines.append(f"<tr{last}><td>{page.tell(row.get('', ''))}</td>{cells}</tr>")
        table = f'<div class="card"><div class="scroll" tabindex="0"><table>{"".join(lines)}</table></div>'
        unclosed = [run for run in self.runs if not run.closing]
        said = "".join(f"<p class='quiet'>{page.tell(run.name)}: {page.tell(_unclosed(run))}</p>" for run in unclosed)
        return f"{table}{said}</div>"

    def _evaluated(self) -> str:
        found = charts.evaluations(self.runs)
        boxes = [page.card(page.tell(name), self._chart(one, "", f"{name} by step")) for name, one in found.items()]
        return f"<details><summary>Evaluation by step</summary>{page.cards(boxes)}</details>" if boxes else ""

    def _curves(self) -> tuple[str, str]:
        found = charts.curves(self.runs)
        names = list(found)[:MOST_CURVES]
        if not names:
            return "<p>The journal of training is empty.</p>", ""
        boxes = [page.card(page.tell(name), self._chart(found[name], "", f"{name} by step")) for name in names]
        first = sum(charts.rank(name) < 3 for name in names) or len(names)
        more = page.cards(boxes[first:])
        return page.cards(
            boxes[:first]
        ), f"<details><summary>More of the journal</summary>{more}</details>" if more else ""

    def _scatters(self) -> str:
        boxes = []
        for number, run, _ in self._each():
            for name, rows in guesses(run.tables).items():
                drawn = self._chart(charts.scatter(rows), "scatter", f"answers over labels, {name}")
                boxes.append(page.card(f"{self._title(number)}: {page.tell(name.replace('_', ' '))}", drawn))
        return page.cards(boxes)

    def _worst(self, detail: Detail) -> str:
        boxes = []
        for number, run, seen in self._each():
            found = worst_of(run) or seen.worst
            uris = seen.tiles if detail.side else {}
            if found:
                shown = page.tiles([(one.image, one.words, uris.get(one.image, "")) for one in found])
                boxes.append(page.card(self._title(number), shown))
        return page.cards(boxes, "wide" if len(boxes) < 2 else "")

    def _maps(self, detail: Detail) -> str:
        boxes = []
        for number, _, seen in self._each():
            drawn = charts.landscape(seen, detail.thumbs)
            if drawn is not None:
                place = self._chart(drawn, "map", "map of the features")
                self._names[f"c{len(self._charts) - 1}"] = [
                    f"{name} {group}".strip() for name, group in zip(seen.names, seen.groups, strict=True)
                ]
                boxes.append(page.card(self._title(number), f"{place}<p class='quiet'>{page.tell(seen.explained)}</p>"))
        return page.cards(boxes, "wide" if len(boxes) < 2 else "")

    def _sheets(self, detail: Detail, which: str) -> str:
        if not detail.side:
            return ""
        parts = []
        for number, run, _ in self._each():
            pictures: Mapping[str, Path] = getattr(run, which)
            drawn = bool(guesses(run.tables))  # a chart shows what the picture of a scatter would
            shown = [
                page.sheet(name, picture(path, detail.side))
                for name, path in pictures.items()
                if not (drawn and name.endswith("_scatter"))
            ]
            if shown:
                head = f"<h3>{self._title(number)}</h3>" if len(self.runs) > 1 else ""
                parts.append(head + page.cards(shown))
        return "".join(parts)

    def _recipes(self) -> str:
        return "".join(
            f"<details><summary>{page.tell(run.name)}</summary><div class='card'><pre tabindex='0'>"
            f"{page.tell(run.recipe)}</pre></div></details>"
            for run in self.runs
        )

    def _notes(self, detail: Detail) -> str:
        said = [f"{run.name}: {note}" for _, run, seen in self._each() for note in chain(run.notes, seen.notes)]
        said += [detail.words] if detail.words else []
        return f"<ul class='notes'>{''.join(f'<li>{page.tell(one)}</li>' for one in said)}</ul>" if said else ""


def worst_of(run: Kept) -> list[Bad]:
    """The images of the largest error of a run's first table with predictions; none without one."""
    return next((largest_errors(rows) for rows in guesses(run.tables).values()), [])


def _state(run: Kept) -> str:
    planned = _planned(run)
    of = f" of {planned:,}" if planned else ""
    if run.closing or (planned and run.last_step >= planned):
        return f"done, {run.last_step:,} steps"
    return f"stopped after step {run.last_step:,}{of}"


def _planned(run: Kept) -> int:
    """Steps by the recipe; 0 where they depend on the data."""
    phases = run.plain.get("phases")
    steps = [phase.get("steps") for phase in phases if isinstance(phase, dict)] if isinstance(phases, list) else []
    known = [one for one in steps if type(one) is int]
    return sum(known) if len(known) == len(steps) else 0


def _unclosed(run: Kept) -> str:
    return f"no closing table, since the run {_state(run)}; these rows are what it measured until then"


def _data(run: Kept) -> Iterator[str]:
    sets, facts = run.plain.get("data"), run.start.get("data")
    for name, options in sets.items() if isinstance(sets, dict) else ():
        known = facts.get(name) if isinstance(facts, dict) else None
        images = known.get("images") if isinstance(known, dict) else None
        root = options.get("root") if isinstance(options, dict) else None
        said = [_named(options), f"{images:,} images" if type(images) is int else "", f"in {root}" if root else ""]
        yield f"{name} ({', '.join(filter(None, said))})"


def _named(spec: Any) -> str:
    if not isinstance(spec, dict):
        return ""
    own = str(spec.get("use", "")).rpartition("/")[2]
    return f"{own} {spec['model']}" if isinstance(spec.get("model"), str) else own


def _cell(value: Any) -> str:
    if value is None or value == "":
        return ""
    known = value if isinstance(value, float) else as_number(str(value))
    return page.tell(value) if math.isnan(known) else f"{known:.3f}" if abs(known) < 1e5 else f"{known:.4g}"
