"""The hooks by which plugins bring verbs and recipes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from helpers.plugins import catalog_of, component, package, plugin, verb

import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.discovery import BrokenPlugin
from rankhub.interfaces.component import Verb
from rankhub.recipe.shipped import listed, names, shipped


def test_hook_rankhub_verbs():
    (found,) = Catalog.of({"mine": plugin(verbs=[verb("sing"), verb("dance")])}).plugins
    assert [(each.name, each.summary) for each in found.verbs] == [
        ("sing", "The verb sing."),
        ("dance", "The verb dance."),
    ]
    assert found.components == ()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "its rankhub_verbs returned None, not a list of rankhub.Verb"),
        ("sing", "its rankhub_verbs returned 'sing', not a list of rankhub.Verb"),
        ([3], "its rankhub_verbs returned 3 in place of an item of a list of rankhub.Verb"),
        ([verb("sing"), verb("sing")], "it names two verbs 'sing'"),
    ],
)
def test_verbs_that_are_none(answer, reason):
    @rankhub.hookimpl
    def rankhub_verbs():
        return answer

    catalog = Catalog.of({"bad": SimpleNamespace(rankhub_verbs=rankhub_verbs), "good": plugin(component("a"))})
    assert [(broken.owner, broken.reason) for broken in catalog.broken] == [("bad", reason)]
    assert catalog.names("loss") == ["a"]


@pytest.mark.parametrize(
    ("name", "target"),
    [("Sing", "a:b"), ("sing it", "a:b"), ("", "a:b"), ("a/b", "a:b"), ("sing", "a"), ("sing", "a:b:c")],
)
def test_a_verb_s_name_and_target_have_a_form(name, target):
    with pytest.raises(ValueError, match="must be"):
        Verb(name, target, "x")


FILES = {
    "mine.yaml": "description: One.",
    "other.yml": "description: not one: the ending is yaml",
    "blocks/part.yaml": "seed: 1",
    "overlays/fast.yaml": "# Fast",
}


def test_hook_rankhub_recipes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    catalog = catalog_of(("mine", "acme", plugin(recipes=[package(tmp_path, "acme_recipes_a", FILES)])))
    assert [names(catalog, what) for what in ("recipe", "block", "overlay")] == [["mine"], ["part"], ["fast"]]
    (one,) = listed(catalog)
    assert (one.name, one.owner, one.distribution) == ("mine", "mine", "acme")
    assert one.path == tmp_path / "acme_recipes_a" / "mine.yaml"
    assert shipped(catalog, "part", "block", "recipe").path == tmp_path / "acme_recipes_a" / "blocks" / "part.yaml"


def test_a_folder_inside_a_package_and_several_of_them(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package(tmp_path, "acme_b", {"recipes/x.yaml": "seed: 1", "more/__init__.py": "", "more/y.yaml": "seed: 2"})
    catalog = Catalog.of({"mine": plugin(recipes=["acme_b.recipes", "acme_b.more"])})
    assert names(catalog) == ["x", "y"]


def test_recipes_are_found_without_importing_their_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package(tmp_path, "acme_c", {"x.yaml": "seed: 1"}, code="raise RuntimeError('imported')")
    assert names(Catalog.of({"mine": plugin(recipes=["acme_c"])})) == ["x"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "its rankhub_recipes returned None, not a list of package names"),
        ("json", "its rankhub_recipes returned 'json', not a list of package names"),
        ([3], "its rankhub_recipes returned 3 in place of an item of a list of package names"),
        (["no_such_package_xyz"], "its rankhub_recipes names 'no_such_package_xyz', which is no package"),
        (["abc"], "its rankhub_recipes names 'abc', which is no package"),
        (["no_such_package_xyz.recipes"], "it fails when asked what it brings: ModuleNotFoundError: No module named"),
    ],
)
def test_recipes_that_are_none_spoil_no_other(answer, reason, tmp_path, monkeypatch):
    @rankhub.hookimpl
    def rankhub_recipes():
        return answer

    monkeypatch.syspath_prepend(tmp_path)
    good = plugin(recipes=[package(tmp_path, "acme_d", {"x.yaml": "seed: 1"})])
    catalog = Catalog.of({"bad": SimpleNamespace(rankhub_recipes=rankhub_recipes), "good": good})
    (broken,) = catalog.broken
    assert isinstance(broken, BrokenPlugin)
    assert broken.reason.startswith(reason)
    assert names(catalog) == ["x"]
