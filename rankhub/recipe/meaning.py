"""Whether the parts of a recipe make sense together: each may look at what comes to it, and object.

Components are built for the purpose, networks on torch's ``meta`` device where that works, so that no weight is
drawn. Nothing here reads data.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import nn

from rankhub.catalog.discovery import brief
from rankhub.catalog.hints import Steps, walk
from rankhub.catalog.nearest import suggestion
from rankhub.catalog.options import plain
from rankhub.interfaces.acquire import Acquirer, PoolStream
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import Evaluator
from rankhub.interfaces.generator import Generator, ViewSpec
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.model import Backbone, FeatureSpec, Head, OutputSpec
from rankhub.interfaces.options import Refers
from rankhub.interfaces.predict import Predict
from rankhub.interfaces.schedule import Clock
from rankhub.recipe.accumulation import division_objection
from rankhub.recipe.anchors import check_anchors
from rankhub.recipe.draft import Checked, Draft
from rankhub.recipe.patterns import check_patterns
from rankhub.recipe.wiring import chosen_outputs, evaluator_label, first_label, numbers_of, output_names, plan_chain

T = TypeVar("T")


def check_meaning(draft: Draft) -> dict[str, Dataset]:
    """Build every component that passed and hear its objections; returns the data sets, still closed."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # initialisers say that they do nothing on the meta device
        return _Meaning(draft).check()


