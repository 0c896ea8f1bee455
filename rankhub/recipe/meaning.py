"""Whether the parts of a recipe make sense together: each may look at what comes to it, and object.

Components are built for the purpose, networks on torch's ``meta`` device where that works, so that no weight is
drawn. Nothing here reads data.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import nn

from rankhub.catalog.discovery import brief
from rankhub.catalog.hints import Steps
from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.acquire import Acquirer
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import Evaluator
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.model import Backbone, Head
from rankhub.interfaces.predict import Predict
from rankhub.recipe.accumulation import division_objection
from rankhub.recipe.anchors import check_anchors
from rankhub.recipe.assembly import Assembly, Maker, numbers_of, output_names, pool_streams
from rankhub.recipe.draft import Checked, Draft
from rankhub.recipe.patterns import check_patterns

T = TypeVar("T")


def check_meaning(draft: Draft) -> dict[Steps, Dataset | Backbone]:
    """Build every component that passed and hear its objections; returns those that read files, still closed."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts that are built to be asked alone
        return _Meaning(draft).check()


class Tolerant(Maker):
    """Makes what passed the checks so far; what fails becomes a problem, and what needs it is passed over."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def make(self, steps: Steps, kind: str, call: Callable[[], Any]) -> Any:
        """The component at ``steps``, None if it has failed before, or if it fails now."""
        if steps not in self.draft.components or self.draft.failed(steps):
            return None
        return self.attempt(steps, (lambda: on_meta(call)) if kind in ("backbone", "head", "loss") else call)

    def attempt(self, steps: Steps, call: Callable[[], T]) -> T | None:
        """What ``call`` gives; its objection becomes a problem at ``steps``, and so does a bug of a plugin."""
        if self.draft.refused(steps):
            return None
        owner = self.draft.owner(steps)
        try:
            return call()
        except UserError as error:
            self.draft.add(steps, str(error), owner)
        except Exception as error:
            self.draft.add(steps, f"it fails while it is checked ({brief(error)}); tell its author", owner)
        return None


@dataclass
class _Meaning:
    """The checks, over what could be built."""

    draft: Draft
    losses: dict[Steps, Loss] = field(default_factory=dict)
    """Place of each objective -> its loss."""

    @cached_property
    def assembly(self) -> Assembly:
        return Assembly(self.draft.resolved(), self.draft.catalog, Tolerant(self.draft))

    @cached_property
    def labels(self) -> dict[str, LabelSpec]:
        found = {name: self.assembly.label(name) for name in self.assembly.names("data")}
        return {name: label for name, label in found.items() if label is not None}

    def check(self) -> dict[Steps, Dataset | Backbone]:
        assembly = self.assembly
        for steps in assembly.sites:
            assembly.get(*steps)
        for name in assembly.names("heads"):
            self.check_head(name)
        for name in assembly.names("streams"):
            self.check_stream(name)
        for number, phase in enumerate(assembly.places("phases")):
            for name in assembly.names(*phase, "streams"):
                self.check_division(("phases", number, "streams", name), name)
        backbone = assembly.get("backbone")
        check_anchors(self.draft, self.losses, self.labels, isinstance(backbone, Backbone) and backbone.starts_trained)
        self.check_predict()
        for steps in assembly.places("evaluate"):
            self.check_evaluator(steps)
        self.check_keep_best()
        self.check_acquirer()
        check_patterns(self.draft, self.modules())
        reading: list[Steps] = [*(("data", name) for name in assembly.names("data")), ("backbone",)]
        return {steps: part for steps in reading if (part := assembly.get(*steps)) is not None}

    def hear(self, steps: Steps, call: Callable[[], Iterable[str]]) -> None:
        """Note the sentences of a component against what comes to it."""
        for sentence in self.assembly.maker.attempt(steps, lambda: list(call())) or ():
            self.draft.add(steps, sentence, self.draft.owner(steps))

    def modules(self) -> dict[str, nn.Module | None]:
        """Prefix of parameter names -> module, None where it could not be built."""
        found: dict[str, nn.Module | None] = {"backbone": self.assembly.get("backbone")}
        for name in self.assembly.names("heads"):
            found[f"heads.{name}"] = self.assembly.get("heads", name)
        for stream in self.assembly.names("streams"):
            for label, place in self.assembly.listed("streams", stream, "objectives"):
                found[f"losses.{stream}.{label}"] = self.assembly.get(*place)
        return found

    def check_head(self, name: str) -> None:
        head: Head | None = self.assembly.get("heads", name)
        features = self.assembly.features()
        if head is None or features is None:
            return
        if head.needs_maps and features.map_channels == 0:
            steps = ("heads", name)
            self.draft.add(steps, "the head needs feature maps, the backbone gives none", self.draft.owner(steps))

    def check_stream(self, name: str) -> None:
        self.check_division(("streams", name), name)
        assembly = self.assembly
        chain = assembly.chain(name)
        label = self.labels.get(str(assembly.at("streams", name, "data")))
        for place in assembly.places("streams", name, "objectives"):
            loss: Loss | None = assembly.get(*place)
            if loss is None:
                continue
            self.losses[place] = loss
            if chain is not None and label is not None:
                self.hear(place, lambda loss=loss, views=chain[1], label=label: loss.check(views, label))  # type: ignore[misc]

    def check_division(self, steps: Steps, stream: str) -> None:
        """Whether a stream's batches, as it says or as a phase changes them, can be cut into micro-batches."""
        values = {}
        for key, otherwise in (("batch_size", None), ("accumulate", 1)):
            at = self.draft.get(*steps, key)
            place = steps if at is not None else ("streams", stream)
            at = self.draft.get(*place, key)
            values[key] = otherwise if at is None else at
            if self.draft.failed((*place, key)):
                return
        if isinstance(values["batch_size"], int) and isinstance(values["accumulate"], int):
            objection = division_objection(values["batch_size"], values["accumulate"])
            own = [key for key in ("accumulate", "batch_size") if self.draft.get(*steps, key) is not None]
            if objection and own:
                self.draft.add((*steps, own[0]), objection)

    def check_predict(self) -> None:
        predict: Predict | None = self.assembly.get("predict")
        features = self.assembly.features()
        if predict is None or features is None:
            return
        heads = self.assembly.all_outputs()
        outputs = {f"{head}.{name}": spec for head, named in heads.items() for name, spec in named.items()}
        self.hear(("predict",), lambda: predict.check(outputs, features))

    def check_keep_best(self) -> None:
        wanted = self.draft.mapping().get("keep_best")
        evaluators = {label: self.assembly.get(*place) for label, place in self.assembly.listed("evaluate")}
        if not isinstance(wanted, str) or self.draft.failed(("keep_best",)) or None in evaluators.values():
            return
        label, _, metric = wanted.partition(".")
        evaluator: Evaluator | None = evaluators.get(label)
        if evaluator is None:
            known = suggestion(label, list(evaluators))
            return self.draft.add(("keep_best",), f"the recipe has no evaluator {label!r}{known}")
        names = list(evaluator.headline())
        if metric and metric not in names:
            return self.draft.add(
                ("keep_best",), f"{label} has no headline metric {metric!r}{suggestion(metric, names)}"
            )
        if self.draft.mapping().get("evaluate_every_epochs") is None:
            text = "there is no evaluation during training to choose from; set evaluate_every_epochs"
            self.draft.add(("keep_best",), text)
        elif self.draft.get("evaluate", list(evaluators).index(label), "during_training") is False:
            self.draft.add(("keep_best",), f"{label} has during_training: false, so there is nothing to choose from")

    def check_acquirer(self) -> None:
        """The acquirer of a recipe whose streams and heads are all known."""
        steps = ("acquire",)
        acquirer: Acquirer | None = self.assembly.get(*steps)
        if acquirer is None:
            return
        self.check_outputs(steps, self.draft.components[steps])
        if not self.draft.problems:
            numbers = numbers_of(self.assembly.all_outputs())
            self.hear(steps, lambda: acquirer.check(pool_streams(self.assembly), numbers))

    def check_evaluator(self, steps: Steps) -> None:
        component = self.draft.components.get(steps)
        evaluator: Evaluator | None = self.assembly.get(*steps)
        if component is None or evaluator is None:
            return
        self.check_outputs(steps, component)
        missing = self.assembly.maker.attempt(steps, evaluator.requires)
        if missing:
            self.draft.add((*steps, "use"), missing, component.entry.owner)
        named = {name for _, what, name in component.refers() if what == "data"}
        if not named <= set(self.labels):
            return
        unlabeled = [name for name in sorted(named) if self.labels[name].kind is None]
        if unlabeled and self.draft.get(*steps, "optional") is True:
            return  # the run leaves it out and says so
        self.hear(steps, lambda: evaluator.check(self.labels))

    def check_outputs(self, steps: Steps, component: Checked) -> None:
        """The outputs that an evaluator names; of heads that have failed nothing is known."""
        heads = self.assembly.all_outputs()
        names, failed = output_names(heads), set(self.assembly.names("heads")) - set(heads)
        for below, what, name in component.refers():
            if what == "output" and name not in names and name.partition(".")[0] not in failed:
                text = f"no output is called {name!r}{suggestion(name, names)}"
                self.draft.add((*steps, *below), text, component.entry.owner)


def on_meta(make: Callable[[], T]) -> T:
    """Build without drawing weights; a constructor that needs real numbers gets them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # initialisers say that they do nothing on the meta device
        try:
            with torch.device("meta"):
                return make()
        except UserError:
            raise
        except Exception:
            return make()
