"""Verbs that plugins bring: called by their name, `plugins` is rankhub's own, and a broken one breaks nothing."""

from __future__ import annotations

import pytest
import typer
from helpers.commands import call, call_outside
from helpers.plugins import catalog_of, component, plugin, sources_of, verb

import rankhub_guards
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.discovery import ask_all
from rankhub.interfaces.errors import UserError

TARGET = f"{__name__}:"
group = typer.Typer(help="Several things.", no_args_is_help=True)


@group.command("one")
def one(times: int = 1) -> None:
    """The first thing."""
    print("one" * times)


@group.command("two")
def two() -> None:
    """The second thing."""
    raise UserError("two is too much; take one")


def greet(name: str, loud: bool = False) -> None:
    """Greet somebody."""
    print(f"hello {name}{'!' if loud else ''}")


def broken() -> None:
    """Has a bug."""
    raise ZeroDivisionError("oh")


NO_VERB = 3


@pytest.fixture
def installed(monkeypatch):
    """Say which plugins are there."""

    def install(**plugins):
        catalog = Catalog.of(plugins)
        monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls, check=False: catalog))
        return catalog

    return install


def test_a_function_is_a_verb_with_its_arguments_options_and_help(installed, capsys):
    installed(mine=plugin(verbs=[verb("greet", f"{TARGET}greet")]))
    assert call(capsys, "greet", "you", "--loud").out == "hello you!\n"
    page = call(capsys, "greet", "--help")
    assert (page.code, "Greet somebody." in page.out, "--loud" in page.out) == (0, True, True)
    assert call(capsys, "greet").code == 2


def test_an_app_is_a_verb_with_verbs_of_its_own(installed, capsys):
    installed(mine=plugin(verbs=[verb("things", f"{TARGET}group")]))
    assert call(capsys, "things", "one", "--times", "2").out == "oneone\n"
    called = call(capsys, "things", "two")
    assert (called.code, called.err) == (2, "error: two is too much; take one\n")
    assert "The first thing." in call(capsys, "things", "--help").out


def test_help_lists_them_by_their_summaries_without_importing_them(installed, capsys):
    installed(mine=plugin(verbs=[verb("greet", f"{TARGET}greet"), verb("lost", "no_such_module:x")]))
    called = call(capsys, "--help")
    assert called.code == 0
    for line in ("greet", "The verb greet.", "lost", "The verb lost."):
        assert line in called.out


def test_the_list_of_plugins_cannot_be_replaced(installed, capsys):
    installed(mine=plugin(verbs=[verb("plugins", f"{TARGET}greet")]))
    assert "rankhub" not in call(capsys, "plugins", "list").out.split()[:1]
    assert call(capsys, "plugins", "you").code == 2
    assert call(capsys, "mine/plugins", "you").out == "hello you\n"
    assert "mine/plugins" in call(capsys, "--help").out


def test_of_two_plugins_verbs_of_one_name_neither_stands_alone(installed, capsys):
    installed(a=plugin(verbs=[verb("greet", f"{TARGET}greet")]), b=plugin(verbs=[verb("greet", f"{TARGET}group")]))
    assert call(capsys, "greet", "you").code == 2
    assert call(capsys, "a/greet", "you").out == "hello you\n"
    assert call(capsys, "b/greet", "one").out == "one\n"
    listed = call(capsys, "--help").out
    assert "a/greet" in listed
    assert "b/greet" in listed


def test_a_verb_that_comes_along_with_the_core_keeps_its_name(monkeypatch, capsys):
    official = ("use", "rankhub", plugin(verbs=[verb("greet", f"{TARGET}greet")]))
    catalog = catalog_of(("acme", "acme", plugin(verbs=[verb("greet", f"{TARGET}group")])), official)
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls, check=False: catalog))
    assert call(capsys, "greet", "you").out == "hello you\n"
    assert call(capsys, "acme/greet", "one").out == "one\n"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no_such_module:x", "ModuleNotFoundError: No module named 'no_such_module'"),
        (f"{TARGET}nothing", "AttributeError: "),
        (f"{TARGET}NO_VERB", "is no function"),
    ],
)
def test_one_that_cannot_be_loaded_is_a_sentence_and_costs_the_others_nothing(installed, capsys, target, said):
    installed(mine=plugin(verbs=[verb("lost", target), verb("greet", f"{TARGET}greet")]))
    called = call(capsys, "lost")
    assert called.code == 2
    assert called.err.startswith("error: the verb lost cannot be ")
    assert said in called.err
    assert "Traceback" not in called.err
    assert call(capsys, "greet", "you").code == 0
    assert call(capsys, "--help").code == 0


def test_a_bug_of_a_verb_names_its_plugin_and_shows_the_traceback_where_asked(installed, capsys, monkeypatch):
    installed(rankhub_guards=rankhub_guards, mine=plugin(verbs=[verb("bug", f"{TARGET}broken")]))
    called = call(capsys, "bug")
    assert called.code == 2
    assert called.err.startswith("error: plugin mine 0 failed in broken: ZeroDivisionError: ")
    assert "Traceback" not in called.err
    monkeypatch.setenv("RANKHUB_TRACEBACK", "1")
    assert "Traceback" in call(capsys, "bug").err


def test_a_broken_plugin_never_breaks_the_help(monkeypatch, capsys):
    def raises():
        raise ImportError("gone")

    good = plugin(component("a"), verbs=[verb("greet", f"{TARGET}greet")])
    wrong = plugin(verbs=[3])
    catalog = Catalog(ask_all(sources_of(("bad", raises), ("wrong", lambda: wrong), ("good", lambda: good))))
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls, check=False: catalog))
    called = call(capsys, "--help")
    assert (called.code, "greet" in called.out) == (0, True)
    assert call(capsys, "greet", "you").out == "hello you\n"
    called = call(capsys, "gret")
    assert called.code == 2
    assert called.err.startswith(
        "error: no verb is called 'gret'; did you mean 'greet'?; or is it in plugin bad, which "
    )
    assert "cannot be used: it cannot be imported: ImportError: gone; or is it in plugin wrong, which" in called.err


def test_a_broken_plugin_on_the_path_never_breaks_the_help(tmp_path):
    facts = tmp_path / "broken_verbs-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-verbs\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[rankhub.plugins]\nbroken_verbs = broken_verbs\n")
    (tmp_path / "broken_verbs.py").write_text(
        "import rankhub\n\n@rankhub.hookimpl\ndef rankhub_verbs():\n    raise SystemExit(3)\n"
    )
    called = call_outside("--help", cwd=tmp_path)
    assert (called.code, "validate" in called.out, called.err) == (0, True, "")
    assert "it fails when asked what it brings: SystemExit: 3" in call_outside("plugins", "list", cwd=tmp_path).out
