"""The table of kinds, the recipe's schema and the constructors say the same."""

from __future__ import annotations

from importlib import import_module
from typing import Any, get_args, get_origin

import pytest
from helpers import fakes
from helpers.plugins import component, plugin

from rankhub.catalog.catalog import Catalog, CatalogError
from rankhub.catalog.hints import fields_of, members, unwrap
from rankhub.catalog.spec import ComponentSpec, Uses
from rankhub.recipe.schema import SPECS, shape_of


def addresses(hint: Any, address: str = "") -> list[tuple[str, str, type]]:
    """Every place of a schema that names a component: kind, place, and the class of what stands there."""
    bare, metadata = unwrap(hint)
    found = [(mark.kind, address, bare) for mark in metadata if isinstance(mark, Uses)]
    if len(members(bare)) > 1:
        return found + [one for member in members(bare) for one in addresses(member, address)]
    if get_origin(bare) is list:
        return found + addresses(get_args(bare)[0], f"{address}[]")
    if get_origin(bare) is dict:
        return found + addresses(get_args(bare)[1], f"{address}.*")
    for name, inner in (fields_of(bare) or {}).items():
        found += addresses(inner, f"{address}.{name}" if address else name)
    return found


KINDS = Catalog.discover().kinds
IN_RECIPES = {name: kind for name, kind in KINDS.items() if kind.address}
ADDRESSES = addresses(shape_of(KINDS))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_its_place_is_in_the_schema_and_its_protocol_is_there(kind):
    places = [address for name, address, _ in ADDRESSES if name == kind.name]
    assert kind.address in places if kind.address else not places
    module, _, attribute = kind.protocol.partition(":")
    assert isinstance(getattr(import_module(module), attribute), type)


@pytest.mark.parametrize("kind", IN_RECIPES.values(), ids=IN_RECIPES)
def test_reserved_are_the_keys_that_the_recipe_has_beside_the_component(kind):
    (spec,) = {bare for name, address, bare in ADDRESSES if (name, address) == (kind.name, kind.address)}
    assert spec is SPECS.get(kind.name, ComponentSpec)
    assert set(kind.reserved) == set(fields_of(spec)) - {"use"}


def test_every_place_is_of_a_kind():
    assert {name for name, _, _ in ADDRESSES} == set(IN_RECIPES)


class Headed(fakes.Pull):
    """Has an option that is the recipe's own."""

    def __init__(self, outputs, /, *, head: str = "x"):
        super().__init__(outputs)


class Weighted(fakes.Pull):
    """Has an option that is the recipe's own."""

    def __init__(self, outputs, /, *, strength: float = 1.0, weight: float = 1.0):
        super().__init__(outputs)


class Output(fakes.Pull):
    """Has an option that is the recipe's own."""

    def __init__(self, outputs, /, *, output: str | None = None):
        super().__init__(outputs)


class Base(fakes.Pull):
    """Has an option that is the recipe's own."""

    def __init__(self, outputs, /, *, weight: float = 1.0):
        super().__init__(outputs)


class HandsOn(Base):
    """Hands on what it does not know."""

    def __init__(self, outputs, /, *, strength: float = 1.0, **options: Any):
        super().__init__(outputs, **options)


class Optional(fakes.Spread):
    """Has an option that is the recipe's own."""

    def __init__(self, *, optional: bool = False):
        super().__init__(data="test")


class During(fakes.Spread):
    """Has an option that is the recipe's own."""

    def __init__(self, *, during_training: bool = False):
        super().__init__(data="test")


class Weighed(fakes.Spread):
    """An evaluator may have what is reserved beside losses."""

    def __init__(self, *, weight: float = 1.0, head: str = "x"):
        super().__init__(data="test")


@pytest.mark.parametrize(
    ("cls", "kind", "name"),
    [
        (Headed, "loss", "head"),
        (Weighted, "loss", "weight"),
        (Output, "loss", "output"),
        (HandsOn, "loss", "weight"),
        (Optional, "evaluator", "optional"),
        (During, "evaluator", "during_training"),
    ],
)
def test_a_component_with_such_an_option_is_refused(cls, kind, name):
    catalog = Catalog.of({"mine": plugin(component("x", f"{__name__}:{cls.__name__}", kind))})
    with pytest.raises(CatalogError) as caught:
        catalog.options(catalog.find(kind, "x"))
    assert str(caught.value) == (
        f"{kind} 'x' of plugin mine has a constructor that no recipe can use: `{name}` beside a {kind} is the recipe's "
        "own; its option needs another name"
    )


def test_what_is_reserved_beside_one_kind_is_free_for_another():
    catalog = Catalog.of({"mine": plugin(component("x", f"{__name__}:Weighed", "evaluator"))})
    assert set(catalog.options(catalog.find("evaluator", "x")).model_fields) == {"weight", "head"}
