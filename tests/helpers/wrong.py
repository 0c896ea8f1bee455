"""Components that are wrong on purpose, and what a run says of each."""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any

import yaml
from helpers import fakes
from helpers.fakes import Arrow, Descent, Flat, Pull
from helpers.plugins import plugin

import rankhub
import rankhub_guards
import rankhub_train
from rankhub import Component, UserError
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.discovery import PluginSource, ask_all
from rankhub.recipe.load import LoadedRecipe

OWNER, VERSION = "strange", "0.1"
BASES = {
    "dataset": fakes.Patches,
    "generator": fakes.Jitter,
    "backbone": fakes.Flat,
    "head": fakes.Arrow,
    "loss": fakes.Pull,
    "optimizer": fakes.Descent,
    "schedule": fakes.Ramp,
    "predict": fakes.Whole,
    "evaluator": fakes.Spread,
    "callback": fakes.Stopper,
}


@dataclass(frozen=True)
class Wrong:
    """One of them: a good component of the fakes with some of its attributes replaced."""

    kind: str
    name: str
    says: str  # a part of the sentence
    base: type | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)  # changes, by dotted path
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}"

    @property
    def title(self) -> str:
        return f"{self.kind} 'mine' of plugin {OWNER} {VERSION}"


def wrong(kind: str, name: str, says: str, base: type | None = None, recipe: Any = None, **attributes: Any) -> Wrong:
    """A row of a table."""
    return Wrong(kind, name, says, base, recipe or {}, attributes)


def catalog_of(case: Wrong) -> Catalog:
    """The fakes, the guards, and a plugin whose component ``mine`` is the wrong one."""
    base = case.base or BASES[case.kind]
    for name, value in case.attributes.items():
        if isinstance(value, FunctionType):  # a sentence says in which method something happened
            value.__code__ = value.__code__.replace(co_name=name)
    mine = type("Mine", (base,), {"__module__": __name__, **case.attributes})
    sys.modules[__name__].Mine = mine
    record = Component(case.kind, "mine", f"{__name__}:Mine", "Wrong on purpose.")
    strange = plugin(record)
    sources = [
        PluginSource("fakes", "fakes", "1", lambda: fakes),
        PluginSource("rankhub_guards", "rankhub", "1", lambda: rankhub_guards),
        PluginSource("rankhub_train", "rankhub", "1", lambda: rankhub_train),
        PluginSource(OWNER, "strange-dist", VERSION, lambda: strange),
    ]
    return Catalog(ask_all(sources))


_PLACES: Mapping[str, Mapping[str, Any]] = {
    "dataset": {"data.train": {"use": "mine", "count": 12}},
    "generator": {"streams.views.generator": [{"use": "mine"}]},
    "backbone": {"backbone": {"use": "mine"}},
    "head": {"heads.main": {"use": "mine"}},
    "loss": {"streams.views.objectives": [{"use": "mine", "head": "main"}]},
    "optimizer": {"optimizer": {"use": "mine", "lr": 0.05}},
    "schedule": {"schedule": {"use": "mine"}},
    "predict": {"predict": {"use": "mine"}},
    "evaluator": {"evaluate": [{"use": "mine", "data": "test"}, {"use": "spread", "data": "test"}]},
    "callback": {"callbacks": [{"use": "mine"}]},
}
SMALL = {"data.train.count": 12, "data.test.count": 4, "phases": [{"name": "only", "steps": 3, "streams": ["views"]}]}


def loaded(case: Wrong) -> LoadedRecipe:
    """A small recipe that uses it."""
    recipe = copy.deepcopy(yaml.safe_load(fakes.RECIPE))
    for path, value in {**SMALL, **_PLACES[case.kind], **case.recipe}.items():
        *above, last = path.split(".")
        here = recipe
        for step in above:
            here = here[step]
        here[last] = value
    return rankhub.load_recipe(recipe, catalog=catalog_of(case))


def said_of(case: Wrong, out: Path, caplog: Any) -> str:
    """What a run with it says: the error that ends it, else its warnings; nothing if all goes well."""
    caplog.set_level(logging.WARNING, "rankhub")
    try:
        rankhub.train(loaded(case), out)
    except UserError as error:
        return str(error)
    return "\n".join(record.getMessage() for record in caplog.records)


LABELED = {
    "streams.views.generator": [],
    "streams.views.objectives": [{"use": "mine", "head": "main"}],
}
FITTED = {**LABELED, "streams.views.objectives": [{"use": "fit", "head": "main"}]}
TRAINED = {"phases": [{"name": "only", "steps": 6, "streams": ["views"]}], "strict": True}


def features(change):
    """A backbone that changes what a good one gives."""
    return {"forward": lambda self, images, maps=False: change(self, images, Flat.forward(self, images, maps))}


def outputs(**changed):
    """A head that changes some outputs of a good one."""

    def forward(self, given):
        good = Arrow.forward(self, given)
        return {**good, **{name: change(self, given, good) for name, change in changed.items()}}

    return {"forward": forward}


def result(change, base=Pull):
    """A loss that changes what a good one gives."""
    return {
        "forward": lambda self, out, target, context: change(
            self, out, target, base.forward(self, out, target, context)
        )
    }


def later(good, bad, calls=4):
    """Good for so many calls, bad then."""

    def forward(self, *args, **kwargs):
        self.called = getattr(self, "called", 0) + 1
        return (good if self.called <= calls else bad)(self, *args, **kwargs)

    return {"forward": forward}


def raises(error):
    """Fails."""

    def method(self, *args, **kwargs):
        raise error

    return method


def raises_of_constructor(self):
    raise ValueError("no")


def without_rate(self, params, /, *, lr: float = 0.05):
    Descent.__init__(self, params, lr=lr)
    for group in self.param_groups:
        del group["lr"]
