"""Finding, loading, making."""

from __future__ import annotations

import pytest
from helpers import fakes
from helpers.plugins import component, plugin, renamed

import rankhub
from rankhub.catalog.catalog import Catalog, CatalogError
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.component import Component
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub.interfaces.schedule import Clock

OUTPUTS = {"z": OutputSpec("embedding", 4)}


@pytest.fixture
def catalog():
    return Catalog.of({"fakes": fakes})


def message(function, *arguments, **options):
    with pytest.raises(CatalogError) as caught:
        function(*arguments, **options)
    return str(caught.value)


class TestFind:
    def test_by_bare_name_and_with_its_owner(self, catalog):
        entry = catalog.find("loss", "pull")
        assert entry == catalog.find("loss", "fakes/pull")
        assert (entry.owner, entry.full_name, entry.component.kind) == ("fakes", "fakes/pull", "loss")

    def test_an_unknown_name_gets_the_nearest(self, catalog):
        assert message(catalog.find, "loss", "pul") == "no loss is called 'pul'; did you mean 'pull' of fakes?"

    def test_without_a_near_name_all_are_listed(self, catalog):
        assert message(catalog.find, "loss", "xyz") == "no loss is called 'xyz'; expected one of fit, follow, pull"

    def test_a_component_of_another_kind_is_named(self, catalog):
        text = message(catalog.find, "head", "pull")
        assert text == "no head is called 'pull' (it is the loss 'pull' of plugin fakes); expected arrow"

    def test_an_unknown_kind_gets_the_nearest(self, catalog):
        assert message(catalog.find, "los", "pull") == "there is no kind of component 'los'; did you mean 'loss'?"

    def test_an_ambiguous_name_names_both_owners_and_the_full_name_picks_one(self):
        catalog = Catalog.of({"one": plugin(component("a")), "two": plugin(component("a"))})
        assert message(catalog.find, "loss", "a") == "loss 'a' is given by one and two; write one/a or two/a"
        assert catalog.find("loss", "two/a").owner == "two"
        assert set(catalog.clashes()) == {("loss", "a")}
        assert catalog.names("loss") == ["a"]
        assert len(catalog.entries("loss")) == 2

    def test_unknown_owners_and_names_of_an_owner(self, catalog):
        assert message(catalog.find, "loss", "fake/pull") == "no plugin is called 'fake'; did you mean 'fakes'?"
        assert message(catalog.find, "loss", "fakes/pul") == "plugin fakes has no loss 'pul'; did you mean 'pull'?"

    def test_a_broken_plugin_shows_its_reason(self):
        catalog = Catalog.of({"bad": plugin(RANKHUB_API=9), "fakes": fakes})
        assert "plugin bad cannot be used: it asks for version 9" in message(catalog.find, "loss", "bad/a")
        assert "or is it in plugin bad, which cannot be used: it asks for version 9" in message(
            catalog.find, "loss", "a"
        )


class TestLoad:
    def test_imports_the_class(self, catalog):
        assert catalog.load(catalog.find("loss", "pull")) is fakes.Pull

    @pytest.mark.parametrize(
        ("target", "kind", "said"),
        [
            ("no_such_module:X", "loss", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
            ("helpers.fakes:Nothing", "loss", "cannot be imported: AttributeError"),
            ("helpers.fakes:Arrow", "loss", "is no Loss: helpers.fakes:Arrow must derive from rankhub.interfaces.loss"),
            ("helpers.fakes:RECIPE", "head", "is no Head"),
        ],
    )
    def test_what_is_wrong_is_said_with_the_plugin(self, target, kind, said):
        catalog = Catalog.of({"mine": plugin(component("x", target, kind))})
        text = message(catalog.load, catalog.find(kind, "x"))
        assert text.startswith(f"{kind} 'x' of plugin mine {said}")

    def test_nothing_is_imported_before(self):
        Catalog.of({"mine": plugin(component("x", "no_such_module:X"))}).find("loss", "x")


class TestBuild:
    def test_options_and_defaults_reach_the_constructor(self, catalog):
        loss = catalog.build("loss", {"use": "pull", "strength": 3}, OUTPUTS)
        assert isinstance(loss, fakes.Pull)
        assert (loss.name, loss.strength) == ("z", 3.0)
        assert catalog.build("loss", ComponentSpec(use="pull"), OUTPUTS).strength == 1.0

    def test_several_wired_parameters(self, catalog):
        head = catalog.build("head", {"use": "arrow", "dim": 2}, FeatureSpec(8), None)
        assert head.outputs["arrow"].dim == 2

    def test_wrong_options_are_all_named_with_the_plugin(self, catalog):
        text = message(catalog.build, "dataset", {"use": "patches", "count": 0, "sid": 3})
        assert text.startswith("dataset 'patches' of plugin fakes: ")
        assert "count: got 0; expected a whole number of at least 1" in text
        assert "sid: unknown option 'sid'; did you mean 'side'?" in text

    def test_a_nested_schedule_is_made(self, catalog):
        spec = {"use": "descent", "lr": {"use": "ramp", "start": 2.0}, "momentum": 0.5}
        arguments = catalog.arguments("optimizer", spec)
        assert isinstance(arguments["lr"], fakes.Ramp)
        assert arguments["momentum"] == 0.5
        assert catalog.arguments("optimizer", spec, Clock(1, 2, 1))["lr"] == 2.0 + (0.5 - 2.0) / 2

    def test_an_error_inside_a_nested_schedule(self, catalog):
        text = message(catalog.build, "optimizer", {"use": "descent", "lr": {"use": "ramp", "sart": 2.0}}, [])
        assert text == "schedule 'ramp' of plugin fakes: sart: unknown option 'sart'; did you mean 'start'?"


def test_every_component_can_have_another_name(catalog):
    new = {(kind, name): f"{name}_{kind}_2" for kind in catalog.kinds for name in catalog.names(kind)}
    other = renamed(catalog, new)
    assert other.names("loss") == ["fit_loss_2", "follow_loss_2", "pull_loss_2"]
    assert other.load(other.find("loss", "pull_loss_2")) is fakes.Pull
    assert catalog.names("loss") == ["fit", "follow", "pull"]


def test_official_components_can_all_be_loaded_and_described():
    catalog = Catalog.discover()
    entries = [entry for kind in catalog.kinds for entry in catalog.entries(kind)]
    assert entries
    for entry in entries:
        model = catalog.options(entry)
        for attribute, info in model.model_fields.items():
            assert info.description, f"{entry.full_name} does not describe its option {attribute}"


def test_the_package_gives_plugins_what_they_need():
    assert {"hookimpl", "Component", "UserError", "API_VERSION"} <= set(rankhub.__all__)


def test_a_verb_finds_a_component_by_its_role():
    parts = [
        Component("dataset", "other", "a:B", "No role."),
        Component("dataset", "reader", "a:B", "Reads.", "folder"),
    ]
    catalog = Catalog.of({"own": plugin(*parts)})
    assert catalog.in_role("dataset", "folder") == "own/reader"
    with pytest.raises(UserError, match="no plugin offers a dataset for the role 'video'"):
        catalog.in_role("dataset", "video")
