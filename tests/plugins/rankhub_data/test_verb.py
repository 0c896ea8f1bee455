from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rankhub import hookimpl
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.component import Component
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.errors import UserError
from rankhub_data import verb
from rankhub_data.fetchable import Fetchable


class Shipped(Dataset):
    """A data set that has nothing to download."""

    def open(self, context):
        raise NotImplementedError

    def __len__(self):
        return 0

    def __getitem__(self, index):
        raise IndexError


class Loaded(Shipped, Fetchable):
    """A data set of 30 MB."""

    asked: tuple = ()
    steps = (0, 10, 20, 30)
    fails: BaseException | None = None

    @classmethod
    def fetch(cls, folder, mirror, progress):
        Loaded.asked = (folder, mirror)
        for done in cls.steps:
            progress(done * 10**6, 30 * 10**6, "downloading")
        if cls.fails is not None:
            raise cls.fails
        return Path("/sets/loaded")


class Plugin:
    @hookimpl
    def rankhub_components(self):
        names = ("Shipped", "Loaded", "Broken")
        return [Component("dataset", name.lower(), f"{__name__}:{name}", "A data set.") for name in names]


@pytest.fixture(autouse=True)
def _catalog(monkeypatch):
    catalog = Catalog.of({"tests": Plugin()})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: catalog))


def call(*words: str):
    return CliRunner().invoke(verb.app, ["fetch", *words])


def test_fetch_says_where_the_data_are():
    result = call("loaded")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "loaded is ready in /sets/loaded"
    assert Loaded.asked == (None, None)


def test_plain_lines_where_there_is_no_terminal():
    assert call("loaded").output.splitlines()[:-1] == [f"downloading: {done} of 30 MB" for done in (0, 10, 20, 30)]


def test_folder_and_mirror_are_handed_on():
    call("loaded", "--to", "/elsewhere", "--mirror", "http://mirror/a.tar")
    assert Loaded.asked == (Path("/elsewhere"), "http://mirror/a.tar")


def test_complete_data_are_said_to_be(monkeypatch):
    monkeypatch.setattr(Loaded, "steps", ())
    assert call("loaded").output == "loaded is already complete in /sets/loaded\n"


def test_bars_on_a_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    output = call("loaded").output
    assert "downloading" in output
    assert "30.0/30.0 MB" in output


def test_data_set_without_a_download_lists_those_that_have_one():
    error = call("shipped").exception
    assert isinstance(error, UserError)
    assert str(error) == "the data set 'shipped' has nothing to download; those that can: loaded"


def test_unknown_data_set_names_the_nearest():
    error = call("loadet").exception
    assert isinstance(error, UserError)
    assert "loaded" in str(error)


def test_errors_of_the_download_are_passed_on(monkeypatch):
    monkeypatch.setattr(Loaded, "fails", UserError("the server is gone"))
    assert str(call("loaded").exception) == "the server is gone"


def test_interrupt_says_how_to_go_on(monkeypatch):
    monkeypatch.setattr(Loaded, "fails", KeyboardInterrupt())
    result = call("loaded")
    assert result.exit_code == 130
    assert "the same command goes on" in result.output


def test_importing_the_verb_imports_nothing_heavy():
    code = "import sys, rankhub_data.verb; print({'torch', 'numpy', 'PIL'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
