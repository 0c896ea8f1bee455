"""Each plugin is asked alone; what is wrong with one is listed and spoils no other."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import subprocess
import sys
import threading
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace

import pytest
from helpers.plugins import component, plugin

import rankhub
from rankhub.catalog import discovery
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.discovery import BrokenPlugin, Plugin, PluginSource, ask_all, installed


def answers(**plugins):
    """Owner -> answer."""
    sources = [
        PluginSource(owner, f"{owner}-dist", "1.2", lambda given=given: given) for owner, given in plugins.items()
    ]
    return {answer.owner: answer for answer in ask_all(sources)}


def failing(error):
    def load():
        raise error

    return load


def hook(answer):
    @rankhub.hookimpl
    def rankhub_components():
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return SimpleNamespace(rankhub_components=rankhub_components)


def test_a_plugin_that_works_is_listed_with_its_distribution():
    (found,) = answers(good=plugin(component("a"))).values()
    assert isinstance(found, Plugin)
    assert (found.owner, found.distribution, found.version) == ("good", "good-dist", "1.2")
    assert [c.name for c in found.components] == ["a"]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (hook(ValueError("no luck\nmore")), "it fails when asked what it brings: ValueError: no luck"),
        (hook(SystemExit(3)), "it fails when asked what it brings: SystemExit: 3"),
        (hook(None), "its rankhub_components returned None, not a list of rankhub.Component"),
        (hook(7), "its rankhub_components returned 7, not a list of rankhub.Component"),
        (hook(["loss"]), "its rankhub_components returned 'loss' in place of an item of a list of rankhub.Component"),
        (hook([component("a"), component("a")]), "it names two components of kind loss 'a'"),
        (SimpleNamespace(), "it answers no hook; mark its function `rankhub_components` with @rankhub.hookimpl"),
        (
            plugin(component("a"), RANKHUB_API=2),
            "it asks for version 2 of the plugin interface, this rankhub has version 1; "
            "install releases of both that fit",
        ),
    ],
)
def test_a_broken_plugin_is_listed_with_its_reason_and_spoils_no_other(broken, reason):
    found = answers(bad=broken, good=plugin(component("b")))
    assert found["bad"] == BrokenPlugin("bad", "bad-dist", "1.2", reason)
    assert isinstance(found["good"], Plugin)


@pytest.mark.parametrize("error", [ImportError("no module named nothing"), SystemExit("gone"), SyntaxError("bad")])
def test_a_plugin_that_cannot_be_imported_is_listed_with_its_own_error(error):
    good = plugin(component("b"))
    sources = [PluginSource("bad", "d", "1", failing(error)), PluginSource("good", "d", "1", lambda: good)]
    bad, works = ask_all(sources)
    assert bad.reason == f"it cannot be imported: {type(error).__name__}: {error}"
    assert isinstance(works, Plugin)


def pressing(swallow):
    """Imports a plugin during which the user presses Ctrl-C."""

    def load():
        with contextlib.suppress(*[KeyboardInterrupt] * swallow):
            signal.raise_signal(signal.SIGINT)
        return plugin(component("a"))

    return load


@pytest.mark.parametrize("swallow", [False, True])
def test_ctrl_c_by_the_user_while_a_plugin_is_imported_interrupts_though_the_plugin_swallows_it(swallow):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        list(ask_all([PluginSource("bad", "d", "1", pressing(swallow))]))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_ctrl_c_that_only_takes_note_is_not_overruled():
    noted = []
    before = signal.signal(signal.SIGINT, lambda *_: noted.append(1))
    try:
        (found,) = ask_all([PluginSource("good", "d", "1", pressing(False))])
    finally:
        signal.signal(signal.SIGINT, before)
    assert isinstance(found, Plugin)
    assert noted == [1]


class Own(BaseException):
    """Beside Exception, and without words."""

    def __str__(self):
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit("x"), "GeneratorExit: x"),
        (asyncio.CancelledError(), "CancelledError"),
        (Own(), "Own"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (MemoryError(), "MemoryError"),
        (ValueError("a" * 10_000), "ValueError: " + "a" * 300),
    ],
)
def test_whatever_a_plugin_raises_is_its_reason_at_import_and_when_asked(error, said):
    sources = [PluginSource("bad", "d", "1", failing(error)), PluginSource("worse", "d", "1", lambda: hook(error))]
    at_import, when_asked, works = ask_all([*sources, PluginSource("good", "d", "1", lambda: plugin(component("b")))])
    assert at_import.reason == f"it cannot be imported: {said}"
    assert when_asked.reason == f"it fails when asked what it brings: {said}"
    assert isinstance(works, Plugin)


def test_an_endless_answer_is_a_reason():
    endless = (component(f"l{number}") for number in itertools.count())
    (found,) = answers(bad=hook(endless)).values()
    assert found.reason == "its rankhub_components returned more than 10,000 items"


def test_a_plugin_cannot_change_the_recursion_limit_or_the_handler_of_ctrl_c():
    def load():
        sys.setrecursionlimit(10**6)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return plugin(component("a"))

    before = sys.getrecursionlimit(), signal.getsignal(signal.SIGINT)
    list(ask_all([PluginSource("rude", "d", "1", load)]))
    assert (sys.getrecursionlimit(), signal.getsignal(signal.SIGINT)) == before


def test_a_thread_that_an_import_leaves_running_is_a_reason():
    stop = threading.Event()

    def load():
        threading.Thread(target=stop.wait, name="waits").start()
        return plugin(component("a"))

    (found,) = ask_all([PluginSource("bad", "d", "1", load)])
    stop.set()
    assert found.reason == "its import starts a thread that does not end (waits)"
    assert discovery.STRAYS.pop().name == "waits"


def test_a_misspelled_hook_is_a_reason():
    @rankhub.hookimpl
    def rankhub_component():
        return []

    (found,) = answers(bad=SimpleNamespace(rankhub_component=rankhub_component)).values()
    assert isinstance(found, BrokenPlugin)
    assert "rankhub_component" in found.reason


def test_a_component_record_with_a_bad_name_is_a_reason():
    @rankhub.hookimpl
    def rankhub_components():
        return [rankhub.Component("loss", "Smooth AP", "m:C", "x")]

    (found,) = answers(bad=SimpleNamespace(rankhub_components=rankhub_components)).values()
    assert "component name 'Smooth AP' must be lower case letters" in found.reason


def test_two_plugins_of_one_name_are_both_broken():
    one, other = plugin(component("a")), plugin(component("b"))
    sources = [PluginSource("same", "first", "1", lambda: one), PluginSource("same", "second", "1", lambda: other)]
    reasons = [answer.reason for answer in ask_all(sources)]
    assert "of second" in reasons[0]
    assert "of first" in reasons[1]


def test_discovery_imports_nothing_heavy(repo):
    code = (
        "import sys; from rankhub.catalog.catalog import Catalog; Catalog.discover()\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repo, check=True)
    names = set(done.stdout.split())
    assert "rankhub_s2r2" in names
    assert names.isdisjoint({"torch", "torchvision", "timm", "faiss", "numpy", "pydantic", "rich", "yaml"})


def test_the_official_plugins_are_installed_with_their_version():
    found = {source.owner: source for source in installed()}
    assert found["rankhub_s2r2"].distribution == "rankhub"
    assert found["rankhub_s2r2"].version == rankhub.__version__
    assert Catalog.discover().broken == ()


def only_first(sources, ask, check):
    for number, source in enumerate(sources):
        facts = (source.owner, source.distribution, source.version)
        yield BrokenPlugin(*facts, f"not asked, {check}", off=True) if number else ask(source)


@pytest.fixture
def two(monkeypatch):
    """Two plugins, and what asks them, by the value of an entry point."""

    def install(asker):
        named = {"a": "helpers.fakes", "b": "helpers.fakes"}
        points = [EntryPoint(name, value, discovery.GROUP) for name, value in named.items()]
        points += [EntryPoint(*one, discovery.ASKERS) for one in (("z", "no_such_module:z"), ("asker", asker))]
        monkeypatch.setattr(discovery, "entry_points", lambda: EntryPoints(points))

    return install


def test_what_an_entry_point_names_asks_the_plugins(two):
    two(f"{__name__}:only_first")
    catalog = Catalog.discover(check=True)
    assert [one.owner for one in catalog.plugins] == ["a"]
    assert [(one.owner, one.reason) for one in catalog.broken] == [("b", "not asked, True")]


def test_where_that_cannot_be_imported_all_are_asked_plainly(two):
    two("no_such_module:ask")
    with pytest.warns(RuntimeWarning, match="no_such_module:ask asks no plugins, so they are asked plainly: ModuleNot"):
        catalog = Catalog.discover()
    assert [one.owner for one in catalog.plugins] == ["a", "b"]
