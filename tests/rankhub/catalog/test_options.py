"""A constructor read as a schema."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from helpers.plugins import component, plugin
from pydantic import BaseModel, ValidationError

from rankhub.catalog.catalog import Catalog, CatalogError
from rankhub.catalog.options import plain, validate_options, values
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.options import DataName, Ge, Gt, Lt, Scheduled
from rankhub.interfaces.predict import Predict

if TYPE_CHECKING:
    from collections.abc import OrderedDict


@dataclass
class Corner:
    x: int
    y: float = 0.5


class Inner(BaseModel):
    depth: int = 1


class Base(Predict):
    """A test's component.

    Args:
        x: In the base.
    """

    def __call__(self, images, forward):
        return {}


class Many(Base):
    """Many types.

    Args:
        number: A number
            on two lines.
        copy: Shadows a method of pydantic's.
    """

    def __init__(
        self,
        *,
        number: Annotated[float, Gt(0), Lt(1)] = 0.5,
        whole: Annotated[int, Ge(1)] | None = None,
        way: Literal["up", "down", 3] = "up",
        pair: tuple[float, float] = (1.0, 2.0),
        many: list[int] = [1],  # noqa: B006
        table: dict[str, float] = {},  # noqa: B006
        corner: Corner | None = None,
        inner: Inner = Inner(),  # noqa: B008
        path: Path = Path("here"),
        change: Annotated[Scheduled, Gt(0)] = 0.1,
        change_or_none: Scheduled | None = None,
        data: DataName = "photos",
        copy: bool = False,
        model_name: str = "m",
        big: float = float("inf"),
    ):
        self.options = {name: value for name, value in locals().items() if name != "self"}


class Required(Base):
    def __init__(self, *, size: int, side: int = 3):
        self.size = size


class Bare(Base):
    """No options."""


@dataclass(kw_only=True)
class AsDataclass(Base):
    """A dataclass."""

    size: Annotated[int, Gt(0)] = 3


class Positional(Base):
    def __init__(self, size: int = 3):
        pass


class Wired(Base):
    def __init__(self, size, /):
        pass


class Loose(Base):
    def __init__(self, **options: Any):
        pass


class Wide(Base):
    """A base with options.

    Args:
        size: Of the base.
    """

    def __init__(self, *, size: Annotated[int, Gt(0)], step: int = 2):
        self.size, self.step = size, step


class Wider(Wide):
    """Hands on what it does not know.

    Args:
        name: Its own.
    """

    def __init__(self, *, name: str = "n", step: int = 5, **options: Any):
        super().__init__(step=step, **options)
        self.name = name


class LooseBelow(Loose):
    def __init__(self, *, size: int = 3, **options: Any):
        super().__init__(size=size, **options)


class NoHint(Base):
    def __init__(self, *, size=3):
        pass


class BadDefault(Base):
    def __init__(self, *, size: int = None):  # noqa: RUF013
        pass


class NoPlain(Base):
    def __init__(self, *, what: object = None, when: TYPE_CHECKING = 3):  # type: ignore[valid-type]
        pass


class OnlyForTheChecker(Base):
    def __init__(self, *, what: OrderedDict = 3):  # type: ignore[assignment]
        pass


class Abstract(Predict):
    def __init__(self, *, size: int = 3):
        pass


class CalledUse(Base):
    def __init__(self, *, use: int = 3):
        pass


def of(cls):
    catalog = Catalog.of({"mine": plugin(component("x", f"{__name__}:{cls.__name__}", "predict"))})
    return catalog, catalog.find("predict", "x")


def model_of(cls):
    catalog, entry = of(cls)
    return catalog.options(entry)


def build(cls, **options):
    return of(cls)[0].build("predict", {"use": "x", **options})


def test_defaults_reach_the_constructor_unchanged():
    options = build(Many).options
    assert options["pair"] == (1.0, 2.0)
    assert options["path"] == Path("here")
    assert options["inner"] == Inner()
    assert options["big"] == float("inf")
    assert options["copy"] is False


def test_plain_data_become_what_the_hint_says():
    given = {
        "number": 0.25,
        "whole": 4,
        "way": 3,
        "pair": [3, 4],
        "many": [5, 6],
        "table": {"a": 1},
        "corner": {"x": 1},
        "inner": {"depth": 2},
        "path": "/there",
        "change": 2,
        "data": "other",
        "copy": True,
    }
    options = build(Many, **given).options
    assert options["pair"] == (3.0, 4.0)
    assert isinstance(options["pair"][0], float)
    assert options["corner"] == Corner(1, 0.5)
    assert options["inner"] == Inner(depth=2)
    assert options["path"] == Path("/there")
    assert options["change"] == 2.0
    assert options["table"] == {"a": 1.0}
    assert options["copy"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": "0.5"},
        {"number": True},
        {"number": 0},
        {"number": 1},
        {"whole": 0},
        {"whole": 1.0},
        {"way": "left"},
        {"pair": [1]},
        {"many": 3},
        {"many": ["a"]},
        {"table": {"a": "b"}},
        {"corner": {"x": 1, "z": 2}},
        {"corner": {}},
        {"inner": 3},
        {"path": 3},
        {"change": -1},
        {"change": {"start": 3}},
        {"copy": "yes"},
        {"nothing": 3},
        {"data": 3},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(ValidationError):
        validate_options(model_of(Many), wrong)


def test_a_schedule_may_stand_where_a_number_may_change_and_nowhere_else():
    model = model_of(Many)
    spec = {"use": "cosine", "warmup": 3}
    assert values(validate_options(model, {"change": spec}))["change"] == ComponentSpec.model_validate(spec)
    assert values(validate_options(model, {"change_or_none": spec}))["change_or_none"].options == {"warmup": 3}
    with pytest.raises(ValidationError):
        validate_options(model, {"number": spec})


def test_written_out_options_are_read_back_the_same():
    model = model_of(Many)
    for given in ({}, {"corner": {"x": 1}, "change": {"use": "ramp", "end": 3}, "path": "/p", "table": {"a": 1}}):
        options = validate_options(model, given)
        assert validate_options(model, plain(options)) == options


def test_docstrings_describe_options_also_those_of_bases():
    fields = model_of(Many).model_fields
    assert fields["number"].description == "A number on two lines."
    assert fields["copy_"].description == "Shadows a method of pydantic's."


def test_required_options_dataclasses_and_none_at_all():
    assert build(Required, size=3).size == 3
    with pytest.raises(CatalogError, match="size: missing; expected a whole number"):
        build(Required)
    assert build(AsDataclass, size=5).size == 5
    with pytest.raises(CatalogError, match="size: got 0; expected a whole number above 0"):
        build(AsDataclass, size=0)
    assert isinstance(build(Bare), Bare)


def test_options_that_a_constructor_hands_on_are_those_of_its_base():
    fields = model_of(Wider).model_json_schema()
    assert list(fields["properties"]) == ["name", "step", "size"]
    assert fields["required"] == ["size"]
    assert fields["properties"]["size"]["description"] == "Of the base."
    made = build(Wider, size=4, name="m")
    assert (made.name, made.size, made.step) == ("m", 4, 5)
    with pytest.raises(CatalogError, match="size: got 0; expected a whole number above 0"):
        build(Wider, size=0)


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (Positional, "its parameter size: 'int' = 3 must be keyword-only, an option of its own"),
        (Wired, "it takes 1 positional-only parameters, a predict is handed 0 (none)"),
        (Loose, "its parameter **options: 'Any' must be keyword-only"),
        (LooseBelow, "its parameter **options: 'Any' must be keyword-only"),
        (NoHint, "its option 'size' has no type hint"),
        (BadDefault, "the default None of its option 'size' does not fit the option's type hint"),
        (NoPlain, "cannot stand in a recipe"),
        (OnlyForTheChecker, "a type hint of its options cannot be read: name 'OrderedDict' is not defined"),
        (Abstract, "the class leaves out __call__ of a predict"),
        (CalledUse, "`use` names the component, an option needs another name"),
    ],
)
def test_a_constructor_against_the_rules_is_the_plugin_s_error(cls, reason):
    catalog, entry = of(cls)
    with pytest.raises(CatalogError) as caught:
        catalog.options(entry)
    assert "predict 'x' of plugin mine has a constructor that no recipe can use: " in str(caught.value)
    assert reason in str(caught.value)
