"""The shape of a recipe, and what it says of its streams, data and parameters.

What a component's own options may be stands in that component's constructor.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from itertools import chain
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from rankhub.catalog.discovery import TOP
from rankhub.catalog.hints import Reads
from rankhub.catalog.spec import ComponentSpec, Uses
from rankhub.interfaces.kinds import KINDS, Kind
from rankhub.interfaces.options import Refers

Name = Annotated[
    str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$"), Reads("a name of letters, digits and _ that starts with a letter")
]
Pattern = Annotated[str, Reads("a pattern of parameter names such as backbone.*")]

FolderName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"), Reads("a name of letters, digits and _ . -")
]


class RecipeModel(BaseModel):
    """Base of the recipe's own parts: an unknown key is an error, and so is a number written as text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, ser_json_inf_nan="constants")


class EvaluatorSpec(ComponentSpec):
    """An evaluator; with ``optional: true`` it is left out where its data have no labels."""

    optional: bool = Field(default=False, description="leave out, with a line that says so, where labels are missing")
    during_training: bool = Field(default=True, description="also run every `evaluate_every_epochs`")


Number = Annotated[float | Annotated[ComponentSpec, Uses("schedule")], Field(description="a number or a schedule")]


class ObjectiveSpec(ComponentSpec):
    """One loss on one head: the loss with its own options, and beside them what the recipe says of it."""

    head: Annotated[str, Refers("head")]
    output: str | None = Field(default=None, description="one output of the head, where the loss could take several")
    weight: Number = 1.0


SPECS: Mapping[str, type[ComponentSpec]] = MappingProxyType({"evaluator": EvaluatorSpec, "loss": ObjectiveSpec})
"""Kinds at whose addresses stand keys of the recipe's own beside the component's options."""


class Stream(RecipeModel):
    """Images, what becomes of them, and what is learned from them."""

    data: Annotated[str, Refers("data")]
    batch_size: Annotated[int, Field(ge=1, description="images (not views) a step")]
    block: Annotated[int, Field(ge=1, description="neighbours that the shuffle keeps together")] = 1
    generator: list[Annotated[ComponentSpec, Uses("generator")]] = []
    objectives: Annotated[list[Annotated[ObjectiveSpec, Uses("loss")]], Field(min_length=1)]
    accumulate: Annotated[int, Field(ge=1, description="micro-batches a step")] = 1
    statistics: bool = Field(default=True, description="whether BatchNorm's running statistics learn from its views")
    draws: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="how many times its views are drawn: those of epoch e are those of e modulo draws"
    )


class StreamUse(RecipeModel):
    """What is different about a stream in one phase."""

    weight: Number = Field(default=1.0, description="factor on the weights of its objectives, a number or a schedule")
    batch_size: Annotated[int, Field(ge=1)] | None = None
    accumulate: Annotated[int, Field(ge=1)] | None = None
    statistics: bool | None = None


class Alternate(RecipeModel):
    """The streams take turns."""

    alternate: Annotated[int, Field(ge=1, description="steps before the next stream takes over")]


class Phase(RecipeModel):
    """A stretch of training: the streams that it learns from, for how long, and how."""

    name: Name
    epochs: Annotated[int, Field(ge=1)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    clock: Annotated[str, Refers("stream")] | None = Field(default=None, description="stream whose epochs are counted")
    mix: Literal["joint"] | Alternate = "joint"
    streams: Annotated[
        dict[Name, StreamUse],
        Field(min_length=1, description="in the order of their turns"),
        Reads("a list of streams, or a mapping from streams to what differs there"),
    ]
    optimizer: Annotated[ComponentSpec, Uses("optimizer")] | None = None
    schedule: Annotated[ComponentSpec, Uses("schedule")] | None = None
    optimizer_state: Literal["keep", "renew"] = "renew"
    freeze: list[Pattern] = Field(default=[], description="name patterns of parameters that do not train")
    reset: list[Pattern] = Field(default=[], description="name patterns of modules that start afresh")
    lr_scale: dict[Pattern, Annotated[float, Field(ge=0)]] = Field(
        default={}, description="name pattern -> factor on the learning rate"
    )


LENGTHS = ("epochs", "steps")
"""How a phase may say its length; one of them."""


class Average(RecipeModel):
    """One moving average of the weights."""

    decay: Number
    use_for: Annotated[list[Literal["teacher", "evaluate"]], Field(min_length=1)] = ["evaluate"]


class StartFrom(RecipeModel):
    """Weights that another run has trained, to begin with. Averages, optimizers and counters start afresh."""

    run: Annotated[str, Field(description="the folder of that run, or one checkpoint in it; its newest one by default")]
    parts: Annotated[list[Pattern], Field(min_length=1, description="name patterns of what is taken over")] = [
        "backbone",
        "heads",
    ]
    average: Annotated[bool, Field(description="take the moving average of that run's weights")] = False


class CheckpointSpec(RecipeModel):
    """When checkpoints are written. The last step of a run always writes one."""

    every_epochs: Annotated[int, Field(ge=1)] | None = 1
    every_steps: Annotated[int, Field(ge=1)] | None = None
    keep: Annotated[int, Field(ge=1, description="newest checkpoints that stay")] = 2


class Log(RecipeModel):
    """How often things are written. Losses are written of every step."""

    every_steps: Annotated[int, Field(ge=1, description="steps between diagnostics and printed lines")] = 20
    pictures_every_epochs: Annotated[int, Field(ge=1)] | None = Field(default=None, description="pictures of views")
    read_every_steps: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="steps between readings of losses from the device; default: 1 on the CPU, else 20"
    )


