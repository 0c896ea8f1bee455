"""The plan of a comparison: a YAML file that names the methods, what all of them share, and what is searched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Positive = Annotated[int, Field(ge=1)]
Overrides = dict[str, Any]
"""Dotted path of a recipe -> value, as in ``rankhub run RECIPE path=value``."""


class PlanError(Exception):
    """The plan cannot be used; its text is for the user."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dimension(_Part):
    """One thing that trials vary.

    Attributes:
        path: The place in the recipe.
        choices: Values for it, whole mappings too; the first is the published or default one.
    """

    path: str
    choices: Annotated[list[Any], Field(min_length=1)]


class Crops(_Part):
    """Further views of another size (multi-crop)."""

    views: Positive
    size: Positive
    scale: tuple[float, float]


class Method(_Part):
    """One row of the table.

    Attributes:
        title: Its name in table and figure.
        recipe: A recipe that comes with rankhub, or a file (relative to the plan).
        images: Images a step.
        views: Views of each image, of the common size.
        crops: Further views of other sizes.
        seeds: Seeds of its final runs.
        tier: Methods of a lower tier are run first.
        overrides: What only this method sets, before the search's choices.
        search: Name -> what the trials vary.
    """

    title: str
    recipe: str
    images: Positive
    views: Positive
    crops: list[Crops] = []
    seeds: Annotated[list[int], Field(min_length=1)]
    tier: int = 0
    overrides: Overrides = {}
    search: dict[str, Dimension] = {}

    @property
    def views_of_image(self) -> int:
        """Encoder forwards for each image of a step."""
        return self.views + sum(one.views for one in self.crops)

    @property
    def forwards_of_step(self) -> int:
        """Encoder forwards of a step; passes of a teacher come on top."""
        return self.images * self.views_of_image

    def pixels_of_view(self, size: int) -> float:
        """Mean pixels of a view."""
        total = self.views * size**2 + sum(one.views * one.size**2 for one in self.crops)
        return total / self.views_of_image


class Plan(_Part):
    """A whole comparison.

    Attributes:
        forwards: Encoder forwards of a final run.
        trial_forwards: Of a trial.
        speed_forwards: Of a run that measures views/s.
        trials: Trials of each method; the first has the first choice everywhere.
        speed_rounds: Turns in which all methods measure their speed; 0 = take it from the final runs.
        evaluate_every: Views of each image between two evaluations of a final run.
        search_seed: Draws the trials.
        trial_seed: Seed of every trial.
        warmup: Share of the steps in which the learning rate rises.
        choose: Metric (as in a run's results.csv) that chooses among trials; higher is better.
        metrics: Metric -> title in the table; those with ``percent`` in hundredths.
        percent: Metrics shown as percentages.
        compared: Metrics whose seed-paired difference to the reference is shown.
        reference: The method that the others are compared with.
        note: Said under the table.
        generator: Options of the generator of all views, without ``views`` and ``crops``.
        stream: Path of the stream in the recipes.
        overrides: What all methods share.
        trial: What only trials set; they must not see the test set.
        final: What only final runs set.
        methods: By name, in the order of the table.
    """

    forwards: Positive
    trial_forwards: Positive
    speed_forwards: Positive = 15_360
    trials: Positive
    speed_rounds: Annotated[int, Field(ge=0)] = 2
    evaluate_every: Positive
    search_seed: int = 0
    trial_seed: int = 1000
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    choose: str
    metrics: Annotated[dict[str, str], Field(min_length=1)]
    percent: list[str] = []
    compared: list[str] = []
    reference: str
    note: str = ""
    generator: dict[str, Any]
    stream: str = "streams.views"
    overrides: Overrides = {}
    trial: Overrides = {}
    final: Overrides = {}
    methods: Annotated[dict[str, Method], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Plan:
        if self.reference not in self.methods:
            raise ValueError(f"reference {self.reference!r} is none of the methods: {', '.join(self.methods)}")
        for name, method in self.methods.items():
            for what in ("forwards", "trial_forwards", "speed_forwards"):
                total = getattr(self, what)
                if total % method.forwards_of_step:
                    raise ValueError(
                        f"{what} {total} is no multiple of the {method.forwards_of_step} forwards of a step of {name}: "
                        "not all methods could have the same number"
                    )
            if self.evaluate_every % method.views_of_image:
                raise ValueError(
                    f"evaluate_every {self.evaluate_every} is no multiple of {name}'s {method.views_of_image} views"
                )
            possible = 1
            for dimension in method.search.values():
                possible *= len(dimension.choices)
            if possible < self.trials:
                raise ValueError(
                    f"{name} has {possible} different settings to try, and every method gets {self.trials} trials; "
                    "widen its search"
                )
        unknown = [name for name in (*self.percent, *self.compared) if name not in self.metrics]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is none of the metrics: {', '.join(self.metrics)}")
        return self

    @property
    def size(self) -> int:
        """Side of the views in pixels."""
        return int(self.generator["size"])


def load_plan(path: Path, root: Path) -> Plan:
    """Read a plan; ``{root}`` in its values becomes ``root``, the data set's folder.

    Raises:
        PlanError: The file cannot be read, or is no plan.
    """
    try:
        data = yaml.safe_load(path.read_text())
        plan = Plan.model_validate(_filled(data, str(root.absolute())))
    except (OSError, yaml.YAMLError) as error:
        raise PlanError(f"{path}: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc'])) or 'plan'}: {each['msg']}" for each in error.errors()]
        raise PlanError(f"{path} is no plan of a comparison:\n  " + "\n  ".join(lines)) from error
    for name, method in plan.methods.items():
        if method.recipe.endswith((".yaml", ".yml")) and not (path.parent / method.recipe).is_file():
            raise PlanError(f"{path}: recipe of {name}: there is no file {path.parent / method.recipe}")
    return plan


def _filled(data: Any, root: str) -> Any:
    if isinstance(data, dict):
        return {key: _filled(value, root) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(value, root) for value in data]
    return data.replace("{root}", root) if isinstance(data, str) else data
