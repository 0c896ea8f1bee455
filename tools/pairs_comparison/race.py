"""One seed: all methods from the same weights, in turns, judged at the same marks of their own clocks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pairs_comparison.held_out import HeldOut, Score
from pairs_comparison.methods import TITLES, Racer
from pairs_comparison.pool import PairDraws, Pool
from rankhub.catalog.catalog import Catalog
from rankhub.engine.parts import Parts, build, context_for
from rankhub.engine.training import new_steering
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import WorkerGenerator
from rankhub.recipe.load import load_recipe
from rankhub.recipe.schema import Recipe

TEST = "test"
"""Name of the data set of held-out photos in the recipe."""


@dataclass(frozen=True)
class Rules:
    """What is the same for all seeds.

    Attributes:
        recipe: Data, network, optimiser, versions, crops and loss.
        marks: Seconds of training at which networks are judged, ascending; 0 is added.
        turn: Seconds that a method trains before the next one does.
        mining: Random pairs looked at for each of the hardest.
    """

    recipe: Recipe
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
        steps: Optimiser steps so far.
        score: On held-out photos.
    """

    mark: float
    seconds: float
    views: int
    steps: int
    score: Score


def load(path: Path, overrides: Sequence[str], catalog: Catalog) -> Recipe:
    """Read the recipe of a comparison.

    Raises:
        UserError: It has other parts than the comparison takes; one sentence.
        RecipeErrors: Everything else that is wrong with it.
    """
    recipe = load_recipe(path, overrides, catalog, need_data=True).recipe
    streams = [stream for phase in recipe.phases for stream in phase.streams.values()]
    if len(streams) != 1 or len(streams[0].objectives) != 1 or streams[0].objectives[0].loss.use != "margin_ranking":
        raise UserError(f"{path} must have one phase of one stream with one objective, with the loss margin_ranking")
    if TEST not in recipe.data:
        raise UserError(f"{path} has no data set called {TEST}; it holds the photos on which networks are judged")
    if len(streams[0].generator) < 2:
        raise UserError(
            f"{path} needs a generator of at least two steps: one makes ranked versions, the others cut them"
        )
    missing: str | None = catalog.build("dataset", recipe.data[TEST]).missing()
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

    train: Pool
    held_out: HeldOut

    @classmethod
    def of(cls, rules: Rules, catalog: Catalog, tell: Callable[[str, int, int], None]) -> Ground:
        """Open the data and make all versions.

        Args:
            rules: With the recipe.
            catalog: Where components come from.
            tell: Told what is done, how many of how many.

        Raises:
            UserError: A step of the generator needs a whole batch.
        """
        parts = build(rules.recipe, catalog, lambda done, total, what: tell(what, done, total))
        ((key, feed),) = parts.feeds.items()
        chain = feed.chain
        if not all(isinstance(step, WorkerGenerator) for step in chain.steps):
            raise UserError("the generator of the comparison has a step on whole batches; it takes worker steps only")
        objective = rules.recipe.phases[0].streams[key[1]].objectives[0]
        spec = objective.loss.model_copy(update={"pairs": "same_image"})
        (goal,) = parts.goals[key]
        outputs = parts.network.heads[goal.head].outputs
        loss = catalog.build("loss", spec, {name: outputs[name] for name in goal.outputs})
        train = Pool.of(feed.dataset, chain, lambda done, total: tell("versions to train on", done, total))
        judged = catalog.build("dataset", rules.recipe.data[TEST])
        judged.open(context_for(rules.recipe, lambda done, total, what: tell(what, done, total)))
        test = Pool.of(judged, chain, lambda done, total: tell("versions to judge on", done, total))
        return cls(train, HeldOut.of(test, loss))


def racers(rules: Rules, ground: Ground, seed: int, catalog: Catalog, names: Sequence[str]) -> list[Racer]:
    """The methods at their start, all with the weights of this seed."""
    recipe = rules.recipe.model_copy(update={"seed": seed})
    parts = build(recipe, catalog, lambda done, total, what: None)
    ((key, feed),) = parts.feeds.items()
    (goal,) = parts.goals[key]
    pool = replace(ground.train, chain=replace(ground.train.chain, seed=seed))
    photos, options = feed.batch_size, recipe.phases[0].streams[key[1]].objectives[0].loss.model_dump()
    within = 1.0 if options.get("pairs", "same_image") == "same_image" or photos == 1 else 1 / photos
    found = []
    for name in names:
        own: Parts = replace(parts, network=copy.deepcopy(parts.network))
        random = np.random.default_rng([seed, list(TITLES).index(name)])
        found.append(
            Racer(
                name=name,
                network=own.network,
                goal=goal,
                steering=new_steering(own, own.plans[0]),
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

    Yields:
        (mark, method -> its point), from 0 on.
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
    score = held_out.score(racer.network, racer.goal)
    return Point(mark, racer.seconds, racer.views, racer.steps, score)
