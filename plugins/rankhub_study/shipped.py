"""Plans that come along: ``studies/NAME/plan.yaml`` beside the recipes that a plugin brings."""

from __future__ import annotations

from pathlib import Path

import rankhub
from rankhub import UserError, suggestion

PLAN = "plan.yaml"


def shipped_plans() -> dict[str, Path]:
    """Name -> file of the plans that plugins bring; ``PLUGIN/NAME`` where two bring one of a name."""
    every = [
        (owner, file)
        for owner, folders in rankhub.recipe_folders().items()
        for folder in folders
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
