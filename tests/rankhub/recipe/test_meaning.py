"""Whether parts make sense together."""

from __future__ import annotations

from typing import Annotated

import pytest
import torch
from helpers import fakes
from helpers.plugins import component, plugin
from helpers.recipes import load_text

import rankhub_guards
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.model import FeatureSpec
from rankhub.interfaces.options import Ge, OutputName, StreamName
from rankhub.recipe.report import RecipeErrors

BUILT = []


class Watched(fakes.Flat):
    """Says where it was built."""

    def __init__(self, *, fail_on_meta: bool = False):
        super().__init__()
        BUILT.append(self.conv.weight.device.type)
        if fail_on_meta:
            float(self.conv.weight.sum())
            self.conv.weight.sum().item()


class NoMaps(fakes.Flat):
    """No maps."""

    def __init__(self, *, refuse: bool = False):
        super().__init__()
        if refuse:
            raise Objection("no such weights")
        self.spec = FeatureSpec(8)


class Mapped(fakes.Arrow):
    """Wants maps."""

    needs_maps = True

    def __init__(self, features, label, /):
        super().__init__(features, label)


class NeedsLabels(fakes.Arrow):
    """Wants labels."""

    def __init__(self, features, label, /):
        super().__init__(features, label)
        if label.kind is None:
            raise Objection("this head needs labels")


class Buggy(fakes.Pull):
    """Fails in its check."""

    def __init__(self, outputs, /, *, when: str = "check"):
        super().__init__(outputs)
        self.when = when
        if when == "constructor":
            raise ZeroDivisionError("oh")

    def check(self, views, label):
        raise ZeroDivisionError("oh")


class Asking(fakes.Spread):
    """Names everything."""

    def __init__(
        self,
        *,
        output: OutputName = "backbone",
        stream: StreamName = "views",
        library: Annotated[int, Ge(0)] = 0,
    ):
        super().__init__(data="test")
        self.library = library

    def requires(self):
        return "it needs the library faiss; install rankhub[cpu]" if self.library else None


MINE = plugin(
    component("watched", f"{__name__}:Watched", "backbone"),
    component("no_maps", f"{__name__}:NoMaps", "backbone"),
    component("mapped", f"{__name__}:Mapped", "head"),
    component("needs_labels", f"{__name__}:NeedsLabels", "head"),
    component("buggy", f"{__name__}:Buggy", "loss"),
    component("asking", f"{__name__}:Asking", "evaluator"),
)
CATALOG = Catalog.of({"fakes": fakes, "rankhub_guards": rankhub_guards, "mine": MINE})
LOSS = "streams.views.objectives.0"


def load(*overrides):
    return load_text(fakes.RECIPE, overrides, CATALOG, file="f")


def problems(*overrides):
    with pytest.raises(RecipeErrors) as caught:
        load(*overrides)
    return [str(problem).partition("  ")[2] for problem in caught.value.problems]


def test_the_network_is_built_without_drawing_weights():
    BUILT.clear()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    load("backbone={use: watched}")
    assert BUILT == ["meta"]
    assert torch.equal(torch.get_rng_state(), before)


def test_a_constructor_that_needs_numbers_gets_them():
    BUILT.clear()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    load("backbone={use: watched, fail_on_meta: true}")
    assert BUILT == ["meta", "cpu"]
    assert torch.equal(torch.get_rng_state(), before)


def test_an_objection_of_a_constructor():
    assert problems("backbone={use: no_maps, refuse: true}") == ["backbone: no such weights [mine]"]


def test_a_head_that_wants_maps_of_a_backbone_without():
    load("heads.main={use: mapped}")
    assert problems("heads.main={use: mapped}", "backbone={use: no_maps}") == [
        "heads.main: the head needs feature maps, the backbone gives none [mine]"
    ]


