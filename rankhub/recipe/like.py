"""``{like: OTHER, option: value}``: a data set that differs from another in a few options."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from rankhub.catalog.complaints import show
from rankhub.catalog.nearest import suggestion
from rankhub.recipe.reader import Document
from rankhub.recipe.report import Problem


def expand_like(document: Document) -> list[Problem]:
    """Give each data set that says ``like: OTHER`` the ``use`` and the options of OTHER that it does not state.

    Changes ``document`` in place. What was inherited is remembered, so that what is wrong with it is reported
    once and where it is written.

    Returns:
        The entries whose ``like`` cannot be followed; they keep it.
    """
    data = document.data.get("data")
    if not isinstance(data, dict):
        return []
    problems = []
    given = {name: entry for name, entry in data.items() if isinstance(entry, dict) and "like" in entry}
    for name, entry in given.items():
        steps = ("data", name, "like")
        other = entry["like"]
        objection = _objection(name, entry, data, given)
        if objection:
            problems.append(document.problem(steps, objection))
            continue
        own = {key: value for key, value in entry.items() if key != "like"}
        data[name] = {**copy.deepcopy(data[other]), **own}
        document.inherited.update({("data", name, key): ("data", other, key) for key in data[other] if key not in own})
    return problems


def _objection(name: str, entry: Mapping[str, Any], data: Mapping[str, Any], given: Mapping[str, Any]) -> str | None:
    other = entry["like"]
    if "use" in entry:
        return "`use` and `like` stand together; an entry takes `use` from the one it is like"
    if not isinstance(other, str):
        return f"got {show(other)}; expected the name of another entry under `data:`"
    names = [
        known for known, value in data.items() if known not in given and isinstance(value, dict) and "use" in value
    ]
    if other == name:
        return f"{name!r} is like itself{suggestion('', names)}"
    if other not in data:
        return f"no data set is called {other!r}{suggestion(other, names)}"
    if other in given:
        return f"{other!r} is itself like another; name an entry that has `use`{suggestion('', names)}"
    if not isinstance(data[other], dict) or "use" not in data[other]:
        return f"{other!r} has no `use` that could be taken over"
    return None
