"""`rankhub plugins list`."""

from __future__ import annotations

import json

import pytest
from helpers.commands import call, call_outside
from helpers.plugins import component, plugin

from rankhub.catalog.catalog import Catalog


@pytest.fixture
def mixed(monkeypatch):
    """One that works, one that clashes with it, one that is broken."""
    catalog = Catalog.of(
        {"one": plugin(component("a")), "two": plugin(component("a"), component("b")), "bad": plugin(RANKHUB_API=[7])}
    )
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls, check=False: catalog))


def test_the_official_plugins_work(capsys):
    called = call(capsys, "plugins", "list", "--check")
    assert called.code == 0
    for name in ("rankhub_s2r2", "rankhub_views", "rankhub_data", "rankhub_timm", "rankhub_optim", "rankhub_retrieval"):
        assert name in called.out
    assert "broken" not in called.out


@pytest.mark.usefixtures("mixed")
def test_broken_ones_with_their_reason_and_clashes_with_both_names(capsys):
    out = call(capsys, "plugins", "list").out
    assert "broken  bad (bad 0): it asks for version [7] of the plugin interface, this rankhub has version 1" in out
    assert "clash  loss a: write one/a or two/a" in out
    assert "2 losses" in out


@pytest.mark.usefixtures("mixed")
def test_check_ends_with_1_where_a_plugin_is_broken(capsys):
    assert call(capsys, "plugins", "list").code == 0
    assert call(capsys, "plugins", "list", "--check").code == 1


def test_check_imports_the_components(capsys, monkeypatch):
    found = Catalog.of({"one": plugin(component("a"), component("b", "nowhere.at_all:B"))})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls, check=False: found))
    called = call(capsys, "plugins", "list", "--check")
    assert called.code == 1
    assert "broken  loss 'b' of plugin one cannot be imported: ModuleNotFoundError" in called.out


@pytest.mark.usefixtures("mixed")
def test_as_json(capsys):
    found = json.loads(call(capsys, "plugins", "list", "--json").out)
    assert [plugin["owner"] for plugin in found["plugins"]] == ["one", "two"]
    assert found["plugins"][0] == {
        "owner": "one",
        "distribution": "one",
        "version": "0",
        "kinds": [],
        "components": [
            {"kind": "loss", "name": "a", "target": "helpers.fakes:Pull", "summary": "The loss a.", "role": ""}
        ],
        "verbs": [],
        "recipes": [],
    }
    assert found["broken"][0]["owner"] == "bad"
    assert found["broken"][0]["reason"].startswith("it asks for version [7]")
    assert found["clashes"] == [{"kind": "loss", "name": "a", "owners": ["one", "two"]}]


def test_verbs_and_recipes_are_listed(capsys):
    lines = {line.split()[0]: line for line in call(capsys, "plugins", "list").out.splitlines()}
    assert lines["rankhub_data"].endswith("datasets, verb data")
    assert lines["rankhub_recipes"].split(maxsplit=3)[3] == "recipes"
    found = {row["owner"]: row for row in json.loads(call(capsys, "plugins", "list", "--json").out)["plugins"]}
    assert [verb["name"] for verb in found["rankhub_views"]["verbs"]] == ["show"]
    assert found["rankhub_recipes"]["recipes"] == ["rankhub_recipes"]


def test_a_broken_plugin_that_is_installed(tmp_path):
    """A distribution on the path whose plugin cannot be imported, beside the official ones."""
    facts = tmp_path / "broken_thing-3.1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-thing\nVersion: 3.1\n")
    (facts / "entry_points.txt").write_text("[rankhub.plugins]\nbroken_thing = broken_thing\n")
    (tmp_path / "broken_thing.py").write_text("import a_library_that_is_not_there\n")
    called = call_outside("plugins", "list", cwd=tmp_path)
    assert called.code == 0
    assert (
        "broken  broken_thing (broken-thing 3.1): it cannot be imported: "
        "ModuleNotFoundError: No module named 'a_library_that_is_not_there'"
    ) in called.out
    assert "rankhub_s2r2" in called.out


@pytest.mark.parametrize("width", ["30", "60", "80", "120"])
def test_the_list_fits_its_width_and_cuts_nothing(capsys, monkeypatch, width):
    wide = call(capsys, "plugins", "list").out.split()
    monkeypatch.setenv("COLUMNS", width)
    out = call(capsys, "plugins", "list").out
    assert out.split() == wide
    assert max(map(len, out.splitlines())) <= max(int(width), 45)
