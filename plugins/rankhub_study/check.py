"""Checks a plan before any job: all that is wrong with it, at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rankhub import Change, Document, RecipeErrors, UserError, suggestion
from rankhub_study.choice import Jobs
from rankhub_study.evaluators import evaluators, tested_data
from rankhub_study.jobs import finals
from rankhub_study.plan import Plan
from rankhub_study.points import changes_at, labels, overrides, points
from rankhub_study.results import POOLED

KeyPath = tuple[str | int, ...]


_ABSENT = r"there is no|there is nothing|`folders` names|.* is not (at|in) "
"""How data sets begin to say that their files are not there."""


def check(jobs: Jobs, *, need_data: bool = True) -> None:
    """Check names in the plan, and each method's recipe with each value of its axes, its trials and its settings.

    Raises:
        RecipeErrors: All that is wrong.
    """
    document = jobs.recipes.document
    problems = [document.problem(steps, text) for steps, text in _names(jobs.plan)]
    if not problems:
        problems = _recipes(jobs, need_data)
    if jobs.plan.layout and any(re.match(_ABSENT, problem.text) for problem in problems):
        problems.append(document.problem(("layout",), jobs.plan.layout))
    if problems:
        raise RecipeErrors(problems, document.file)


def _names(plan: Plan) -> Iterable[tuple[KeyPath, str]]:
    """What is named in the plan and not there."""
    methods, axes = list(plan.methods), list(plan.axes)

    def wrong(steps: KeyPath, what: str, name: str, known: Sequence[str]) -> Iterable[tuple[KeyPath, str]]:
        if name not in known:
            yield steps, f"no {what} is called {name!r}{suggestion(name, known)}"

    for name, method in plan.methods.items():
        at: KeyPath = ("methods", name)
        for number, one in enumerate(method.sets):
            yield from wrong((*at, "sets", number), "set", one, list(plan.sets))
        for number, one in enumerate(method.axes or ()):
            yield from wrong((*at, "axes", number), "axis", one, axes)
        if method.start is not None:
            yield from wrong((*at, "start_from"), "method", method.start.method, methods)
            if name in _started(plan, name):
                yield (*at, "start_from"), "it would start from itself"
        if method.search and plan.trials is None:
            yield (*at, "search"), "nothing says how it is searched; give the plan `trials`"
    if plan.baseline is not None:
        yield from wrong(("baseline",), "method", plan.baseline, methods)
    elif plan.references:
        yield ("references",), "they are of the baseline's reports; name a `baseline`"
    if plan.rounds is not None and (plan.trials is not None or plan.evaluate_at):
        yield ("rounds",), "a plan with rounds has neither `trials` nor `evaluate_at`"
    if plan.trials is not None:
        for number, one in enumerate(plan.trials.nested):
            yield from wrong(("trials", "nested", number), "axis", one, axes)
        for one in plan.trials.at:
            yield from wrong(("trials", "at", one), "axis", one, axes)
    for number, rule in enumerate(plan.skip):
        for key in rule:
            yield from wrong(("skip", number, key), "axis", key, [*axes, "method"])
    for axis, found in plan.axes.items():
        if plan.axis(axis).values is None:
            yield ("axes", axis), "an axis has `values`; a range is for trials that are drawn"
        elif len(set(map(str, labels(plan.axis(axis))))) < len(labels(plan.axis(axis))):
            yield ("axes", axis), f"a value stands in it twice: {found}"
    for name in plan.metrics:
        column = plan.column(name)
        kind = column.metric.partition(".")[2]
        if column.folds == "pooled" and kind not in POOLED:
            yield ("metrics", name), f"{kind} cannot be pooled over folds{suggestion(kind, list(POOLED))}"
    if plan.figure.x is not None:
        yield from wrong(("figure", "x"), "axis", plan.figure.x, [*axes, "training"])
    for number, name in enumerate(plan.figure.metrics or ()):
        yield from wrong(("figure", "metrics", number), "column", name, list(plan.metrics))


def _started(plan: Plan, name: str) -> list[str]:
    """What a method starts from, and what that does."""
    found: list[str] = []
    while (start := plan.methods[name].start) is not None and start.method in plan.methods:
        if start.method in found:
            break
        found.append(start.method)
        name = start.method
    return found


class _Found:
    """Problems of methods' recipes, each once, with the methods that have it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.methods: dict[Any, list[str]] = {}

    @contextmanager
    def collecting(self, method: str) -> Iterator[None]:
        """Note what is raised inside."""
        try:
            yield
        except RecipeErrors as errors:
            for problem in errors.problems:
                self.methods.setdefault(problem, []).append(method)
        except UserError as error:
            problem = self.document.problem(("methods", method, "recipe"), str(error))
            self.methods.setdefault(problem, []).append(method)

    def problems(self, count: int) -> list[Any]:
        """Each says whose recipes have it, where it is not those of all ``count`` methods."""
        listed = []
        for problem, names in self.methods.items():
            different = list(dict.fromkeys(names))
            whose = f" (method{'s' if len(different) > 1 else ''} {', '.join(different)})"
            listed.append(problem if len(different) == count else replace(problem, text=f"{problem.text}{whose}"))
        return listed


