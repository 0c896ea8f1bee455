"""Whether the parts of a recipe make sense together: each may look at what comes to it, and object.

Components are built for the purpose, networks on torch's ``meta`` device where that works, so that no weight is
drawn. Nothing here reads data.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn

from rankhub.catalog.blame import blamed
from rankhub.catalog.hints import KeyPath, dotted
from rankhub.catalog.nearest import nearest, suggestion
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.errors import ComponentError, UserError, brief
from rankhub.interfaces.evaluate import Evaluator
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.model import Backbone, Head
from rankhub.interfaces.predict import Predict
from rankhub.recipe.assembly import Assembly, Builder
from rankhub.recipe.check import Checked, Draft
from rankhub.recipe.schema import matching

T = TypeVar("T")

_REMEDY = (
    "add an objective on labeled data to the phase, start from trained weights (start_from, backbone.pretrained, "
    "backbone.weights), or choose another option"
)


def check_meaning(draft: Draft) -> dict[KeyPath, Dataset | Backbone]:
    """Build every component that passed and hear its objections; returns those that read files, still closed."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts that are built to be asked alone
        return _Meaning(draft).check()


class Tolerant(Builder):
    """Makes what passed the checks so far; what fails becomes a problem, and what needs it is passed over."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def make(self, steps: KeyPath, kind: str, call: Callable[[], Any]) -> Any:
        """The component at ``steps``, None if it has failed before, or if it fails now."""
        if steps not in self.draft.components or self.draft.failed(steps):
            return None
        return self.attempt(steps, (lambda: on_meta(call)) if kind in ("backbone", "head", "loss") else call)

    def attempt(self, steps: KeyPath, call: Callable[[], T]) -> T | None:
        """What ``call`` gives; its objection becomes a problem at ``steps``, and so does a bug of a plugin."""
        if steps in self.draft.wrong:
            return None
        try:
            with blamed(self.draft.catalog):
                return call()
        except UserError as error:
            self.draft.add(steps, str(error))
        except Exception as error:
            self.draft.add(steps, f"it fails while it is checked ({brief(error)}); tell its author")
        return None


class _Meaning:
    """The checks, over what could be built."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.assembly = Assembly(draft.resolved(), draft.catalog, Tolerant(draft))
        labels = {name: self.assembly.label(name) for name in self.assembly.names("data")}
        self.labels = {name: label for name, label in labels.items() if label is not None}

    def check(self) -> dict[KeyPath, Dataset | Backbone]:
        assembly = self.assembly
        for steps in assembly.sites:
            assembly.get(*steps)
        for name in assembly.names("heads"):
            self.check_head(name)
        for name in assembly.names("streams"):
            self.check_stream(name)
        for phase in assembly.addresses("phases"):
            for name in assembly.names(*phase, "streams"):
                self.check_division((*phase, "streams", name), name)
        self.check_anchors()
        self.check_predict()
        for steps, component in self.draft.components.items():
            if assembly.get(*steps) is not None:
                self.check_outputs(steps, component)
        for steps in assembly.addresses("evaluate"):
            self.check_evaluator(steps)
        self.check_keep_best()
        self.check_whole()
        self.check_patterns()
        reading: list[KeyPath] = [*(("data", name) for name in assembly.names("data")), ("backbone",)]
        return {steps: part for steps in reading if (part := assembly.get(*steps)) is not None}

    def hear(self, steps: KeyPath, call: Callable[[], Iterable[str]]) -> None:
        """Note the sentences of a component against what comes to it."""
        for sentence in self.assembly.builder.attempt(steps, lambda: list(call())) or ():
            self.draft.add(steps, sentence)

    def check_patterns(self) -> None:
        """Object to a pattern that means no parameter, which would be passed over in silence."""
        modules: dict[str, nn.Module | None] = {"backbone": self.assembly.get("backbone")}
        modules |= {f"heads.{name}": self.assembly.get("heads", name) for name in self.assembly.names("heads")}
        for stream in self.assembly.names("streams"):
            for label, address in self.assembly.listed("streams", stream, "objectives"):
                modules[f"losses.{stream}.{label}"] = self.assembly.get(*address)
        built = {prefix: module for prefix, module in modules.items() if module is not None}
        unbuilt = modules.keys() - built.keys()
        names = [f"{prefix}.{name}" for prefix, module in built.items() for name, _ in module.named_parameters()]
        buffers = [f"{prefix}.{name}" for prefix, module in built.items() for name, _ in module.named_buffers()]
        for steps, pattern in self.patterns():
            known = [*names, *buffers] if steps[2] == "reset" else names
            fixed = re.split(r"[*?\[]", pattern)[0].rstrip(".")
            unsure = any(prefix.startswith(fixed) or fixed.startswith(prefix) for prefix in unbuilt)
            if unsure or self.draft.failed(steps) or matching(known, pattern):
                continue
            near = nearest(pattern, {part for name in known for part in _parts(name)})
            prefixes = sorted(prefix for prefix, module in built.items() if any(True for _ in module.parameters()))
            advice = f"; did you mean {near!r}?" if near else f"; the names begin with {', '.join(prefixes)}"
            self.draft.add(steps, f"the pattern {pattern!r} matches no parameter of the network{advice}")

    def patterns(self) -> Iterator[tuple[KeyPath, str]]:
        """The patterns of the phases, and where they stand."""
        for phase in self.assembly.addresses("phases"):
            for key in ("freeze", "reset"):
                for steps in self.assembly.addresses(*phase, key):
                    if isinstance(pattern := self.assembly.at(*steps), str):
                        yield steps, pattern
            for pattern in self.assembly.names(*phase, "lr_scale"):
                yield (*phase, "lr_scale", pattern), pattern

    def check_head(self, name: str) -> None:
        head: Head | None = self.assembly.get("heads", name)
        features = self.assembly.features()
        if head is not None and features is not None and head.needs_maps and features.map_channels == 0:
            self.draft.add(("heads", name), "the head needs feature maps, the backbone gives none")

    def losses(self, stream: str) -> dict[KeyPath, Loss]:
        """Address of each objective of a stream -> its loss, as far as they could be built."""
        addresses = self.assembly.addresses("streams", stream, "objectives")
        return {address: loss for address in addresses if (loss := self.assembly.get(*address)) is not None}

    def label_of(self, stream: str) -> LabelSpec | None:
        """What the labels of a stream's data are; None if that cannot be told."""
        return self.labels.get(str(self.assembly.at("streams", stream, "data")))

    def check_stream(self, name: str) -> None:
        self.check_division(("streams", name), name)
        chain, label = self.assembly.chain(name), self.label_of(name)
        if chain is not None and label is not None:
            for address, loss in self.losses(name).items():
                self.hear(address, partial(loss.check, chain[1], label))

    def check_division(self, steps: KeyPath, stream: str) -> None:
        """Whether a stream's batches, as it says or as a phase changes them, can be cut into micro-batches."""
        own, values = self.draft.mapping(*steps), {}
        for key in ("accumulate", "batch_size"):
            address = steps if own.get(key) is not None else ("streams", stream)
            values[key] = self.assembly.at(*address, key)
            if self.draft.failed((*address, key)):
                return
        given = [key for key in values if own.get(key) is not None]
        batch, parts = values["batch_size"], values["accumulate"] or 1
        if given and isinstance(batch, int) and batch % parts:
            near = next(n for n in range(parts, 0, -1) if batch % n == 0)
            text = f"batch_size {batch} cannot be cut into {parts} equal micro-batches; "
            self.draft.add((*steps, given[0]), f"{text}{dotted(steps)}.accumulate={near} would do")

    def check_anchors(self) -> None:
        """Object to a loss of which a constant network is a minimum, where nothing holds the network.

        What holds it: another objective of the phase on labeled data, weights that are loaded, or an earlier phase.
        """
        backbone: Backbone | None = self.assembly.get("backbone")
        held = (backbone is not None and backbone.starts_trained) or self.assembly.at("start_from") is not None
        for phase in self.assembly.addresses("phases"):
            names = self.assembly.names(*phase, "streams")
            said = [(address, name, loss.collapse()) for name in names for address, loss in self.losses(name).items()]
            anchors = [self.label_of(name) for _, name, sentence in said if sentence is None]
            labeled = any(label is not None and label.kind is not None for label in anchors)
            for address, _, sentence in said:
                if sentence is not None and not held and not labeled:
                    self.draft.add(address, f"{sentence}; {_REMEDY}")
            held = held or bool(anchors)

    def check_predict(self) -> None:
        predict: Predict | None = self.assembly.get("predict")
        features = self.assembly.features()
        if predict is None or features is None:
            return
        self.hear(("predict",), lambda: predict.check(self.assembly.all_outputs(), features))

    def check_keep_best(self) -> None:
        wanted = self.assembly.at("keep_best")
        evaluators = {label: self.assembly.get(*address) for label, address in self.assembly.listed("evaluate")}
        if not isinstance(wanted, str) or self.draft.failed(("keep_best",)) or None in evaluators.values():
            return
        label, _, metric = wanted.partition(".")
        evaluator: Evaluator | None = evaluators.get(label)
        names, text = [] if evaluator is None else list(evaluator.headline()), ""
        if evaluator is None:
            text = f"the recipe has no evaluator {label!r}{suggestion(label, list(evaluators))}"
        elif metric and metric not in names:
            text = f"{label} has no headline metric {metric!r}{suggestion(metric, names)}"
        elif self.assembly.at("evaluate_every_epochs") is None:
            text = "there is no evaluation during training to choose from; set evaluate_every_epochs"
        elif self.assembly.at("evaluate", list(evaluators).index(label), "during_training") is False:
            text = f"{label} has during_training: false, so there is nothing to choose from"
        if text:
            self.draft.add(("keep_best",), text)

    def check_whole(self) -> None:
        """The components that are told of streams and heads, where all of those are known."""
        for steps, component in self.draft.components.items():
            told = self.draft.catalog.kinds[component.entry.kind].told
            part = self.assembly.get(*steps) if told and not self.draft.problems else None
            if part is not None:
                self.hear(steps, partial(part.check, *self.assembly.handed(steps, told)))

    def check_evaluator(self, steps: KeyPath) -> None:
        evaluator: Evaluator | None = self.assembly.get(*steps)
        if evaluator is None:
            return
        component = self.draft.components[steps]
        missing = self.assembly.builder.attempt(steps, evaluator.requires)
        if missing:
            self.draft.add((*steps, "use"), missing, component.entry.owner)
        named = {name for _, what, name in component.refers() if what == "data"}
        if not named <= set(self.labels):
            return
        unlabeled = [name for name in sorted(named) if self.labels[name].kind is None]
        if unlabeled and self.assembly.at(*steps, "optional") is True:
            return  # the run leaves it out and says so
        self.hear(steps, lambda: evaluator.check(self.labels))

    def check_outputs(self, steps: KeyPath, component: Checked) -> None:
        """The outputs that a component names; of heads that have failed nothing is known."""
        names = ["backbone", *self.assembly.all_outputs()]
        failed = [head for head in self.assembly.names("heads") if self.assembly.outputs(head) is None]
        for below, what, name in component.refers():
            if what == "output" and name not in names and name.partition(".")[0] not in failed:
                text = f"no output is called {name!r}{suggestion(name, names)}"
                self.draft.add((*steps, *below), text, component.entry.owner)


def _parts(name: str) -> Iterator[str]:
    """The parameter, every part of the network that holds it, and the pattern of all below."""
    pieces = name.split(".")
    for length in range(1, len(pieces) + 1):
        yield ".".join(pieces[:length])
        yield ".".join([*pieces[:length], "*"])


def on_meta(make: Callable[[], T]) -> T:
    """Build without drawing weights; a constructor that needs real numbers gets them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # initializers say that they do nothing on the meta device
        try:
            with torch.device("meta"):
                return make()
        except UserError as error:
            if not isinstance(error, ComponentError):
                raise
        except Exception:
            pass
        return make()
