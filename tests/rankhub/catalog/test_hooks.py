"""Every hook has a test here."""

from __future__ import annotations

import inspect
import io
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import fakes
from helpers.plugins import component, plugin

import rankhub
import rankhub_guards
from rankhub import Talk
from rankhub.catalog import hookspecs
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import Callback, RunInfo
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import Reference
from rankhub.interfaces.guard import Guard
from rankhub.interfaces.kinds import Kind
from rankhub.interfaces.processes import ALONE, Processes

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
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in hooks if f"\ndef test_hook_{name}(" not in tests] == []


def test_hook_rankhub_components():
    catalog = Catalog.of({"mine": plugin(component("a"), component("b", kind="head"))})
    assert catalog.names("loss") == ["a"]
    assert catalog.names("head") == ["b"]


def test_hook_rankhub_observers():
    first, second = Callback(), Callback()
    catalog = Catalog.of({"one": observer([first]), "two": plugin(component("a")), "three": observer([second])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert catalog.asked("rankhub_observers", Callback, "watch this run", run=RUN) == [first, second]


@pytest.mark.parametrize("answer", [lambda: 1 / 0, ["no callback"], 3])
def test_an_observer_that_fails_is_a_warning_and_the_others_watch(answer):
    watching = Callback()
    catalog = Catalog.of({"bad": observer(answer), "good": observer([watching])})
    with pytest.warns(RuntimeWarning, match="plugin bad does not watch this run: its rankhub_observers failed"):
        assert catalog.asked("rankhub_observers", Callback, "watch this run", run=RUN) == [watching]


def guarding(answer):
    @rankhub.hookimpl
    def rankhub_guards():
        return answer() if callable(answer) else answer

    return SimpleNamespace(rankhub_guards=rankhub_guards)


class Noting(Guard):
    """Notes what is made."""

    def __init__(self):
        self.seen = []

    def made(self, kind, component):
        self.seen.append((kind.name, type(component).__name__))


def test_hook_rankhub_guards():
    first, second = Noting(), Noting()
    catalog = Catalog.of({"a": guarding([first]), "b": guarding([second]), "fakes": fakes})
    catalog.build("schedule", {"use": "ramp"})
    assert first.seen == second.seen == [("schedule", "Ramp")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: 1 / 0, "ZeroDivisionError"),
        (["none"], "'none' in place of an item of a list of Guard"),
        (3, "returned 3, not a list of Guard"),
    ],
)
def test_guards_that_are_none_are_a_warning_and_the_others_guard(answer, said):
    good = Noting()
    catalog = Catalog.of({"bad": guarding(answer), "good": guarding([good]), "fakes": fakes})
    with pytest.warns(RuntimeWarning, match=f"plugin bad does not guard: its rankhub_guards failed .*{said}"):
        assert catalog.guards == [good]
    catalog.build("schedule", {"use": "ramp"})
    assert good.seen == [("schedule", "Ramp")]


def test_a_guard_that_fails_is_the_fault_of_its_plugin():
    class Failing(Guard):
        def made(self, kind, component):
            raise ZeroDivisionError("mine")

    catalog = Catalog.of({"bad": guarding([Failing()]), "rankhub_guards": rankhub_guards, "fakes": fakes})
    with pytest.raises(UserError, match=r"^plugin bad 0 failed in made: ZeroDivisionError: mine"):
        catalog.build("schedule", {"use": "ramp"})


def test_hook_rankhub_kinds():
    kind = Kind("greeter", "Says something.", "helpers.fakes:Ramp", "greeter")
    mine = plugin(component("loud", "helpers.fakes:Ramp", "greeter"), kinds=[kind])
    catalog = Catalog.of({"mine": mine, "fakes": fakes})
    assert catalog.kinds["greeter"] is kind
    assert catalog.build("greeter", {"use": "loud"}).start == catalog.build("schedule", {"use": "ramp"}).start
    with pytest.raises(UserError, match=r"must derive from helpers\.fakes\.Ramp"):
        Catalog.of({"mine": plugin(component("x", kind="greeter"), kinds=[kind])}).build("greeter", {"use": "x"})


