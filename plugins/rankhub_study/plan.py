"""A plan: which recipes are compared, along which axes, at what equal cost, and what its table shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import rankhub
from rankhub import Document

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Values = dict[str, Any]
"""Dotted path in a recipe -> value, as an overlay has it."""


class PlanModel(BaseModel):
    """Base of a plan's parts: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Dimension(PlanModel):
    """Values that a recipe takes in turn.

    Attributes:
        path: Where the value goes, or several such paths; None = the dimension's own name.
        values: The values. A mapping names each; without ``path`` each is then a mapping of several overrides.
        low: Of a range in place of values, for trials that are drawn.
        high: Of a range.
        log: Whether the range is drawn on a logarithmic scale.
        role: Of an axis. ``seed``: repetitions, over which the table has mean and deviation. ``fold``: averaged, or
            pooled, within each seed. ``value``: lines of the table. None = what its name says, else ``value``.
    """

    path: str | Annotated[list[str], Field(min_length=1)] | None = None
    values: Annotated[list[Any], Field(min_length=1)] | Annotated[dict[str, Any], Field(min_length=1)] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    role: Literal["seed", "fold", "value"] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Dimension:
        if (self.values is None) == (self.low is None or self.high is None):
            raise ValueError("give `values`, or a range from `low` to `high`")
        if self.low is not None and self.high is not None and not (0 if self.log else -1e300) < self.low < self.high:
            raise ValueError("`low` is below `high`, and above 0 with `log`")
        if isinstance(self.values, dict) and self.path is None:
            wrong = [name for name, value in self.values.items() if not isinstance(value, dict)]
            if wrong:
                raise ValueError(f"without `path`, {wrong[0]} must be a mapping from paths in a recipe to values")
        return self


Dimensions = dict[str, Annotated[list[Any], Field(min_length=1)] | Dimension]


class Budget(PlanModel):
    """What training may cost, the same for every method; that of a run which a job starts from is part of it.

    Attributes:
        steps: Optimizer steps.
        forwards: Views that pass the network.
        seconds: Of training, at the speed that a short run of each method shows.
    """

    steps: Positive | None = None
    forwards: Positive | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Budget:
        if sum(value is not None for value in (self.steps, self.forwards, self.seconds)) != 1:
            raise ValueError("a budget is one of `steps`, `forwards` or `seconds`")
        return self


class Start(PlanModel):
    """Another method whose weights a job begins with, from its job at the same values of the axes."""

    method: str
    parts: Annotated[list[str], Field(min_length=1)] | None = None
    average: bool = False


class Method(PlanModel):
    """One recipe with what is changed in it: a line of the table.

    Attributes:
        recipe: Name of a recipe that comes along, or a file relative to the plan's.
        title: In table and figure.
        overlays: Applied to the recipe first.
        sets: Names of the plan's sets of overrides.
        overrides: What this method alone changes.
        axes: The axes that it depends on; None = all. At other axes its one job stands for all values.
        start_from: The method whose weights it begins with.
        budget: Of its own, without that of what it starts from.
        search: What its trials vary beside, or in place of, what all trials do.
        rounds: Whether it labels in rounds, where the plan does.
    """

    recipe: str
    title: str = ""
    overlays: list[str] = []
    sets: list[str] = []
    overrides: Values = {}
    axes: list[str] | None = None
    start_from: str | Start | None = None
    budget: Budget | None = None
    search: Dimensions | None = None
    rounds: bool = True

    @property
    def start(self) -> Start | None:
        """What it starts from, written out."""
        return Start(method=self.start_from) if isinstance(self.start_from, str) else self.start_from


class HoldOut(PlanModel):
    """Trials are judged on a part of training data, on which they then do not train.

    Attributes:
        data: The data set that a part is taken from.
        test: The data set in whose place the part is judged on.
        share: Of the references where they are known, else of the images; at least one.
        seed: Draws the part.
    """

    data: str
    test: str = "test"
    share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: Annotated[int, Field(ge=0)] = 0


class Trials(PlanModel):
    """How settings are chosen: as many trials for each method that has something to search.

    Attributes:
        number: Trials of a method; the first has its own setting, unchanged.
        choose: EVALUATOR.METRIC that chooses; its direction is the evaluator's.
        search: What the trials of all methods vary, jointly with a method's own.
        draw: ``random``: as evenly over each dimension as can be; ``grid``: in the order of the product.
        seed: Draws the settings.
        budget: Share of a final job's budget.
        nested: Axes at each of whose values settings are chosen anew.
        at: Axis -> its value in trials, or several over which the metric is averaged; else the axis's first.
        overrides: What only trials change, such as their data.
        hold_out: Data that are held out of training for them.
    """

    number: Positive
    choose: str
    search: Dimensions = {}
    draw: Literal["random", "grid"] = "random"
    seed: int = 0
    budget: Share = 1.0
    nested: list[str] = []
    at: dict[str, Any] = {}
    overrides: Values = {}
    hold_out: HoldOut | None = None


class Patches(PlanModel):
    """Squares of images as the pool, in place of whole images.

    Attributes:
        side: In pixels.
        number: Of each image, drawn at random without overlap.
    """

    side: Positive
    number: Positive


