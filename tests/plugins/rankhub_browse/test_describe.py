"""`rankhub describe`."""

from __future__ import annotations

import pytest
from helpers import fakes
from helpers.commands import call
from helpers.plugins import component, plugin

import rankhub_browse
from rankhub.catalog.catalog import Catalog


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def fake(monkeypatch):
    mine = plugin(component("lost", "no_such_module:X"), component("pull"))
    catalog = Catalog.of({"fakes": fakes, "mine": mine, "rankhub_browse": rankhub_browse})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: catalog))


def test_every_kind_is_listed_with_its_place(capsys):
    out = call(capsys, "describe").out
    for kind in Catalog.discover().kinds.values():
        assert kind.name in out
        assert kind.summary in out
        assert kind.address in out


@pytest.mark.usefixtures("fake")
def test_the_components_of_a_kind(capsys):
    out = call(capsys, "describe", "loss").out
    assert "fit Squared error of a score to the class number; missing labels are left out. fakes" in " ".join(
        out.split()
    )
    assert "fakes/pull" in out
    assert "mine/pull" in out


@pytest.mark.usefixtures("fake")
def test_the_page_of_a_component(capsys):
    called = call(capsys, "describe", "loss", "fakes/pull")
    assert called.code == 0
    flat = " ".join(called.out.split())
    assert flat.startswith("loss pull (plugin fakes 0) Draws views of a group together: a sum over groups.")
    assert "strength a number above 0 1.0 Factor." in flat
    assert "Handed in by the engine: outputs: name -> OutputSpec" in flat
    assert "In a recipe, at streams.*.objectives[]: {use: fakes/pull}" in flat
    assert "Class: helpers.fakes:Pull" in flat


@pytest.mark.usefixtures("fake")
def test_options_that_are_required_may_change_or_name_something(capsys):
    flat = " ".join(call(capsys, "describe", "evaluator", "spread").out.split())
    assert "data the name of an entry under `data:` required Which data set." in flat
    flat = " ".join(call(capsys, "describe", "optimizer", "descent").out.split())
    assert "lr a number above 0 or a schedule, {use: NAME, ...} 0.05 Learning rate." in flat
    assert "It has no options." in call(capsys, "describe", "predict", "as_it_is").out


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("los",), "there is no kind of component 'los'; did you mean 'loss'?"),
        (("loss", "fitt"), "no loss is called 'fitt'; did you mean 'fit' of fakes?"),
        (("loss", "pull"), "loss 'pull' is given by fakes and mine; write fakes/pull or mine/pull"),
        (("loss", "lost"), "loss 'lost' of plugin mine cannot be imported: ModuleNotFoundError: No module named"),
    ],
)
def test_wrong_names(capsys, arguments, said):
    called = call(capsys, "describe", *arguments)
    assert called.code == 2
    assert called.err.startswith(f"error: {said}")


def test_every_official_component_has_a_page_with_each_option(capsys):
    catalog = Catalog.discover()
    for kind in Catalog.discover().kinds:
        for entry in catalog.entries(kind):
            called = call(capsys, "describe", kind, entry.full_name)
            assert called.code == 0, called.err
            for attribute, info in catalog.options(entry).model_fields.items():
                assert info.alias or attribute in called.out
