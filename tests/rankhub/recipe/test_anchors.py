"""A loss that a constant network satisfies needs something that holds the network."""

from __future__ import annotations

import pytest
from helpers import fakes
from helpers.plugins import component, plugin
from helpers.recipes import load_text

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.report import RecipeErrors


class Flat(fakes.Pull):
    """Content with a constant, if so told."""

    def __init__(self, outputs, /, *, collapses: bool = True):
        super().__init__(outputs)
        self.collapses = collapses

    def collapse(self):
        return "flat is least where all answers are alike" if self.collapses else None


class Loaded(fakes.Flat):
    """Comes with weights."""

    starts_trained = True


MINE = plugin(component("flat", f"{__name__}:Flat", "loss"), component("loaded", f"{__name__}:Loaded", "backbone"))
CATALOG = Catalog.of({"fakes": fakes, "mine": MINE})
OBJECTIVES = "streams.views.objectives"
FLAT = f"{OBJECTIVES}.0={{use: flat, head: main}}"
UNLABELED = "data.train.labeled=false"


def load(*overrides):
    return load_text(fakes.RECIPE, overrides, CATALOG, file="f")


def test_a_constant_is_refused_where_nothing_holds_the_network():
    for overrides in ((FLAT,), (FLAT, UNLABELED)):
        with pytest.raises(RecipeErrors) as caught:
            load(*overrides)
        (said,) = (str(problem).partition("  ")[2] for problem in caught.value.problems)
        assert said == (
            f"{OBJECTIVES}.0: flat is least where all answers are alike; add an objective on labeled data to the "
            "phase, start from trained weights (start_from, backbone.pretrained, backbone.weights), or choose another "
            "option [mine]"
        )


def test_labels_in_the_phase_weights_or_an_earlier_phase_hold_it():
    load(f"{OBJECTIVES}.0={{use: flat, head: main, collapses: false}}")
    load(FLAT, "backbone={use: loaded}")
    load(FLAT, "start_from={run: elsewhere}")
    fit = "{use: fit, head: main, output: rating}"
    load(f"{OBJECTIVES}=[{{use: flat, head: main, output: arrow}}, {fit}]")


def test_an_objective_on_unlabeled_data_holds_nothing():
    pull = "{use: pull, head: main, output: arrow}"
    flat = "{use: flat, head: main, output: arrow}"
    with pytest.raises(RecipeErrors):
        load(f"{OBJECTIVES}=[{flat}, {pull}]", UNLABELED)
    load(f"{OBJECTIVES}=[{flat}, {pull}]")


def test_a_second_phase_stands_on_the_first():
    stream = (
        "{data: train, batch_size: 6, generator: [{use: jitter}], objectives: [{use: LOSS, head: main, output: arrow}]}"
    )
    phases = "phases=[{name: one, steps: 2, streams: [views]}, {name: two, steps: 2, streams: [more]}]"
    more = f"streams.more={stream.replace('LOSS', 'flat')}"
    load(f"streams.views={stream.replace('LOSS', 'pull')}", more, phases, UNLABELED)
    with pytest.raises(RecipeErrors) as caught:
        load(f"streams.views={stream.replace('LOSS', 'flat')}", more, phases, UNLABELED)
    assert len(caught.value.problems) == 2