class Rounds(PlanModel):
    """Jobs label in rounds: each chooses, is given the true labels, and trains.

    Attributes:
        labels: How many there are after each round; those of the first are drawn at random, the same for all methods.
        patches: None = the pool is of whole images.
        scratch: Whether each round begins anew, in place of with the weights of the round before.
        later: What the rounds after the first change.
    """

    labels: Annotated[list[Positive], Field(min_length=2)]
    patches: Patches | None = None
    scratch: bool = True
    later: Values = {}

    @model_validator(mode="after")
    def _rising(self) -> Rounds:
        if sorted(set(self.labels)) != self.labels:
            raise ValueError("`labels` must rise from round to round")
        return self

    def first(self) -> dict[str, Any]:
        """The fields on which the first round depends, so that methods with equal ones share it."""
        return {"labels": self.labels[0], "patches": None if self.patches is None else self.patches.model_dump()}


class Metric(PlanModel):
    """A column of the table.

    Attributes:
        metric: EVALUATOR.METRIC; by default the column's own name.
        title: Its head, likewise.
        folds: ``mean`` of the folds, or measured once on the ``pooled`` predictions of all of them.
        percent: Whether fractions are shown in hundredths.
        digits: After the point.
        difference: Whether the difference to the baseline stands beside it.
    """

    metric: str = ""
    title: str = ""
    folds: Literal["mean", "pooled"] = "mean"
    percent: bool = False
    digits: Annotated[int, Field(ge=0, le=6)] | None = None
    difference: bool = True


class Figure(PlanModel):
    """The axes and metrics of the figure.

    Attributes:
        x: An axis, or ``training``; None = training where a job is measured more than once, else the first axis of
            numbers, else the methods.
        metrics: Names of columns; None = the first two.
        log: Which of its axes are logarithmic.
    """

    x: str | None = None
    metrics: list[str] | None = None
    log: list[Literal["x", "y"]] = []


class Plan(PlanModel):
    """A whole plan.

    Attributes:
        title: Of table and figure.
        description: One line for the list of plans.
        note: Said under the table.
        layout: What must lie where, as data are given on the command line; said where some are missing.
        overlays: For all methods.
        overrides: For all methods.
        sets: Name -> overrides that methods name.
        axes: Name -> values.
        methods: Name -> recipe and changes, in the order of the table.
        budget: None = as long as each recipe says.
        trials: None = no setting is chosen.
        evaluate_at: Shares of the training after which it is also measured.
        rounds: None = jobs train once.
        metrics: Columns of the table.
        baseline: The method that the others are compared with.
        references: Rows of the baseline's reports that the table begins with.
        figure: What is drawn.
        skip: Combinations that are left out: axis -> value or values, and ``method`` -> names.
    """

    title: str = ""
    description: str = ""
    note: str = ""
    layout: str = ""
    overlays: list[str] = []
    overrides: Values = {}
    sets: dict[str, Values] = {}
    axes: Dimensions = {}
    methods: Annotated[dict[str, Method], Field(min_length=1)]
    budget: Budget | None = None
    trials: Trials | None = None
    evaluate_at: list[Annotated[float, Field(gt=0, lt=1)]] = []
    rounds: Rounds | None = None
    metrics: Annotated[dict[str, str | Metric], Field(min_length=1)]
    baseline: str | None = None
    references: list[Literal["raw pixels", "before training"]] = []
    figure: Figure = Figure()
    skip: list[dict[str, Any]] = []

    def column(self, name: str) -> Metric:
        """A column, written out."""
        found = self.metrics[name]
        metric = Metric(title=found) if isinstance(found, str) else found
        given = {"metric": metric.metric or name, "title": metric.title or name}
        return metric.model_copy(update=given)

    def called(self, name: str) -> str:
        """A method's title, or else its name."""
        return self.methods[name].title or name

    def axis(self, name: str) -> Dimension:
        """An axis, written out."""
        return written_out(name, self.axes[name])

    def role(self, name: str) -> str:
        """What an axis is for."""
        return self.axis(name).role or (name if name in ("seed", "fold") else "value")


def written_out(name: str, found: list[Any] | Dimension) -> Dimension:
    """A dimension in full: with its path, where its values are not overrides themselves."""
    one = Dimension(values=found) if isinstance(found, list) else found
    if one.path is None and not isinstance(one.values, dict):
        return one.model_copy(update={"path": name})
    return one


def read_plan(file: Path) -> tuple[Plan, Document]:
    """A plan, and the data of its file with their lines, for later sentences and for changes of recipes.

    Raises:
        RecipeErrors: All that does not fit.
        UserError: The file cannot be read.
    """
    source = rankhub.read_file(file)
    document = rankhub.read_yaml(source.text, source.file, f"a mapping with the keys {', '.join(Plan.model_fields)}")
    try:
        return Plan.model_validate_json(json.dumps(document.data)), document
    except ValidationError as error:
        found = rankhub.complaints(error, Plan, document.data)
    raise rankhub.RecipeErrors([document.problem(one.steps, one.text) for one in found])