def _recipes(jobs: Jobs, need_data: bool) -> list[Any]:
    """What is wrong with the recipes of methods, with what the plan changes in them."""
    plan, document = jobs.plan, jobs.recipes.document
    found, known = _Found(document), dict[str, Any]()
    for name in plan.methods:
        with found.collecting(name):
            jobs.recipes.shipped(name)
            for changes in _in_turn(jobs, name):
                with found.collecting(name):
                    known |= evaluators(jobs.recipes.load(name, changes, need_data=need_data))
    wrong = {name for names in found.methods.values() for name in names}
    for name in plan.methods:
        if not wrong.intersection([name, *_started(plan, name)]):
            with found.collecting(name):
                _make_jobs(jobs, name)
    problems = found.problems(len(plan.methods))
    if not problems:
        strangers = jobs.recipes.strangers()
        problems += [document.problem((), f"{one}: no method's recipe has this data set") for one in strangers]
        for steps, metric in _metrics(plan):
            label, _, name = metric.partition(".")
            if label not in known or not name:
                said = f"{metric} is no EVALUATOR.METRIC of the recipes{suggestion(label, list(known))}"
                problems.append(document.problem(steps, said))
    return problems


def _metrics(plan: Plan) -> Iterable[tuple[KeyPath, str]]:
    yield from ((("metrics", name), plan.column(name).metric) for name in plan.metrics)
    if plan.trials is not None:
        yield ("trials", "choose"), plan.trials.choose


def _in_turn(jobs: Jobs, name: str) -> Iterable[list[Change]]:
    """Changes at so many of a method's points that each value of each axis occurs; of seeds, once for all methods."""
    first, seen = next(iter(jobs.plan.methods)), set[Any]()
    for number, point in enumerate(points(jobs.plan, name)):
        telling = {pair for pair in point if name == first or jobs.plan.role(pair[0]) != "seed"}
        if not number or not seen.issuperset(telling):
            seen.update(point)
            yield changes_at(jobs.plan, jobs.recipes.document, point)


def _make_jobs(jobs: Jobs, name: str) -> None:
    """Make a method's settings and jobs, as far as they can be said, and see on what its trials are judged."""
    if len(jobs.settings(name)) > 1 and jobs.plan.trials is not None:
        known, choose = evaluators(jobs.recipes.load(name)), jobs.plan.trials.choose
        if choose.partition(".")[0] not in known:
            raise UserError(
                f"its recipe does not measure {choose}, by which settings are chosen; it has {', '.join(known)} (or "
                "`search: {}`, which chooses nothing)"
            )
    for job in [job for job in jobs.trials(name) if job.number == 0]:
        loaded = jobs.recipes.load(name, job.changes)
        tested = tested_data(jobs.recipes.load(name, changes_at(jobs.plan, jobs.recipes.document, job.point)))
        for data in sorted(loaded.recipe.used_data):
            same = [test for test, spec in tested.items() if spec == loaded.resolved()["data"][data]]
            if same:
                raise UserError(
                    f"its trials would use data.{data}, which is what final jobs are tested on (data.{same[0]}); say "
                    "what is held out of training for them: `trials.hold_out`, or `trials.overrides`"
                )
    if jobs.plan.rounds is not None and jobs.plan.methods[name].rounds:
        jobs.recipes.load(name, overrides(jobs.recipes.document, ("rounds", "later"), jobs.plan.rounds.later))
    for each, point in finals(jobs.plan):
        if each == name:
            jobs.final(name, point)
