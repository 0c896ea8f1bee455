"""The plugin is one like any other: its verbs can be missing, and clash with those of a third party."""

from __future__ import annotations

import ast

import pytest
from helpers.commands import call
from helpers.plugins import plugin, verb

import rankhub
import rankhub_browse
from rankhub.catalog.catalog import Catalog

VERBS = ["describe", "recipes", "schema"]


@pytest.mark.parametrize("name", VERBS)
def test_a_third_party_s_verb_of_the_same_name_is_told_apart(name, monkeypatch, capsys):
    catalog = Catalog.of({"acme": plugin(verbs=[verb(name)]), "rankhub_browse": rankhub_browse})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: catalog))
    assert call(capsys, name).code == 2
    assert call(capsys, f"acme/{name}").out == "spoken: nothing\n"
    assert call(capsys, f"rankhub_browse/{name}").code == 0
    listed = call(capsys, "--help").out
    assert f"acme/{name}" in listed
    assert f"rankhub_browse/{name}" in listed


def test_the_core_works_without_it(monkeypatch, capsys):
    catalog = Catalog([one for one in Catalog.discover().plugins if one.owner != "rankhub_browse"])
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: catalog))
    assert call(capsys, "validate", "quickstart").code == 0
    assert [call(capsys, name).code for name in VERBS] == [2, 2, 2]


def test_it_uses_public_names_only(repo):
    for path in (repo / "plugins" / "rankhub_browse").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "rankhub":
                assert {alias.name for alias in node.names} <= set(rankhub.__all__), path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "rankhub":
                assert node.attr in rankhub.__all__, path


def test_the_files_of_a_recipe_are_its_own_and_that_of_its_block():
    assert [path.name for path in rankhub.recipe_files("simclr_stl10")] == ["simclr_stl10.yaml", "stl10.yaml"]
    ((path, text),) = rankhub.recipe_files("quickstart").items()
    assert path.read_text() == text