HOOK = "rankhub_around_run"


def test_hook_rankhub_around_run(tmp_path):
    told = []

    def around(name):
        @contextmanager
        def held(folder):
            told.append(f"{name} enters {folder.name}")
            yield
            told.append(f"{name} leaves")

        return SimpleNamespace(rankhub_around_run=rankhub.hookimpl(held))

    catalog = Catalog.of({"a": around("a"), "b": plugin(component("b")), "c": around("c")})
    with catalog.held(HOOK, folder=tmp_path / "run"):
        told.append("works")
    assert told == ["a enters run", "c enters run", "works", "c leaves", "a leaves"]


def test_what_a_plugin_holds_around_a_run_may_refuse_it(tmp_path):
    @rankhub.hookimpl
    @contextmanager
    def rankhub_around_run(folder):
        raise rankhub.UserError(f"{folder.name} is taken")
        yield

    catalog = Catalog.of({"mine": SimpleNamespace(rankhub_around_run=rankhub_around_run)})
    with pytest.raises(rankhub.UserError, match="run is taken"), catalog.held(HOOK, folder=tmp_path / "run"):
        pass


@pytest.mark.parametrize("answer", [lambda: 1 / 0, lambda: 3])
def test_what_fails_around_a_run_is_one_sentence_that_names_its_plugin(tmp_path, answer):
    @rankhub.hookimpl
    def rankhub_around_run(folder):
        return answer()

    catalog = Catalog.of({"mine": SimpleNamespace(rankhub_around_run=rankhub_around_run)})
    with pytest.raises(rankhub.UserError, match=r"^plugin mine fails around a run \(.*RANKHUB_DISABLE=mine$"):
        catalog.held(HOOK, folder=tmp_path).__enter__()


def knowing(answer):
    @rankhub.hookimpl
    def rankhub_processes():
        return answer() if callable(answer) else answer

    return SimpleNamespace(rankhub_processes=rankhub_processes)