class Loader(RecipeModel):
    """How images reach the device."""

    workers: Annotated[int, Field(ge=0, description="processes for worker steps; 0 = in the training process")] = 0
    start: Literal["fork", "spawn"] = Field(default="fork", description="of the processes; data are copied to spawned")
    memory_limit_gb: Annotated[float, Field(gt=0, description="decoded images held in memory")] = 8.0
    cache: str | None = Field(default=None, description="folder of decoded images; default: the user's cache folder")


class Recipe(RecipeModel):
    """A whole recipe."""

    name: FolderName | None = Field(default=None, description="name of the run's folder; default: the file's name")
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$"), Reads("auto, cpu, cuda or cuda:NUMBER")] = "auto"
    threads: Annotated[int, Field(ge=1)] | None = Field(default=None, description="CPU threads; default: torch's")
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = False
    strict: bool = Field(default=False, description="hold every component to its contract in every step, which is slow")
    clip_grad: Annotated[float, Field(gt=0)] | None = Field(default=None, description="largest norm of the gradient")
    data: Annotated[dict[Name, Annotated[ComponentSpec, Uses("dataset")]], Field(min_length=1)]
    backbone: Annotated[ComponentSpec, Uses("backbone")]
    heads: dict[Name, Annotated[ComponentSpec, Uses("head")]]
    optimizer: Annotated[ComponentSpec, Uses("optimizer")]
    schedule: Annotated[ComponentSpec, Uses("schedule")] | None = None
    average: Average | None = None
    start_from: StartFrom | None = None
    streams: Annotated[dict[Name, Stream], Field(min_length=1)]
    phases: Annotated[list[Phase], Field(min_length=1)]
    predict: Annotated[ComponentSpec, Uses("predict")]
    evaluate: list[Annotated[EvaluatorSpec, Uses("evaluator")]] = []
    evaluate_every_epochs: Annotated[int, Field(ge=1)] | None = None
    keep_best: str | None = Field(default=None, description="EVALUATOR or EVALUATOR.METRIC whose best weights are kept")
    callbacks: list[Annotated[ComponentSpec, Uses("callback")]] = []
    next_steps: list[str] = Field(default=[], description="what to try next, printed at the end of a run")
    checkpoint: CheckpointSpec = CheckpointSpec()
    log: Log = Log()
    loader: Loader = Loader()

    @property
    def trained_streams(self) -> list[str]:
        """The streams that phases use, in the order in which they first do."""
        return list(dict.fromkeys(name for phase in self.phases for name in phase.streams))

    @property
    def used_data(self) -> set[str]:
        """The data sets that a stream of a phase or an evaluator names.

        Others, such as a shared block's or those of a stream that no phase uses, need not be there.
        """
        options = chain.from_iterable(spec.options.values() for spec in [*self.evaluate, *self.callbacks])
        named = {value for value in options if isinstance(value, str)}
        return {self.streams[name].data for name in self.trained_streams} | (named & set(self.data))


def shape_of(kinds: Mapping[str, Kind]) -> type[Recipe]:
    """A recipe with a key for every kind whose place at the top is none of its own; absent, it is None."""
    return _shape(tuple(kinds.values()))


@cache
def _shape(kinds: tuple[Kind, ...]) -> type[Recipe]:
    own, fields = {*Recipe.model_fields, *Phase.model_fields, "extends"}, dict[str, Any]()
    for kind in kinds:
        place = TOP.fullmatch(kind.address)
        if place is None or kind.name in KINDS:
            continue
        if place[1] in own | fields.keys():
            text = f"recipes have a key {place[1]!r} already, so none can name a component of the kind {kind.name!r}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
            continue
        one = Annotated[ComponentSpec, Uses(kind.name)]
        shape = {"[]": list[one], ".*": dict[Name, one]}.get(place[2], one)
        fields[place[1]] = (shape | None, Field(default=None, description=kind.summary))
    return create_model("Recipe", __base__=Recipe, __module__=__name__, **fields) if fields else Recipe


def stream_in(recipe: Recipe, phase: Phase, name: str) -> Stream:
    """A stream with what is different about it in a phase."""
    use = phase.streams[name].model_dump(exclude={"weight"}, exclude_none=True)
    return recipe.streams[name].model_copy(update=use)


def size_path(recipe: Recipe, number: int, name: str) -> str:
    """The path by which an override sets the batch size of a stream in a phase."""
    phase = recipe.phases[number]
    return f"{f'phases.{phase.name}.' if phase.streams[name].batch_size else ''}streams.{name}.batch_size"


def phase_streams(recipe: Recipe) -> Iterator[tuple[int, str, Stream]]:
    """Every stream of every phase, in the order of their turns: number of the phase, name, the stream there."""
    for number, phase in enumerate(recipe.phases):
        for name in phase.streams:
            yield number, name, stream_in(recipe, phase, name)


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """The names of parameters that a recipe's pattern means: a shell pattern, or a whole part such as ``heads.score``.

    Parameters are called ``backbone.*``, ``heads.HEAD.*`` and ``losses.STREAM.LABEL.*``.
    """
    return [name for name in names if fnmatchcase(name, pattern) or name.startswith(f"{pattern.rstrip('.*')}.")]
