"""Builds what a recipe names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.spec import ComponentSpec
from rankhub.engine.device import Compute
from rankhub.engine.feed import Chain, Feed
from rankhub.engine.fitting import check_images
from rankhub.engine.network import LossKey, Network
from rankhub.engine.objectives import Goal
from rankhub.engine.plan import PhasePlan, plan_phases
from rankhub.engine.processes import ALONE, Processes
from rankhub.engine.state import take_over
from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import Evaluator
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.model import Backbone, Head
from rankhub.interfaces.predict import Predict
from rankhub.interfaces.schedule import Schedule
from rankhub.recipe.schema import Recipe
from rankhub.recipe.wiring import evaluator_label, label_for_head, objective_outputs, plan_chain, streams, used_data

Progress = Callable[[int, int, str], None]
StreamKey = tuple[str, str]
"""Phase and stream."""


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a recipe names, built.

    Attributes:
        recipe: The recipe.
        catalog: Where components come from.
        compute: Device and precision.
        processes: Those of the run.
        datasets: Open data sets by name.
        reports: What they found while they opened.
        feeds: Phase and stream -> its batches.
        goals: Phase and stream -> its objectives.
        plans: The phases, laid out.
        network: On its device, initialised.
        predict: Test time.
        evaluators: By the label under which they are reported.
        during: Labels of those that also run in the middle of training.
        left_out: Why an optional evaluator does not run.
    """

    recipe: Recipe
    catalog: Catalog
    compute: Compute
    processes: Processes
    datasets: Mapping[str, Dataset]
    reports: Mapping[str, DataReport]
    feeds: Mapping[StreamKey, Feed]
    goals: Mapping[StreamKey, list[Goal]]
    plans: list[PhasePlan]
    network: Network
    predict: Predict
    evaluators: Mapping[str, Evaluator]
    during: frozenset[str]
    left_out: list[str]

    def schedule(self, plan: PhasePlan) -> Schedule | None:
        """The factor on a phase's learning rate."""
        spec = plan.phase.schedule or self.recipe.schedule
        return None if spec is None else self.catalog.build("schedule", spec)

    def chains(self) -> dict[str, Chain]:
        """Stream -> its generator, as evaluators name it; of streams of one name, the first phase's."""
        return {stream: feed.chain for (_, stream), feed in reversed(list(self.feeds.items()))}


def build(
    recipe: Recipe,
    catalog: Catalog,
    progress: Progress,
    processes: Processes = ALONE,
    compute: Compute | None = None,
    *,
    fresh: bool = True,
) -> Parts:
    """Open the data and build the network.

    Args:
        recipe: Checked.
        catalog: Where components come from.
        progress: Told now and then while data are opened.
        processes: Those of the run, connected.
        compute: Device and precision; None = what the recipe asks for.
        fresh: Whether the run begins, with the weights that the recipe names; not when a checkpoint gives them.

    Raises:
        UserError: Data that are missing or cannot be used, fewer images than a batch, a batch that the processes
            cannot share equally, a device that is not there.
    """
    compute = compute or Compute.of(recipe, processes)
    check_shares(recipe, processes)
    # What the first process decodes, the others find in the cache.
    datasets, reports = processes.first_before_others(lambda: open_data(recipe, catalog, progress))
    feeds = build_feeds(recipe, catalog, datasets, processes)
    for key, feed in feeds.items():
        check_images(f"stream {key[1]!r}", feed.dataset, feed.chain.own_size)
    predict: Predict = catalog.build("predict", recipe.predict)
    network, goals = build_network(recipe, catalog, labels_of(datasets))
    if fresh:
        network.backbone.initialise()
        if recipe.start_from is not None:
            take_over(network, recipe.start_from)
    compute.place(network)
    processes.same_weights(network)
    sizes = {key: feed.batches_per_epoch for key, feed in feeds.items()}
    evaluators, during, left_out = build_evaluators(recipe, catalog, datasets)
    return Parts(
        recipe=recipe,
        catalog=catalog,
        compute=compute,
        processes=processes,
        datasets=datasets,
        reports=reports,
        feeds=feeds,
        goals=goals,
        plans=plan_phases(recipe.phases, sizes),
        network=network,
        predict=predict,
        evaluators=evaluators,
        during=during,
        left_out=left_out,
    )


def context_for(recipe: Recipe, progress: Progress) -> OpenContext:
    """What a data set is lent while it opens."""
    cache = Path(recipe.loader.cache).expanduser() if recipe.loader.cache else Path.home() / ".cache" / "rankhub"
    return OpenContext(cache, int(recipe.loader.memory_limit_gb * 1e9), progress)


