"""Builds what a recipe names, and opens its data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from rankhub.catalog.blame import during
from rankhub.catalog.catalog import Catalog
from rankhub.engine.device import Compute
from rankhub.engine.feed import Chain, Feed, check_images
from rankhub.engine.network import Network, take_over
from rankhub.engine.objectives import Objective
from rankhub.engine.plan import PhasePlan, plan_phases
from rankhub.interfaces.data import DataReport, Dataset, GivenData, LabelSpec, OpenContext
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import Evaluator
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.predict import Predict
from rankhub.interfaces.processes import ALONE, Processes
from rankhub.interfaces.schedule import Schedule
from rankhub.recipe.assembly import Assembly
from rankhub.recipe.schema import Recipe, phase_streams, size_path

Progress = Callable[[int, int, str], None]
StreamKey = tuple[str, str]
"""Phase and stream."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run needs beside its recipe."""

    catalog: Catalog  # where components come from
    progress: Progress  # told now and then while data are opened
    processes: Processes = ALONE  # those of the run, connected
    compute: Compute | None = None  # None = what the recipe asks for
    data: Mapping[str, Dataset] = field(default_factory=dict)  # used in place of those of the recipe, by name
    labels: Mapping[str, LabelSpec] = field(default_factory=dict)  # whose scale a run that goes on keeps, by data set


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a recipe names, built."""

    recipe: Recipe
    assembly: Assembly  # makes its components; knows the labels of the open data
    compute: Compute
    processes: Processes
    datasets: Mapping[str, Dataset]  # open, by name
    reports: Mapping[str, DataReport]  # what they found while they opened
    feeds: Mapping[StreamKey, Feed]
    objectives: Mapping[StreamKey, list[Objective]]
    plans: list[PhasePlan]
    network: Network  # on its device, initialized
    predict: Predict  # test time
    evaluators: Mapping[str, Evaluator]  # by the label under which they are reported
    during: frozenset[str]  # labels of those that also run in the middle of training
    left_out: list[str]  # why an optional evaluator does not run

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.plans[-1].first_step + self.plans[-1].steps

    def schedule(self, plan: PhasePlan) -> Schedule | None:
        """The factor on a phase's learning rate."""
        number = self.recipe.phases.index(plan.phase)
        schedule: Schedule | None = self.assembly.get("phases", number, "schedule") or self.assembly.get("schedule")
        return schedule


def build(recipe: Recipe, resources: Resources, *, fresh: bool = True) -> Parts:
    """Open the data and build the network; one that is not ``fresh`` gets its weights from a checkpoint.

    Raises:
        UserError: Data that are missing or cannot be used, fewer images than a batch, a batch that the processes
            cannot share equally, a device that is not there.
    """
    processes = resources.processes
    compute = resources.compute or Compute.of(recipe, processes)
    check_shares(recipe, processes)
    assembly = Assembly.of(recipe, resources.catalog)
    # What the first process decodes, the others find in the cache.
    datasets, reports = processes.first_before_others(lambda: open_data(recipe, assembly, resources, recipe.used_data))
    feeds = build_feeds(recipe, assembly, datasets, processes)
    network = build_network(recipe, assembly)
    if fresh:
        network.backbone.initialize()
        if recipe.start_from is not None:
            take_over(network, recipe.start_from)
    compute.place(network)
    processes.same_weights(network)
    sizes = {key: feed.batches_per_epoch for key, feed in feeds.items()}
    evaluators, during, left_out = build_evaluators(recipe, assembly)
    return Parts(
        recipe=recipe,
        assembly=assembly,
        compute=compute,
        processes=processes,
        datasets=datasets,
        reports=reports,
        feeds=feeds,
        objectives=build_objectives(recipe, assembly),
        plans=plan_phases(recipe, sizes),
        network=network,
        predict=assembly.get("predict"),
        evaluators=evaluators,
        during=during,
        left_out=left_out,
    )


def context_for(recipe: Recipe, progress: Progress) -> OpenContext:
    """The context in which a data set opens: cache folder, memory limit, progress."""
    cache = Path(recipe.loader.cache).expanduser() if recipe.loader.cache else Path.home() / ".cache" / "rankhub"
    return OpenContext(cache, int(recipe.loader.memory_limit_gb * 1e9), progress)


def open_data(
    recipe: Recipe, assembly: Assembly, resources: Resources, wanted: set[str]
) -> tuple[dict[str, Dataset], dict[str, DataReport]]:
    """Open data sets of a recipe; from then on ``assembly`` knows what their labels really are."""
    context = context_for(recipe, resources.progress)
    names = [name for name in recipe.data if name in wanted]
    datasets: dict[str, Dataset] = {name: resources.data.get(name) or assembly.get("data", name) for name in names}
    for name, dataset in datasets.items():
        if (sentence := dataset.missing()) is not None:
            raise UserError(f"data.{name}: {sentence}")
    reports: dict[str, DataReport] = {}
    for name, dataset in datasets.items():
        try:
            reports[name] = dataset.open(context)
        except UserError as error:
            if isinstance(dataset, GivenData):  # others name their folder
                raise UserError(f"data.{name}: {error}") from None
            raise
    for name, dataset in datasets.items():
        with during(f"data.{name}"):
            for guard in resources.catalog.guards:
                guard.opened(dataset)
        label = dataset.label
        kept = resources.labels.get(name, label)
        if kept.kind == label.kind:
            label = replace(label, mean=kept.mean, std=kept.std, density=kept.density)
        assembly.labels[name] = label
    return datasets, reports


