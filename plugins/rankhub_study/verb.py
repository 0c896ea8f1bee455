"""``rankhub study``: do the jobs of a plan, and write what they come to."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

import rankhub
from rankhub import Talk, UserError, suggestion
from rankhub.interfaces.errors import exit_code
from rankhub.interfaces.files import write_text
from rankhub_console.speech import talking
from rankhub_lock import locked
from rankhub_study.changed import changed
from rankhub_study.check import check
from rankhub_study.choice import Jobs
from rankhub_study.figure import draw
from rankhub_study.jobs import Job
from rankhub_study.plan import Plan, read_plan
from rankhub_study.points import narrowed
from rankhub_study.queue import JobQueue
from rankhub_study.recipes import Recipes
from rankhub_study.records import read_record
from rankhub_study.results import AFTER, Results, write_manifest, write_results
from rankhub_study.table import markdown, show
from rankhub_study.worker import JobTask

PLAN = "plan.yaml"


def shipped_plans() -> dict[str, Path]:
    """Name -> file of the plans that plugins bring; ``PLUGIN/NAME`` where two bring one of a name."""
    every = [
        (plugin.owner, file)
        for plugin in rankhub.Catalog.discover().plugins
        for folder in plugin.recipe_folders
        for file in sorted(folder.glob(f"studies/*/{PLAN}"))
    ]
    names = [file.parent.name for _, file in every]
    return {
        name if names.count(name) == 1 else f"{owner}/{name}": file
        for name, (owner, file) in sorted(zip(names, every, strict=True))
    }


def find_plan(plan: str) -> Path:
    """The file at a path, or the plan of that name that comes along.

    Raises:
        UserError: There is neither.
    """
    path = Path(plan).expanduser()
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        if path.is_dir() and (path / PLAN).is_file():
            return path / PLAN
        if path.is_file():
            return path
        if plan not in shipped_plans():
            raise UserError(f"there is no plan at {path.absolute()}")
    known = shipped_plans()
    if plan not in known:
        raise UserError(f"no plan that comes along is called {plan!r}{suggestion(plan, list(known))}")
    return known[plan]


INCOMPLETE = 1
"""Exit code: some jobs have failed."""


def study(
    plan: Annotated[str | None, typer.Argument(help="A plan's file, or the name of one that comes along.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes to all recipes, such as data.labeled.root=FOLDER.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The study's folder, instead of runs/studies/PLAN.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Jobs at a time; default: the number of cores.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each job.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the jobs and the time they take, and stop.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Only some values of an axis, or methods: seed=0, method=NAME.")
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="Write table and figure of what is there, and stop.")] = False,
) -> None:
    """Compare recipes by a plan: every method at equal cost, over seeds and other axes, with a table and a figure.

    Started again, it goes on: jobs that are there are not repeated, one that was interrupted is resumed.

    Example: rankhub study cells data.labeled.root=CELLS --out OUT
    """
    talk = talking()
    if plan is None:
        return talk.pairs({name: read_plan(file)[0].description for name, file in shipped_plans().items()})
    file = find_plan(plan)
    read, document = read_plan(file)
    read = narrowed(read, only or ())
    folder = (out or Path("runs", "studies", file.parent.name if file.name == PLAN else file.stem)).absolute()
    if table:
        return _report(read, folder, talk)
    own = [f"loader.cache={folder / 'cache'}", "loader.memory_limit_gb=1.0e-6", f"threads={threads}"]
    every = Jobs(Recipes(read, document, tuple(overrides or ()), own), folder)
    check(every)
    width = jobs or os.cpu_count() or 1
    if dry_run:
        return _dry_run(every, width, talk)
    with locked(folder / "study.lock", sentence=f"another `rankhub study` is at work in {folder}; let it end"):
        write_text(folder / PLAN, file.read_text("utf-8-sig"))
        write_text(folder / "overrides.md", changed(every))
        stopped = _work(every, width, threads, talk)
        _report(read, folder, talk)
    if stopped:
        talk.line("Stopped; the same command goes on.")
        raise typer.Exit(exit_code(stopped))
    if every.lost or every.waiting():
        talk.line(f"{len(every.lost)} jobs have failed; the same command tries them again.")
        raise typer.Exit(INCOMPLETE)


def _work(every: Jobs, width: int, threads: int, talk: Talk) -> str:
    """Do the jobs; returns the signal that stopped it, or an empty text."""
    begun, said = time.monotonic(), every.said()
    there, total = sum(job.done for job in said), len(said) + len(every.waiting())
    talk.line(f"{total} jobs, {there} of them are there; {width} at a time in {every.out}")
    first = every.plan.column(next(iter(every.plan.metrics)))

    def ended(job: Job, failed: str | None, left: float) -> None:
        talk.finish()
        record = read_record(job.folder)
        if record is None:
            return talk.note(f"{job.title} failed, the others go on: {failed}")
        write_manifest(every)
        rows = record["rows"]
        value = rows.get(AFTER, rows[list(rows)[-1]] if rows else {}).get(first.metric)
        found = f"{first.title} {value:.3f}, " if isinstance(value, float) else ""
        clock = f"{(time.monotonic() - begun) / 60:.0f} min, about {left / 60:.0f} min left"
        talk.line(f"{job.title}: {found}{record['seconds']:.0f} s  [{clock}]  {job.described}".rstrip())

    def progress(over: int, total: int) -> None:
        if talk.live:
            talk.work(over, total, "jobs")

    write_manifest(every)
    try:
        queue = JobQueue(every, lambda job: task_of(every, job), width, threads, ended, progress)
        queue.work()
        return queue.stopped
    finally:
        talk.finish()
        write_manifest(every)


def task_of(every: Jobs, job: Job) -> JobTask:
    """The arguments for the process of a job."""
    recipes, plan, rounds = every.recipes, every.plan, job.kind in ("first", "rounds")
    changes = [*recipes.changes(job.method), *job.changes, *recipes.own]
    at = plan.evaluate_at if job.kind == "final" else []
    return JobTask(
        folder=job.folder,
        recipe=recipes.source(job.method),
        overlays=recipes.overlays(job.method),
        overrides=[*map(str, changes), *(["evaluate.*.during_training=true"] if at else [])],
        evaluate_at=at,
        rounds=plan.rounds if rounds else None,
        first=job.start.folder if job.kind == "rounds" and job.start is not None else None,
        pools=every.out / "pools",
    )


def _report(plan: Plan, folder: Path, talk: Talk) -> None:
    """Write table, figure and results of what is there."""
    results = Results.read(plan, folder)
    write_results(results, folder)
    text = markdown(results)
    write_text(folder / "table.md", text)
    draw(results, folder / "figure.png")
    show(text, talk)
    talk.line(f"{folder}: table.md, figure.png, results.csv, overrides.md")


def _dry_run(every: Jobs, width: int, talk: Talk) -> None:
    """Say what would be done, and how long the trainings take, each kind by a trial step."""
    seconds: dict[tuple[str, str, int], float] = {}
    total, later = 0.0, Counter(every.waiting())
    for job in every.said():
        key = (job.method, job.kind, job.steps)
        if key not in seconds:
            loaded = every.recipes.load(job.method, [*job.changes, "start_from=null"])
            try:
                seconds[key] = rankhub.estimate(loaded, progress=Talk()).seconds
            except UserError as error:
                raise UserError(f"{job.title}: {error}") from error
            if every.plan.rounds is not None and job.kind == "rounds":
                seconds[key] *= len(every.plan.rounds.labels) - 1
        total += 0.0 if job.done else seconds[key]
        cost = f"{job.steps:,} steps, {job.forwards:,} forwards, {seconds[key]:.0f} s" if job.steps else "epochs"
        talk.line(f"{'done' if job.done else 'to do':6}{job.title}: {cost}  {job.described}".rstrip())
    share = every.plan.trials.budget if every.plan.trials is not None else 1.0
    for name, count in later.items():
        own = [value for (method, _, _), value in seconds.items() if method == name]
        total += count * statistics.fmean(own or seconds.values()) / share
        talk.line(f"later {name}: {count} jobs, once settings are chosen")
    expected = f"{total / width / 60:.0f} min of training with {width} at a time, evaluation on top"
    talk.line(f"{len(every.said()) + sum(later.values())} jobs; about {expected}")
    talk.line("Dry run: nothing was trained or written.")