def open_folder(root: str, recipe: Recipe, catalog: Catalog, progress: Progress) -> tuple[Dataset, DataReport]:
    """Any folder of images, as a recipe's loader keeps them.

    Raises:
        UserError: It is not there, or holds no image that can be read.
    """
    reader = {"use": catalog.in_role("dataset", "folder"), "root": root}
    images: Dataset = catalog.build("dataset", ComponentSpec.model_validate(reader))
    if (missing := images.missing()) is not None:
        raise UserError(missing)
    return images, images.open(context_for(recipe, progress))


def open_data(recipe: Recipe, catalog: Catalog, progress: Progress) -> tuple[dict[str, Dataset], dict[str, DataReport]]:
    """Open the data sets that the recipe uses."""
    context, used = context_for(recipe, progress), used_data(recipe)
    wanted = {name: spec for name, spec in recipe.data.items() if name in used}
    datasets: dict[str, Dataset] = {name: catalog.build("dataset", spec) for name, spec in wanted.items()}
    return datasets, {name: dataset.open(context) for name, dataset in datasets.items()}


def check_shares(recipe: Recipe, processes: Processes) -> None:
    """See that every process gets as many images of a step as the others, in equal micro-batches.

    Raises:
        UserError: It does not; names the stream and the nearest batch size.
    """
    for _, name, stream in streams(recipe):
        parts = processes.count * stream.accumulate
        if stream.batch_size % parts:
            near = max(1, round(stream.batch_size / parts)) * parts
            cut = f", each in {stream.accumulate} micro-batches" if stream.accumulate > 1 else ""
            raise UserError(
                f"stream {name!r} takes {stream.batch_size} images a step, which {processes.count} processes{cut} "
                f"cannot share equally; batch_size: {near} would do"
            )


def build_feeds(
    recipe: Recipe, catalog: Catalog, datasets: Mapping[str, Dataset], processes: Processes
) -> dict[StreamKey, Feed]:
    """The batches of every stream."""
    chains = build_chains(recipe, catalog)
    return {
        key: Feed(key[1], datasets[stream.data], chains[key], stream.batch_size, recipe.loader.workers, processes)
        for key, stream in zip(chains, (stream for _, _, stream in streams(recipe)), strict=True)
    }


def build_chains(recipe: Recipe, catalog: Catalog) -> dict[StreamKey, Chain]:
    """The generator of every stream."""
    chains = {}
    for number, name, stream in streams(recipe):
        phase = recipe.phases[number].name
        steps = [catalog.build("generator", spec) for spec in stream.generator]
        chains[phase, name] = Chain(steps, plan_chain(steps), recipe.seed, f"{phase}/{name}")
    return chains


def labels_of(datasets: Mapping[str, Dataset]) -> dict[str, LabelSpec]:
    """What is known of each data set's labels."""
    return {name: dataset.label for name, dataset in datasets.items()}


def build_network(
    recipe: Recipe, catalog: Catalog, labels: Mapping[str, LabelSpec]
) -> tuple[Network, dict[StreamKey, list[Goal]]]:
    """The network with seeded weights, and the objectives that use it."""
    torch.manual_seed(recipe.seed)
    backbone: Backbone = catalog.build("backbone", recipe.backbone)
    heads: dict[str, Head] = {
        name: catalog.build("head", spec, backbone.spec, label_for_head(recipe, name, labels))
        for name, spec in recipe.heads.items()
    }
    losses: dict[LossKey, Loss] = {}
    goals: dict[StreamKey, list[Goal]] = {}
    for number, name, stream in streams(recipe):
        phase = recipe.phases[number].name
        for position, objective in enumerate(stream.objectives):
            used = objective_outputs(objective, heads[objective.head].outputs)
            loss: Loss = catalog.build("loss", objective.loss, used)
            losses[phase, name, position] = loss
            weight = number_or_schedule(catalog, objective.weight)
            goal = Goal(f"{name}.{position}", objective.head, tuple(used), loss, weight)
            goals.setdefault((phase, name), []).append(goal)
    return Network(backbone, heads, losses), goals


def number_or_schedule(catalog: Catalog, number: float | ComponentSpec) -> float | Schedule:
    """A number as it is, a schedule built."""
    if isinstance(number, ComponentSpec):
        schedule: Schedule = catalog.build("schedule", number)
        return schedule
    return number


def build_evaluators(
    recipe: Recipe, catalog: Catalog, datasets: Mapping[str, Dataset]
) -> tuple[dict[str, Evaluator], frozenset[str], list[str]]:
    """Evaluators by label, which of them run during training, and a sentence for each optional one without labels."""
    labels = labels_of(datasets)
    built: dict[str, Evaluator] = {}
    during: set[str] = set()
    left_out: list[str] = []
    for spec in recipe.evaluate:
        evaluator: Evaluator = catalog.build("evaluator", spec)
        objections = list(evaluator.check(labels)) if spec.optional else []
        if objections:
            left_out.append(f"{spec.use} is left out: {objections[0]}")
            continue
        label = evaluator_label(spec.use, built)
        built[label] = evaluator
        if spec.during_training:
            during.add(label)
    return built, frozenset(during), left_out
