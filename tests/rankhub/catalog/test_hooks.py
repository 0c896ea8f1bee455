"""Every hook has a test here."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.plugins import component, plugin

import rankhub
from rankhub.catalog import hookspecs
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import Callback, RunInfo

RUN = RunInfo("name", Path("runs"), {}, 0, 10)


def observer(answer):
    @rankhub.hookimpl
    def rankhub_observers(run):
        assert run is RUN
        return answer() if callable(answer) else answer

    return SimpleNamespace(rankhub_observers=rankhub_observers)


def test_every_hook_has_a_test():
    hooks = [name for name, _ in inspect.getmembers(hookspecs, inspect.isfunction) if name.startswith("rankhub_")]
    assert hooks
    assert [name for name in hooks if f"test_hook_{name}" not in globals()] == []


def test_hook_rankhub_components():
    catalog = Catalog.of({"mine": plugin(component("a"), component("b", kind="head"))})
    assert catalog.names("loss") == ["a"]
    assert catalog.names("head") == ["b"]


def test_hook_rankhub_observers():
    first, second = Callback(), Callback()
    catalog = Catalog.of({"one": observer([first]), "two": plugin(component("a")), "three": observer([second])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert catalog.observers(RUN) == [first, second]


@pytest.mark.parametrize("answer", [lambda: 1 / 0, ["no callback"], 3])
def test_an_observer_that_fails_is_a_warning_and_the_others_watch(answer):
    watching = Callback()
    catalog = Catalog.of({"bad": observer(answer), "good": observer([watching])})
    with pytest.warns(RuntimeWarning, match="plugin bad does not watch this run: its rankhub_observers failed"):
        assert catalog.observers(RUN) == [watching]
