"""The list of everything that a plan changes in the recipes that it compares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rankhub_study.choice import Jobs
from rankhub_study.points import labels, search_dimensions

_SILENT = ("loader", "threads", "name", "description", "next_steps")
"""What the program sets for itself, and what changes no result."""

Line = tuple[str, str, str]
"""Dotted path, the recipe's value, the plan's."""


def changed(jobs: Jobs) -> str:
    """As markdown: what is the same in all methods, then each method, then axes, budgets and trials."""
    plan = jobs.plan
    found = {}
    for name in plan.methods:
        before, after = jobs.recipes.shipped(name).resolved(), jobs.recipes.load(name).resolved()
        found[name] = [line for line in different(before, after) if line[0].partition(".")[0] not in _SILENT]
    counts = Counter(line for lines in found.values() for line in lines)
    shared = [line for line, count in counts.items() if count == len(found) > 1]
    parts = [f"# What {plan.title or 'this plan'} changes in the recipes"]
    parts += ["## All methods", _table(shared)] if shared else []
    for name, lines in found.items():
        method = plan.methods[name]
        parts.append(f"## {method.title or name}: {method.recipe}")
        parts += [f"Begins with the weights of {method.start.method}."] if method.start is not None else []
        own = [line for line in lines if line not in shared]
        parts.append(_table(own) if own else "Nothing" + (" beside that." if shared else "."))
    return "\n\n".join([*parts, "## Axes, budgets, trials", "\n".join(_rest(jobs)) or "None."]) + "\n"


def _rest(jobs: Jobs) -> Iterator[str]:
    plan = jobs.plan
    for name in plan.axes:
        dimension = plan.axis(name)
        values = ", ".join(map(str, labels(dimension)))
        if dimension.path is None and isinstance(dimension.values, dict):
            values = "; ".join(f"{label} sets {_shown(value)}" for label, value in dimension.values.items())
        yield f"- axis {name}: {values}{_at(dimension.path)}"
    budgets = {"budget": plan.budget, **{f"budget of {name}": one.budget for name, one in plan.methods.items()}}
    for name, budget in budgets.items():
        if budget is not None:
            yield f"- {name}: {_shown(budget.model_dump(exclude_none=True))}"
    if plan.rounds is not None:
        yield f"- rounds: {_shown(plan.rounds.model_dump(exclude_none=True))}"
    if plan.trials is not None:
        yield f"- trials: {_shown(plan.trials.model_dump(exclude_defaults=True, exclude={'search'}))}"
    for method in plan.methods:
        for name, (_, one) in search_dimensions(plan, method).items():
            values = ", ".join(map(str, labels(one))) or f"{one.low} to {one.high}"
            yield f"- searched for {method}: {values}{_at(one.path or name)}"


def _at(path: str | list[str] | None) -> str:
    return "" if path is None else f", at {path if isinstance(path, str) else ' and '.join(path)}"


def _table(lines: list[Line]) -> str:
    return "\n".join(["| entry | recipe | plan |", "|---|---|---|", *(f"| {' | '.join(line)} |" for line in lines)])


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("|", "\\|")


def different(before: Any, after: Any, path: str = "") -> Iterator[Line]:
    """Where two resolved recipes differ: paths as overrides have them, a component that is another one as a whole."""
    one, other = _entries(before), _entries(after)
    if before == after:
        return
    if one is None or other is None or one.get("use") != other.get("use"):
        yield path, "" if before is None else _shown(before), "" if after is None else _shown(after)
        return
    for key in dict.fromkeys([*one, *other]):
        yield from different(one.get(key), other.get(key), f"{path}.{key}" if path else key)


def _entries(value: Any) -> dict[str, Any] | None:
    """The entries of a mapping, or of a list of components by their labels; None of anything else."""
    if isinstance(value, dict):
        return {key: inner.rpartition("/")[2] if key == "use" else inner for key, inner in value.items()}
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        return None
    seen: Counter[str] = Counter()
    found = {}
    for number, one in enumerate(value):
        name = str(one.get("use") or one.get("name") or number).rpartition("/")[2]
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name}_{seen[name]}"] = one
    return found