def test_a_head_sees_the_labels_of_the_stream_that_trains_it():
    load("heads.main={use: needs_labels}")
    assert problems("heads.main={use: needs_labels}", "data.train.labeled=false") == [
        "heads.main: this head needs labels [mine]"
    ]


def test_a_step_on_pixels_after_one_on_the_device_is_named():
    (said,) = problems("streams.views.generator=[{use: jitter}, {use: dimmer}]")
    assert said == (
        "streams.views.generator.1: steps on original pixels come before the steps on the device; move it up [fakes]"
    )


def test_a_loss_looks_at_the_views_and_at_the_labels():
    assert problems("streams.views.generator=[]") == [
        f"{LOSS}: pull needs at least two views of an image, the generator makes 1 [fakes]"
    ]
    fit = f"{LOSS}={{use: fit, head: main}}"
    load(fit)
    assert problems(fit, "data.train.labeled=false") == [f"{LOSS}: fit needs labels, the data have none [fakes]"]


def test_a_loss_on_an_output_that_is_not_there_or_of_the_wrong_kind():
    output = "streams.views.objectives.0.output"
    assert problems(f"{output}=arow") == [f"{output}: head 'main' has no output 'arow'; did you mean 'arrow'?"]
    (said,) = problems(f"{output}=rating")
    assert said.startswith(f"{LOSS}: pull needs one output of kind embedding, the head gives: rating (score)")


@pytest.mark.parametrize(("when", "method"), [("check", "check"), ("constructor", "__init__")])
def test_a_bug_of_a_plugin_is_a_sentence_too(when, method):
    (said,) = problems(f"{LOSS}={{use: buggy, head: main, when: {when}}}")
    assert said.startswith(f"{LOSS}: loss 'buggy' of plugin mine 0 failed in {method}: ZeroDivisionError: oh (")
    assert said.endswith("; tell its author (RANKHUB_TRACEBACK=1 shows the traceback) [mine]")


def test_accumulation():
    accumulate = "streams.views.accumulate"
    load(f"{accumulate}=3")
    assert problems(f"{accumulate}=4") == [
        f"{accumulate}: batch_size 6 cannot be cut into 4 equal micro-batches; {accumulate}=3 would do"
    ]
    load(f"{accumulate}=2", f"{LOSS}={{use: follow, head: main}}")


def test_the_best_is_chosen_by_a_metric_that_is_measured():
    load("evaluate_every_epochs=1", "keep_best=spread")
    load("evaluate_every_epochs=1", "keep_best=spread.spread")
    assert problems("keep_best=spread") == [
        "keep_best: there is no evaluation during training to choose from; set evaluate_every_epochs"
    ]
    assert problems("evaluate_every_epochs=1", "keep_best=spread", "evaluate.0.during_training=false") == [
        "keep_best: spread has during_training: false, so there is nothing to choose from"
    ]
    (said,) = problems("evaluate_every_epochs=1", "keep_best=spraed")
    assert said.startswith("keep_best: the recipe has no evaluator 'spraed'")
    assert "spread" in said
    (said,) = problems("evaluate_every_epochs=1", "keep_best=spread.width")
    assert said.startswith("keep_best: spread has no headline metric 'width'")


def test_evaluators_look_at_labels_unless_they_are_optional():
    spread = "evaluate.0={use: spread, data: test, labeled: true%s}"
    load(spread % "")
    assert problems(spread % "", "data.test.labeled=false") == ["evaluate.0: data set 'test' has no labels [fakes]"]
    load(spread % ", optional: true", "data.test.labeled=false")


def test_evaluators_name_outputs_and_streams():
    load("evaluate.0={use: asking, output: main.arrow}")
    assert problems("evaluate.0={use: asking, output: main.arow, stream: vews}") == [
        "evaluate.0.stream: no stream is called 'vews'; did you mean 'views'? [mine]"
    ]
    assert problems("evaluate.0={use: asking, output: main.arow}") == [
        "evaluate.0.output: no output is called 'main.arow'; did you mean 'main.arrow'? [mine]"
    ]


