"""What the first pages promise together: the recipe runs, and so do the plugins that README and CONTRIBUTING show."""

from __future__ import annotations

import sys
import tomllib

import pytest
from helpers.papers import SHORT, blocks

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.discovery import installed
from rankhub_cli.main import execute


@pytest.fixture
def recipe(repo, tmp_path, monkeypatch):
    """The README's recipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # where caches go
    (text,) = blocks((repo / "README.md").read_text())["yaml"]
    return text


def run(recipe, folder, capfd):
    (folder / "mine.yaml").write_text(recipe)
    assert execute(["run", "mine.yaml", *SHORT, "--out", str(folder / "run")]) == 0, capfd.readouterr().err
    assert (folder / "run" / "results.csv").exists()


def test_the_recipe_runs(recipe, tmp_path, capfd):
    run(recipe, tmp_path, capfd)


@pytest.mark.parametrize(
    ("paper", "before", "after"),
    [
        ("README.md", "streams:\n", "schedule: {use: straight}\nstreams:\n"),
        ("CONTRIBUTING.md", "use: smooth_ap, head: embedding, tau: 0.05", "use: pull, head: embedding, strength: 0.5"),
    ],
)
def test_the_plugin_works(repo, recipe, tmp_path, capfd, monkeypatch, paper, before, after):
    (text,) = (block for block in blocks((repo / paper).read_text())["python"] if "hookimpl" in block)
    (tmp_path / "my_plugin.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    official = {source.owner: source.load() for source in installed()}
    monkeypatch.delitem(sys.modules, "my_plugin", raising=False)
    import my_plugin

    catalog = Catalog.of({**official, "my_plugin": my_plugin})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: catalog))
    assert before in recipe
    try:
        run(recipe.replace(before, after), tmp_path, capfd)
    finally:
        del sys.modules["my_plugin"]


def test_the_entry_point_is_that_of_the_group(repo):
    (text,) = blocks((repo / "CONTRIBUTING.md").read_text())["toml"]
    assert tomllib.loads(text)["project"]["entry-points"] == {"rankhub.plugins": {"my_plugin": "my_plugin"}}
    readme = (repo / "README.md").read_text()
    assert "`rankhub.plugins`" in readme
    assert '`my_plugin = "my_plugin"`' in readme
