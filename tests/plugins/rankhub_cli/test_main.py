"""The command line as a whole: its verbs, exit codes, and what it imports."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer
from helpers.commands import call, call_outside
from helpers.plugins import catalog_of, plugin

import rankhub
from rankhub import Verb
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.errors import UserError

HEAVY = ("torch", "torchvision", "timm", "faiss", "numpy")


def imported(repo, *arguments):
    """Top-level modules that a command line has imported when it ends."""
    code = (
        "import json, sys\n"
        "from rankhub_cli.main import execute\n"
        f"code = execute({list(arguments)!r})\n"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repo, check=True)
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return names


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("plugins", "list"),
        ("plugins", "list", "--json"),
        ("--version",),
        ("describe",),
        ("describe", "loss"),
    ],
    ids=" ".join,
)
def test_imports_nothing_heavy(repo, arguments):
    names = imported(repo, *arguments)
    assert "rankhub" in names
    assert [name for name in HEAVY if name in names] == []


@pytest.mark.parametrize(
    "verb",
    ["plugins", "run", "validate", "predict", "embed", "audit", "index", "export", "describe", "recipes", "schema"],
)
def test_the_help_of_a_verb_imports_nothing_heavy(repo, verb):
    names = imported(repo, verb, "--help")
    assert [name for name in ("torch", "timm", "faiss") if name in names] == []


def test_help_lists_every_verb(capsys):
    called = call(capsys, "--help")
    assert called.code == 0
    brought = [verb for plugin in Catalog.discover().plugins for verb in plugin.verbs]
    assert {"plugins", "run", "label", "validate"} <= {verb.name for verb in brought}
    for verb in brought:
        assert verb.name in called.out
        assert verb.summary.split(",")[0][:40] in called.out


def test_without_a_verb_the_help_is_shown(capsys):
    called = call(capsys)
    assert called.code == 2
    assert "validate" in called.out + called.err


def test_version(capsys):
    assert call(capsys, "--version").out == f"rankhub {rankhub.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [("bogus",), ("validate",), ("validate", "quickstart", "--nonsense"), ("plugins", "lst"), ("--nonsense",)],
)
def test_wrong_usage_ends_with_2(capsys, arguments):
    called = call(capsys, *arguments)
    assert called.code == 2
    assert "Usage: rankhub" in called.err
    assert "Traceback" not in called.err


def with_verbs(monkeypatch, *verbs):
    """These and no others come along, but for what lists plugins."""
    catalog = catalog_of(("mine", "rankhub", plugin(verbs=verbs)))
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls, check=False: catalog))


def with_verb(monkeypatch, error):
    """A verb that raises."""

    def verb():
        raise error

    monkeypatch.setitem(sys.modules, "wrong_verb", SimpleNamespace(verb=verb))
    with_verbs(monkeypatch, Verb("schema", "wrong_verb:verb", "Raises."))


def test_what_the_user_can_mend_is_one_sentence(monkeypatch, capsys):
    with_verb(monkeypatch, UserError("the disk is full; free some space"))
    called = call(capsys, "schema")
    assert (called.code, called.out, called.err) == (2, "", "error: the disk is full; free some space\n")


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    with_verb(monkeypatch, KeyboardInterrupt())
    called = call(capsys, "schema")
    assert called.code == 130
    assert "Traceback" not in called.err


def test_a_verb_may_choose_its_exit_code(monkeypatch, capsys):
    with_verb(monkeypatch, typer.Exit(7))
    assert call(capsys, "schema").code == 7


def test_anything_else_is_a_bug_and_raised(monkeypatch, capsys):
    with_verb(monkeypatch, ZeroDivisionError("oh"))
    with pytest.raises(ZeroDivisionError):
        call(capsys, "schema")


def test_a_broken_verb_costs_the_others_nothing(monkeypatch, capsys):
    with_verbs(monkeypatch, Verb("run", "no_such_module:run", "Train a recipe, or go on with a run."))
    assert call(capsys, "--help").code == 0
    assert call(capsys, "plugins", "list").code == 0


def test_as_a_module(tmp_path):
    called = call_outside("--version", cwd=tmp_path)
    assert (called.code, called.out) == (0, f"rankhub {rankhub.__version__}\n")