def test_a_name_that_a_default_names_is_checked_too():
    text = fakes.RECIPE.replace("  views:\n", "  other:\n").replace("[views]", "[other]")
    with pytest.raises(RecipeErrors) as caught:
        load_text(text, ["evaluate.0={use: asking}"], CATALOG)
    assert [p.text for p in caught.value.problems] == [
        "no stream is called 'views'; expected other; to go without this evaluator write `evaluate: []`, or a list of "
        "those that stay"
    ]


def test_nothing_is_said_of_the_outputs_of_a_head_that_has_failed():
    found = problems("evaluate.0={use: asking, output: main.anything}", "heads.main.dim=0")
    assert found == ["heads.main.dim: got 0; expected a whole number of at least 1 [fakes]"]


def test_what_an_evaluator_lacks():
    assert problems("evaluate.0={use: asking, library: 1}") == [
        "evaluate.0.use: it needs the library faiss; install rankhub[cpu] [mine]"
    ]


@pytest.mark.parametrize(
    "change",
    [
        "phases.0.freeze=[backbone.*]",
        "phases.0.freeze=[backbone]",
        "phases.0.freeze=['*.bias']",
        "phases.0.reset=[heads.main]",
        "phases.0.lr_scale={heads.main.embed: 0.1}",
        "phases.0.lr_scale={'backbone.con?.weight': 0.1}",
    ],
)
def test_patterns_that_match(change):
    load(change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "phases.0.freeze=[backbon.*]",
            (
                "phases.0.freeze.0: the pattern 'backbon.*' matches no parameter of the network; did "
                "you mean 'backbone.*'?"
            ),
        ),
        (
            "phases.0.reset=[heads.mian]",
            (
                "phases.0.reset.0: the pattern 'heads.mian' matches no parameter of the network; did "
                "you mean 'heads.main'?"
            ),
        ),
        (
            "phases.0.lr_scale={zzz: 0.1}",
            (
                "phases.0.lr_scale.zzz: the pattern 'zzz' matches no parameter of the network; the "
                "names begin with backbone, heads.main"
            ),
        ),
        (
            "phases.0.freeze=[losses.views.pull]",
            (
                "phases.0.freeze.0: the pattern 'losses.views.pull' matches no parameter of the "
                "network; the names begin with backbone, heads.main"
            ),
        ),
    ],
)
def test_patterns_that_match_nothing(change, said):
    (found,) = problems(change)
    assert found.startswith(said)


def test_a_loss_with_parameters_can_be_named():
    load(
        f"{LOSS}={{use: follow, head: main}}",
        "phases.0.freeze=[losses.views.follow]",
        "average={decay: 0.9, use_for: [teacher]}",
    )


def test_patterns_of_parts_that_have_failed_are_left_alone():
    found = problems("heads.main.dim=0", "phases.0.freeze=['heads.main.nonsense', 'heads.*.x', 'backbon']")
    assert len(found) == 2
    assert "backbon" in found[1]


def test_a_component_changed_by_its_use_alone_keeps_the_options_of_the_other_and_is_told_how_not_to():
    other = "evaluate.0={use: spread, data: test, needs_labels: false}"

    def said(*changes):
        with pytest.raises(RecipeErrors) as caught:
            load_text(fakes.RECIPE, changes, CATALOG)
        return next(problem.text for problem in caught.value.problems if "needs_labels" in problem.text)

    advice = "to leave the options of spread behind: evaluate.0={use: asking}"
    assert said(other, "evaluate.0.use=asking").startswith("unknown option 'needs_labels'")
    assert advice in said(other, "evaluate.0.use=asking")
    load_text(fakes.RECIPE, [other, "evaluate.0={use: asking}"], CATALOG)
    # Who wrote the option with the component knows where it comes from.
    assert advice not in said("evaluate.0={use: asking, needs_labels: false}")