def test_hook_rankhub_processes(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    second = Processes(1, 2, 1)
    catalog = Catalog.of({"a": knowing(None), "b": knowing(second), "c": knowing(Processes(0, 3, 0))})
    assert catalog.processes() is second
    assert Catalog.of({"a": knowing(None)}).processes() == ALONE


@pytest.mark.parametrize("plugins", [{}, {"a": knowing(None)}])
def test_one_of_several_processes_that_no_plugin_knows_does_not_train_by_itself(monkeypatch, tmp_path, plugins):
    monkeypatch.setenv("WORLD_SIZE", "4")
    catalog = Catalog.of({"fakes": fakes, **plugins})
    loaded = rankhub.load_recipe(fakes.RECIPE, catalog=catalog)
    with pytest.raises(UserError, match="WORLD_SIZE is 4, but no plugin that works takes several processes"):
        rankhub.train(loaded, tmp_path / "run", progress=False)
    with pytest.raises(UserError, match="WORLD_SIZE is 4"):
        rankhub.estimate(loaded, progress=False)
    assert not (tmp_path / "run").exists()


def test_a_plugin_that_cannot_say_who_a_process_is_keeps_it_from_training_alone():
    catalog = Catalog.of({"mine": knowing(lambda: 1 / 0)})
    with pytest.raises(UserError, match=r"^plugin mine fails around a run \(ZeroDivisionError.*RANKHUB_DISABLE=mine$"):
        catalog.processes()


def test_hook_rankhub_signals(monkeypatch, tmp_path):
    """Any plugin may end a run as a signal does, here in its second step."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    known = []

    @rankhub.hookimpl
    @contextmanager
    def rankhub_signals(interrupt, several):
        known.append((interrupt, several))
        yield
        known.append("left")

    class Ends(Callback):
        def step_logged(self, step, values):
            interrupt, _ = known[0]
            assert interrupt.waits
            interrupt.asked = "SIGUSR1" if step == 2 else None

    catalog = Catalog.of({"fakes": fakes, "mine": SimpleNamespace(rankhub_signals=rankhub_signals)})
    loaded = rankhub.load_recipe(fakes.RECIPE, catalog=catalog)
    with pytest.raises(rankhub.Interrupted) as ended:
        rankhub.train(loaded, tmp_path / "run", progress=False, callbacks=[Ends()])
    assert ended.value.code == 75
    assert (tmp_path / "run/checkpoints/step_000000002").is_dir()
    assert [several for _, several in known[:1]] == [False]
    assert known[1:] == ["left"]


class Loud(Talk):
    def line(self, text=""):
        super().line(text.upper())


def talker(answer):
    @rankhub.hookimpl
    def rankhub_talks(stream):
        return answer(stream)

    return SimpleNamespace(rankhub_talks=rankhub_talks)


def test_hook_rankhub_talks():
    out = io.StringIO()
    silent, loud = talker(lambda stream: None), talker(lambda stream: [Loud(out)] if stream == "stderr" else [])
    found = Catalog.of({"one": silent, "two": loud}).talk("stderr")
    found.note("it is done")
    found.pairs({"device": "cpu"})
    assert out.getvalue() == "NOTE: IT IS DONE\nDEVICE: CPU\n"


@pytest.mark.parametrize("answer", [lambda stream: 1 / 0, lambda stream: [3], lambda stream: 3])
def test_without_one_that_works_plain_lines_are_shown(answer, capsys):
    with pytest.warns(RuntimeWarning, match="plugin bad does not show what is done: its rankhub_talks failed"):
        found = Catalog.of({"bad": talker(answer)}).talk("stdout")
    found.line("a line")
    found.table([{"": "before", "top1": 0.5}, {"": "after", "top1": 0.75}])
    found.work(1, 2, "evaluate")
    found.finish()
    assert capsys.readouterr().out == "a line\nbefore, top1 0.5\nafter, top1 0.75\n"


def trying(answer):
    @rankhub.hookimpl
    def rankhub_trial(parts):
        return answer(parts)

    return SimpleNamespace(rankhub_trial=rankhub_trial)


def test_hook_rankhub_trial():
    """The first plugin that tries a run serves; what it raises keeps the run from starting."""
    silent, first, last = trying(lambda parts: None), trying(lambda parts: [parts, 2]), trying(lambda parts: 1 / 0)
    assert Catalog.of({"a": silent, "b": first, "c": last}).tried("parts") == ["parts", 2]
    assert Catalog.of({"fakes": fakes}).tried("parts") == []
    with pytest.raises(ZeroDivisionError):
        Catalog.of({"a": last, "b": first}).tried("parts")


def referring(answer):
    @rankhub.hookimpl
    def rankhub_references():
        return answer()

    return SimpleNamespace(rankhub_references=rankhub_references)


def test_hook_rankhub_references():
    rows = [Reference(name, lambda parts: None) for name in ("chance", "pixels")]
    bad, good = referring(lambda: [3]), referring(lambda: rows)
    with pytest.warns(RuntimeWarning, match="plugin bad does not measure references: its rankhub_references failed"):
        assert (
            Catalog.of({"bad": bad, "fakes": fakes, "good": good}).asked(
                "rankhub_references", Reference, "measure references"
            )
            == rows
        )


def worder(say):
    @rankhub.hookimpl
    def rankhub_words(event, talk):
        return say(event, talk)

    return SimpleNamespace(rankhub_words=rankhub_words)


def test_hook_rankhub_words():
    """All plugins that word an event speak; one that fails is named and spoils no other."""
    out = io.StringIO()
    first, last = (worder(lambda event, talk, name=name: talk.line(f"{name}: {event}")) for name in ("first", "last"))
    found = Catalog.of({"a": first, "b": worder(lambda event, talk: 1 / 0), "c": last})
    with pytest.warns(RuntimeWarning, match="plugin b does not say what a run does: its rankhub_words failed"):
        found.say("done", Talk(out))
    assert out.getvalue() == "first: done\nlast: done\n"