def check_shares(recipe: Recipe, processes: Processes) -> None:
    """See that every process gets as many images of a step as the others, in equal micro-batches, or say what would."""
    faults = []
    for number, name, stream in phase_streams(recipe):
        parts = processes.count * stream.accumulate
        if stream.batch_size % parts:
            near = max(1, round(stream.batch_size / parts)) * parts
            cut = f", each in {stream.accumulate} micro-batches" if stream.accumulate > 1 else ""
            faults.append(
                f"stream {name!r} takes {stream.batch_size} images a step, which {processes.count} processes{cut} "
                f"cannot share equally; {size_path(recipe, number, name)}={near} would do"
            )
    _refuse(faults)


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise UserError("\n".join(dict.fromkeys(faults)))


def build_feeds(
    recipe: Recipe, assembly: Assembly, datasets: Mapping[str, Dataset], processes: Processes
) -> dict[StreamKey, Feed]:
    """The batches of every stream in every phase; each phase draws views of its own."""
    feeds: dict[StreamKey, Feed] = {}
    faults = []
    for number, name, stream in phase_streams(recipe):
        phase, dataset = recipe.phases[number].name, datasets[stream.data]
        chain, size = chain_of(recipe, assembly, name, f"{phase}/{name}"), stream.batch_size
        if len(dataset) < size:
            said = f"stream {name!r} takes {size} images a step, its data have only {len(dataset)}; add images, or set"
            faults.append(f"{said} {size_path(recipe, number, name)}={len(dataset)}")
            continue
        try:
            check_images(f"stream {name!r}", dataset, chain.own_size)
        except UserError as error:
            faults.append(str(error))
        feeds[phase, name] = Feed(dataset, chain, size, recipe.loader, processes, stream.block)
    _refuse(faults)
    return feeds


def chain_of(recipe: Recipe, assembly: Assembly, stream: str, address: str) -> Chain:
    """The generator of a stream, which draws its views under a name."""
    made = assembly.chain(stream)
    assert made is not None  # the assembly of a checked recipe raises what fails
    return Chain(*made, recipe.seed, address, assembly.catalog.guards, repeat=recipe.streams[stream].draws)


def evaluation_chains(recipe: Recipe, assembly: Assembly) -> dict[str, Chain]:
    """Stream -> its generator at the address of the first phase that uses it; one that none uses goes by its name."""
    first = {name: phase.name for phase in reversed(recipe.phases) for name in phase.streams}
    addresses = {name: f"{first[name]}/{name}" if name in first else name for name in recipe.streams}
    return {name: chain_of(recipe, assembly, name, address) for name, address in addresses.items()}


def build_network(recipe: Recipe, assembly: Assembly, seed: int | None = None, *, learns: bool = True) -> Network:
    """The network with weights of a seed, by default the recipe's; ``assembly`` has made none of its components yet.

    One that ``learns`` no more has no losses.
    """
    torch.manual_seed(recipe.seed if seed is None else seed)
    backbone = assembly.get("backbone")
    heads = {name: assembly.get("heads", name) for name in recipe.heads}
    losses: dict[tuple[str, str], Loss] = {
        (stream, label): assembly.get(*address)
        for stream in (recipe.trained_streams if learns else ())
        for label, address in assembly.listed("streams", stream, "objectives")
    }
    return Network(backbone, heads, losses)


def build_objectives(recipe: Recipe, assembly: Assembly) -> dict[StreamKey, list[Objective]]:
    """What each stream learns in each phase. Their losses are those of the network, the same in all phases."""
    found: dict[StreamKey, list[Objective]] = {}
    for number, name, _ in phase_streams(recipe):
        factor = assembly.number("phases", number, "streams", name, "weight")
        for label, address in assembly.listed("streams", name, "objectives"):
            weights = (assembly.number(*address, "weight"), factor)
            outputs = tuple(assembly.used(address) or ())
            head, loss = assembly.at(*address, "head"), assembly.get(*address)
            objective = Objective(f"{name}/{label}", head, outputs, loss, weights)
            found.setdefault((recipe.phases[number].name, name), []).append(objective)
    return found


def build_evaluators(recipe: Recipe, assembly: Assembly) -> tuple[dict[str, Evaluator], frozenset[str], list[str]]:
    """Evaluators by label, which of them run during training, and a sentence for each optional one without labels."""
    labels = assembly.labels
    built: dict[str, Evaluator] = {}
    during: set[str] = set()
    left_out: list[str] = []
    for spec, (label, address) in zip(recipe.evaluate, assembly.listed("evaluate"), strict=True):
        evaluator: Evaluator = assembly.get(*address)
        objections = list(evaluator.check(labels)) if spec.optional else []
        if objections:
            left_out.append(f"{label} is left out: {objections[0]}")
            continue
        built[label] = evaluator
        if spec.during_training:
            during.add(label)
    return built, frozenset(during), left_out
