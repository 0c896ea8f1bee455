"""One seed: all methods from the same weights, in turns, judged at the same marks of their own clocks."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from pairs_comparison.held_out import HeldOut, HeldOutScore
from pairs_comparison.methods import TITLES, Racer
from pairs_comparison.pool import PairDraws, PhotoVersions
from rankhub import LoadedRecipe, UserError, build, load_recipe, open_data
from rankhub.engine import parts as engine
from rankhub.engine.training import new_optimizer
from rankhub.interfaces.generator import WorkerGenerator
from rankhub.interfaces.model import Head
from rankhub.recipe.schema import phase_streams

TEST = "test"
"""Name of the data set of held-out photos in the recipe."""


@dataclass(frozen=True)
class Rules:
    """What is the same for all seeds.

    Attributes:
        recipe: Data, network, optimizer, versions, crops and loss.
        marks: Seconds of training at which networks are judged, ascending; 0 is added.
        turn: Seconds that a method trains before the next one does.
        mining: Random pairs looked at for each of the hardest.
    """

    recipe: LoadedRecipe
    marks: tuple[float, ...]
    turn: float
    mining: int


@dataclass(frozen=True)
class Point:
    """A network at a mark.

    Attributes:
        mark: Seconds that were to be trained.
        seconds: Seconds that were, whole steps.
        views: Passes of the network in training so far.
        steps: Optimizer steps so far.
        score: On held-out photos.
    """

    mark: float
    seconds: float
    views: int
    steps: int
    score: HeldOutScore


def load(path: Path, overrides: Sequence[str]) -> LoadedRecipe:
    """Read the recipe of a comparison.

    Raises:
        UserError: It is no recipe, or has other parts than the comparison takes.
    """
    recipe = load_recipe(path, overrides, need_data=True)
    streams = [stream for *_, stream in phase_streams(recipe.recipe)]
    losses = [objective.use.rpartition("/")[2] for stream in streams for objective in stream.objectives]
    if len(streams) != 1 or losses != ["margin_ranking"]:
        raise UserError(f"{path} must have one phase of one stream with one objective, with the loss margin_ranking")
    if TEST not in recipe.recipe.data:
        raise UserError(f"{path} has no data set called {TEST}; it holds the photos on which networks are judged")
    if len(streams[0].generator) < 2:
        raise UserError(
            f"{path} needs a generator of at least two steps: one makes ranked versions, the others cut them"
        )
    missing: str | None = build("dataset", recipe.resolved()["data"][TEST]).missing()
    if missing is not None:
        raise UserError(f"data.{TEST}: {missing}")
    return recipe


@dataclass(frozen=True)
class Ground:
    """What all seeds and methods share once it is made: versions of photos in memory, and the test.

    Attributes:
        train: Versions of the training photos.
        held_out: The test.
    """

    train: PhotoVersions
    held_out: HeldOut

    @classmethod
    def of(cls, rules: Rules, tell: engine.Progress) -> Ground:
        """Open the data and make all versions.

        Raises:
            UserError: A step of the generator needs a whole batch.
        """
        recipe = rules.recipe
        parts = engine.build(recipe.recipe, engine.Resources(recipe.catalog, tell))
        ((key, feed),) = parts.feeds.items()
        chain = feed.chain
        if not all(isinstance(step, WorkerGenerator) for step in chain.steps):
            raise UserError("the generator of the comparison has a step on whole batches; it takes worker steps only")
        (spec,) = recipe.recipe.streams[key[1]].objectives
        (objective,) = parts.objectives[key]
        head = cast(Head, parts.network.heads[objective.head])
        outputs = {name: head.outputs[name] for name in objective.outputs}
        loss = build("loss", {"use": spec.use, **spec.options, "pairs": "same_image"}, outputs)
        train = PhotoVersions.of(feed.dataset, chain, lambda done, total: tell(done, total, "versions to train on"))
        judged, _ = open_data(recipe.resolved()["data"][TEST], recipe, tell)
        test = PhotoVersions.of(judged, chain, lambda done, total: tell(done, total, "versions to judge on"))
        return cls(train, HeldOut.of(test, loss))


def racers(rules: Rules, ground: Ground, seed: int, names: Sequence[str]) -> list[Racer]:
    """The methods at their start, all with the weights of this seed."""
    recipe = rules.recipe.recipe.model_copy(update={"seed": seed})
    parts = engine.build(recipe, engine.Resources(rules.recipe.catalog, lambda done, total, what: None))
    ((key, feed),) = parts.feeds.items()
    (objective,) = parts.objectives[key]
    pool, photos = replace(ground.train, chain=replace(ground.train.chain, seed=seed)), feed.batch_size
    within = 1.0 if recipe.streams[key[1]].objectives[0].options["pairs"] == "same_image" else 1 / photos
    found = []
    for name in names:
        own = replace(parts, network=copy.deepcopy(parts.network))
        random = np.random.default_rng([seed, list(TITLES).index(name)])
        found.append(
            Racer(
                name=name,
                network=own.network,
                objective=objective,
                optimizer=new_optimizer(own, own.plans[0]),
                pool=pool,
                draws=PairDraws(pool, within, random),
                random=random,
                photos=photos,
                pairs=round(photos * len(pool.views) / pool.photos / 2),
                mining=rules.mining,
            )
        )
    return found


def run(rules: Rules, ground: Ground, field: Sequence[Racer]) -> Iterator[tuple[float, Mapping[str, Point]]]:
    """Train all methods to each mark and judge them there.

    They take turns of a few seconds, each time another one first, so that what else the machine does hits all alike.

    Gives the mark, from 0 on, and the point of each method.
    """
    for racer in field:
        racer.warm_up()
    limit, first = rules.marks[-1], 0
    for mark in (0.0, *rules.marks):
        while any(racer.seconds < mark for racer in field):
            order = [*field[first:], *field[:first]]
            for racer in order:
                racer.train(min(mark, racer.seconds + rules.turn), limit)
            first = (first + 1) % len(field)
        yield mark, {racer.name: _point(mark, racer, ground.held_out) for racer in field}


def _point(mark: float, racer: Racer, held_out: HeldOut) -> Point:
    score = held_out.score(racer.network, racer.objective)
    return Point(mark, racer.seconds, racer.views, racer.steps, score)
