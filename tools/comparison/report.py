"""Writes table, figure and list of trials from the runs that are there."""

from __future__ import annotations

from collections.abc import Sequence

from comparison import figure, table
from comparison.jobs import Comparison, Job
from comparison.results import Final, is_done, metrics, read_final, read_record, views_per_second
from comparison.trials import shown


def write_report(comparison: Comparison, names: Sequence[str]) -> str:
    """Write ``trials.csv``, and once a final run is there ``table.csv``, ``table.md`` and ``figure.png``.

    Returns:
        The table as markdown; empty if there is no final run.
    """
    plan, out = comparison.plan, comparison.out
    finals: dict[str, list[Final]] = {}
    rates: dict[str, list[float]] = {}
    settings: dict[str, str] = {}
    trials = []

    def score(job: Job) -> float | None:
        return metrics(job.folder).get(plan.choose) if is_done(job) else None

    for name in names:
        setting = comparison.chosen(name, score)
        if setting is None:
            continue
        settings[name] = shown(setting)
        for job, tried in zip(comparison.trials(name), comparison.settings(name), strict=True):
            line = {"method": plan.methods[name].title, "trial": job.number, "setting": job.setting}
            line |= {f"{plan.choose}, held-out training images": score(job), "chosen": tried == setting}
            trials.append(line | {"seconds": read_record(job)["seconds"] if is_done(job) else None})
        finals[name] = [read_final(job, plan.choose) for job in comparison.finals(name, setting) if is_done(job)]
        turns = [views_per_second(job.folder) for job in comparison.speeds(name, setting) if is_done(job)]
        rates[name] = [rate for rate in turns if rate is not None]
    if trials:
        table.write_lines(out / "trials.csv", trials)
    if not any(finals.values()):
        return ""
    rows = table.rows(plan, finals, rates, settings)
    table.write_csv(out / "table.csv", plan, rows)
    text = table.markdown(plan, rows)
    (out / "table.md").write_text(text)
    by_title = {row.title: row.rate.mean for row in rows if row.rate is not None}
    speeds = {name: by_title.get(plan.methods[name].title) for name in finals}
    figure.draw(out / "figure.png", plan, finals, speeds)
    return text