@dataclass(slots=True)
class _Meaning:
    """What has been built so far. A part that is missing here has failed, and what needs it is passed over."""

    draft: Draft
    datasets: dict[str, Dataset] = field(default_factory=dict)
    labels: dict[str, LabelSpec] = field(default_factory=dict)
    outputs: dict[str, Mapping[str, OutputSpec]] = field(default_factory=dict)
    evaluators: dict[str, Evaluator | None] = field(default_factory=dict)
    """By the label under which they are reported."""
    losses: dict[Steps, Loss] = field(default_factory=dict)
    """Place of each objective -> its loss."""
    streams: dict[str, PoolStream] = field(default_factory=dict)
    """Of streams of one name, the first phase's."""
    modules: dict[str, nn.Module | None] = field(default_factory=dict)
    """Prefix of parameter names -> module, None where it could not be built."""

    def check(self) -> dict[str, Dataset]:
        for name in self.draft.mapping("data"):
            dataset: Dataset | None = self.build(("data", name))
            if dataset is not None:
                self.datasets[name], self.labels[name] = dataset, dataset.label
        for kind in ("schedule", "callback"):
            for steps in self.draft.of_kind(kind):
                self.build(steps)
        self.check_optimizers()
        features = self.check_backbone()
        for name in self.draft.mapping("heads"):
            self.check_head(name, features)
        for number, phase in enumerate(self.draft.items("phases")):
            for name in self.draft.mapping("phases", number, "streams"):
                self.check_stream(("phases", number, "streams", name), f"losses.{_name(phase)}.{name}")
        backbone = self.modules["backbone"]
        check_anchors(self.draft, self.losses, self.labels, isinstance(backbone, Backbone) and backbone.starts_trained)
        self.check_predict(features)
        for number in range(len(self.draft.items("evaluate"))):
            self.check_evaluator(("evaluate", number))
        self.check_keep_best()
        self.check_acquirer()
        check_patterns(self.draft, self.modules)
        return self.datasets

    def attempt(self, steps: Steps, owner: str, make: Callable[[], T]) -> T | None:
        """What ``make`` gives; its objection becomes a problem at ``steps``, and so does a bug of a plugin."""
        try:
            return make()
        except UserError as error:
            self.draft.add(steps, str(error), owner)
        except Exception as error:
            self.draft.add(steps, f"it fails while it is checked ({brief(error)}); tell its author", owner)
        return None

    def build(self, steps: Steps, *wired: Any, clock: Clock | None = None) -> Any:
        """The component at ``steps``, None if there is none, if it has failed before, or if it fails now."""
        component = self.draft.components.get(steps)
        if component is None or self.draft.failed(steps):
            return None

        def make() -> Any:
            return self.draft.catalog.build(component.kind, component.spec, *wired, clock=clock)

        if component.kind in ("backbone", "head", "loss"):
            return self.attempt(steps, component.entry.owner, lambda: _on_meta(make))
        return self.attempt(steps, component.entry.owner, make)

    def owner(self, steps: Steps) -> str:
        """The plugin of the component at ``steps``."""
        return self.draft.components[steps].entry.owner

    def check_optimizers(self) -> None:
        for steps in self.draft.of_kind("optimizer"):
            groups = [
                {"params": [nn.Parameter(torch.zeros(2, 2))], "vector": False, "lr_scale": 1.0},
                {"params": [nn.Parameter(torch.zeros(2))], "vector": True, "lr_scale": 1.0},
            ]
            self.build(steps, groups, clock=Clock(0, 1, 1))

    def check_backbone(self) -> FeatureSpec | None:
        backbone: Backbone | None = self.build(("backbone",))
        self.modules["backbone"] = backbone
        return None if backbone is None else backbone.spec

    def check_head(self, name: str, features: FeatureSpec | None) -> None:
        steps = ("heads", name)
        self.modules[f"heads.{name}"] = None
        trains = list(self.trains())
        unknown = [data for data, heads in trains if name in heads and data not in self.labels]
        if features is None or unknown:
            return
        head: Head | None = self.build(steps, features, first_label(trains, name, self.labels))
        if head is None:
            return
        if head.needs_maps and features.map_channels == 0:
            self.draft.add(steps, "the head needs feature maps, the backbone gives none", self.owner(steps))
            return
        outputs = self.attempt(steps, self.owner(steps), lambda: dict(head.outputs))
        if outputs is not None:
            self.modules[f"heads.{name}"], self.outputs[name] = head, outputs

    def trains(self) -> Iterable[tuple[str, list[object]]]:
        """For each stream its data set and the heads that it trains."""
        for number in range(len(self.draft.items("phases"))):
            for name in self.draft.mapping("phases", number, "streams"):
                steps = ("phases", number, "streams", name)
                objectives = self.draft.items(*steps, "objectives")
                heads = [objective.get("head") for objective in objectives if isinstance(objective, dict)]
                yield str(self.draft.get(*steps, "data")), heads

    def check_stream(self, steps: Steps, prefix: str) -> None:
        views = self.views(steps)
        if not self.draft.failed((*steps, "accumulate")):
            accumulate = self.draft.mapping(*steps).get("accumulate", 1)
            batch_size = self.draft.get(*steps, "batch_size")
            if isinstance(batch_size, int) and not self.draft.failed((*steps, "batch_size")):
                objection = division_objection(batch_size, accumulate)
                if objection:
                    self.draft.add((*steps, "accumulate"), objection)
        trained: list[str] = []
        for number in range(len(self.draft.items(*steps, "objectives"))):
            place = (*steps, "objectives", number)
            head, output = self.draft.get(*place, "head"), self.draft.get(*place, "output")
            known = self.outputs.get(head, {}) if isinstance(head, str) else {}
            trained += [f"{head}.{name}" for name in known if output in (None, name)]
            loss = self.loss(place)
            self.modules[f"{prefix}.{number}"] = loss
            if loss is not None:
                self.losses[place] = loss
                self.check_loss((*place, "loss"), loss, views, self.draft.get(*steps, "data"))
        if views is not None:
            self.streams.setdefault(str(steps[-1]), PoolStream(views, tuple(dict.fromkeys(trained))))

    def views(self, steps: Steps) -> ViewSpec | None:
        """What the generator of a stream makes of one image."""
        chain: list[Generator] = []
        views = ViewSpec()
        for number in range(len(self.draft.items(*steps, "generator"))):
            place = (*steps, "generator", number)
            generator: Generator | None = self.build(place)
            if generator is None:
                return None
            chain.append(generator)
            planned = self.attempt(place, self.owner(place), lambda: plan_chain(chain))
            if planned is None:
                return None
            views = planned
        return views

    def loss(self, steps: Steps) -> Loss | None:
        """The loss of an objective, built on the outputs that it uses."""
        head, output = self.draft.get(*steps, "head"), self.draft.get(*steps, "output")
        if not isinstance(head, str) or head not in self.outputs or self.draft.failed((*steps, "output")):
            return None
        used = self.attempt((*steps, "output"), "", lambda: chosen_outputs(head, output, self.outputs[head]))
        loss: Loss | None = None if used is None else self.build((*steps, "loss"), used)
        return loss

    def check_loss(self, steps: Steps, loss: Loss, views: ViewSpec | None, data: object) -> None:
        owner = self.owner(steps)
        if views is None or not isinstance(data, str) or data not in self.labels:
            return
        label = self.labels[data]
        for sentence in self.attempt(steps, owner, lambda: list(loss.check(views, label))) or ():
            self.draft.add(steps, sentence, owner)

    def check_predict(self, features: FeatureSpec | None) -> None:
        predict: Predict | None = self.build(("predict",))
        if predict is None or features is None:
            return
        outputs = {f"{head}.{name}": spec for head, named in self.outputs.items() for name, spec in named.items()}
        owner = self.owner(("predict",))
        for sentence in self.attempt(("predict",), owner, lambda: list(predict.check(outputs, features))) or ():
            self.draft.add(("predict",), sentence, owner)

    def check_keep_best(self) -> None:
        wanted = self.draft.mapping().get("keep_best")
        if not isinstance(wanted, str) or self.draft.failed(("keep_best",)) or None in self.evaluators.values():
            return
        label, _, metric = wanted.partition(".")
        evaluator = self.evaluators.get(label)
        if evaluator is None:
            known = suggestion(label, list(self.evaluators))
            return self.draft.add(("keep_best",), f"the recipe has no evaluator {label!r}{known}")
        names = list(evaluator.headline())
        if metric and metric not in names:
            return self.draft.add(
                ("keep_best",), f"{label} has no headline metric {metric!r}{suggestion(metric, names)}"
            )
        specs = [spec for spec in self.draft.items("evaluate") if isinstance(spec, dict)]
        number = list(self.evaluators).index(label)
        if self.draft.mapping().get("evaluate_every_epochs") is None:
            text = "there is no evaluation during training to choose from; set evaluate_every_epochs"
            self.draft.add(("keep_best",), text)
        elif number < len(specs) and specs[number].get("during_training") is False:
            self.draft.add(("keep_best",), f"{label} has during_training: false, so there is nothing to choose from")

    def check_acquirer(self) -> None:
        """The acquirer of a recipe whose streams and heads are all known."""
        steps = ("acquire",)
        acquirer: Acquirer | None = self.build(steps)
        if acquirer is None:
            return
        component = self.draft.components[steps]
        self.check_outputs(steps, component)
        if self.draft.problems:
            return
        owner, numbers = component.entry.owner, numbers_of(self.outputs)
        for sentence in self.attempt(steps, owner, lambda: list(acquirer.check(self.streams, numbers))) or ():
            self.draft.add(steps, sentence, owner)

    def check_evaluator(self, steps: Steps) -> None:
        component = self.draft.components.get(steps)
        evaluator: Evaluator | None = self.build(steps)
        if component is not None:
            self.evaluators[evaluator_label(component.spec["use"], self.evaluators)] = evaluator
        if component is None or evaluator is None:
            return
        owner = component.entry.owner
        self.check_outputs(steps, component)
        missing = self.attempt((*steps, "use"), owner, evaluator.requires)
        if missing:
            self.draft.add((*steps, "use"), missing, owner)
        named = set(_references(component, "data"))
        if not named <= set(self.labels):
            return
        unlabeled = [name for name in sorted(named) if self.labels[name].kind is None]
        if unlabeled and self.draft.get(*steps, "optional") is True:
            return  # the run leaves it out and says so
        for sentence in self.attempt(steps, owner, lambda: list(evaluator.check(self.labels))) or ():
            self.draft.add(steps, sentence, owner)

    def check_outputs(self, steps: Steps, component: Checked) -> None:
        """The outputs that an evaluator names; of heads that have failed nothing is known."""
        names = output_names(self.outputs)
        failed = set(self.draft.mapping("heads")) - set(self.outputs)
        for spot in walk(type(component.options), plain(component.options)):
            if not isinstance(spot.mark, Refers) or spot.mark.to != "output" or not isinstance(spot.value, str):
                continue
            if spot.value not in names and spot.value.partition(".")[0] not in failed:
                text = f"no output is called {spot.value!r}{suggestion(spot.value, names)}"
                self.draft.add((*steps, *spot.steps), text, component.entry.owner)


def _on_meta(make: Callable[[], T]) -> T:
    """Build without drawing weights; a constructor that needs real numbers gets them."""
    try:
        with torch.device("meta"):
            return make()
    except UserError:
        raise
    except Exception:
        return make()


def _references(component: Checked, to: str) -> Iterable[str]:
    for spot in walk(type(component.options), plain(component.options)):
        if isinstance(spot.mark, Refers) and spot.mark.to == to and isinstance(spot.value, str):
            yield spot.value


def _name(phase: object) -> object:
    return phase.get("name") if isinstance(phase, dict) else None
