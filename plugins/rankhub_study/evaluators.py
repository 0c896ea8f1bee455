"""The evaluators of a recipe, for the direction of their metrics and the data that they judge on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

import rankhub
from rankhub import LoadedRecipe
from rankhub.interfaces.evaluate import Evaluator
from rankhub.interfaces.kinds import KINDS
from rankhub.interfaces.options import Refers


def evaluators(loaded: LoadedRecipe) -> dict[str, Evaluator]:
    """Label in the run's report (``knn``, ``knn_2``) -> evaluator."""
    found: dict[str, Evaluator] = {}
    seen: Counter[str] = Counter()
    for spec in loaded.resolved()["evaluate"]:
        name = str(spec["use"]).rpartition("/")[2]
        seen[name] += 1
        options = {key: value for key, value in spec.items() if key not in KINDS["evaluator"].reserved}
        label = name if seen[name] == 1 else f"{name}_{seen[name]}"
        found[label] = rankhub.build("evaluator", options, catalog=loaded.catalog)
    return found


def sign_of(known: Mapping[str, Evaluator], metric: str) -> float:
    """1 where the higher value of ``EVALUATOR.METRIC`` is the better, else -1; 1 for an evaluator that is not there."""
    label, _, name = metric.partition(".")
    return known[label].sign(name) if label in known else 1.0


def tested_data(loaded: LoadedRecipe) -> dict[str, Any]:
    """The data sets that evaluators judge on, as the recipe has them; not those that they only learn or search in."""
    recipe, found = loaded.resolved(), {}
    for spec, evaluator in zip(recipe["evaluate"], evaluators(loaded).values(), strict=True):
        for option, hint in get_type_hints(type(evaluator).__init__, include_extras=True).items():
            named = any(isinstance(mark, Refers) and mark.to == "data" for mark in _marks(hint))
            if named and option not in ("train", "gallery") and spec.get(option) in recipe["data"]:
                found[str(spec[option])] = recipe["data"][spec[option]]
    return found


def _marks(hint: Any) -> list[Any]:
    own = list(getattr(hint, "__metadata__", ()))
    return own + [mark for inner in get_args(hint) for mark in _marks(inner)]
