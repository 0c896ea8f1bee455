"""The JSON schema for editors says what the checks say."""

from __future__ import annotations

import re

import pytest
import yaml
from helpers import fakes
from helpers.plugins import component, plugin
from helpers.recipes import SHORT, TWO, shipped_names, shipped_text

import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.kinds import KINDS
from rankhub_browse.editor_schema import editor_schema

CATALOG = Catalog.of({"fakes": fakes})


def fits(value, schema, root):
    """Whether ``value`` fits; the part of JSON schema that ours uses, written out plainly."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/").replace("~1", "/")
        if not fits(value, root["$defs"][name], root):
            return False
    types = {"object": dict, "array": list, "string": str, "null": type(None), "boolean": bool}
    kind = schema.get("type")
    if kind in types and not isinstance(value, types[kind]):
        return False
    if kind in ("number", "integer"):
        allowed = int if kind == "integer" else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            return False
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        extra = schema.get("additionalProperties", True)
        if not all(key in value for key in schema.get("required", ())):
            return False
        for key, inner in value.items():
            named = [body for name, body in schema.get("patternProperties", {}).items() if re.search(name, key)]
            if key in properties or named:
                ok = all(fits(inner, body, root) for body in [*named, *filter(None, [properties.get(key)])])
            else:
                ok = extra is True or (extra is not False and fits(inner, extra, root))
            if not ok:
                return False
    least = {list: "minItems", dict: "minProperties"}.get(type(value))
    if least is not None and len(value) < schema.get(least, 0):
        return False
    if isinstance(value, list) and not all(fits(item, schema.get("items", {}), root) for item in value):
        return False
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            return False
        if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
            return False
    if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
        return False
    if "anyOf" in schema and not any(fits(value, option, root) for option in schema["anyOf"]):
        return False
    if not all(fits(value, option, root) for option in schema.get("allOf", ())):
        return False
    if "not" in schema and fits(value, schema["not"], root):
        return False
    if "if" in schema:
        branch = "then" if fits(value, schema["if"], root) else "else"
        return fits(value, schema.get(branch, {}), root)
    return True


@pytest.fixture(scope="module")
def schema():
    return editor_schema(CATALOG)


def recipe(**changes):
    return {**yaml.safe_load(fakes.RECIPE), **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": {"use": "descent", "lr": {"use": "ramp", "start": 1}}},
        {"optimizer": {"use": "fakes/descent", "lr": 1}},
        {"data": {"train": {"use": "patches"}, "test": {"like": "train", "count": 3}}},
        {"evaluate": [{"use": "spread", "data": "test", "optional": True}]},
        {"average": {"decay": {"use": "ramp"}}},
    ],
)
def test_accepts(schema, changes):
    assert fits(recipe(**changes), schema, schema)


@pytest.mark.parametrize(
    "changes",
    [
        {"sed": 3},
        {"optimizer": {"use": "decent"}},
        {"optimizer": {"use": "descent", "rate": 1}},
        {"optimizer": {"use": "descent", "lr": 0}},
        {"optimizer": {"use": "descent", "lr": {"use": "ramp", "strt": 1}}},
        {"optimizer": {"use": "fakes/descent", "rate": 1}},
        {"heads": {"main": {"use": "pull"}}},
        {"heads": {"main": {"dim": 3}}},
        {"data": {"train": {"use": "patches", "like": "x"}}},
        {"evaluate": [{"use": "spread"}]},
        {"phases": [{"name": "x", "epochs": 0, "streams": {}}]},
        {"clip_grad": "1"},
        {"heads": {"my head": {"use": "arrow"}}},
    ],
)
def test_refuses(schema, changes):
    assert not fits(recipe(**changes), schema, schema)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "optimizer: {lr: 1}",
        "optimizer: {use: descent}",
        "data: {test: {like: train}, train: {count: 3}}",
        "phases: [{name: first, streams: {views: {batch_size: 3}}}]",
        "evaluate: [{use: spread}]",
    ],
)
def test_a_recipe_that_extends_another_may_leave_things_out(schema, text):
    own = yaml.safe_load(text) or {}
    assert fits({"extends": "base.yaml", **own}, schema, schema)
    assert not fits(own, schema, schema)


@pytest.mark.parametrize(
    "text",
    [
        "sed: 3",
        "extends: 3",
        "optimizer: {use: decent}",
        "optimizer: {use: descent, rate: 1}",
        "optimizer: {use: descent, lr: 0}",
        "data: {test: {use: patches, like: train}}",
        "phases: [{name: first, streams: {views: {batch_size: 0}}}]",
    ],
)
def test_what_it_says_is_checked_nevertheless(schema, text):
    assert not fits({"extends": "base.yaml", **yaml.safe_load(text)}, schema, schema)


COPY = "  more: {like: ranked, batch_size: 3}\n"


@pytest.mark.parametrize(
    "text",
    [
        TWO,
        SHORT,
        SHORT.replace("epochs: 2\n", "steps: 2\n"),
        SHORT + "mix: {alternate: 2}\nfreeze: [backbone]\nreset: [heads]\nlr_scale: {backbone.*: 0.1}\n",
        TWO.replace("labeled: {}", "labeled: "),
        TWO.replace("phases:", f"{COPY}phases:"),
        TWO.replace("weight: 0.5", "weight: {use: ramp, start: 2}, output: rating"),
        TWO.replace("weight: 0.1", "weight: {use: ramp}"),
    ],
)
def test_accepts_what_may_be_written_shorter(schema, text):
    assert fits(yaml.safe_load(text), schema, schema)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("use: pull, head: main", "use: pull"),
        ("use: pull, head: main", "use: pull, head: 3"),
        ("use: pull, head: main", "use: pull, head: main, hed: main"),
        ("weight: 0.5", "weight: much"),
        ("weight: 0.5", "weight: {use: rmp}"),
        ("streams: [ranked]", "streams: []"),
        ("streams: [ranked]", "streams: ranked"),
        ("streams: [ranked]", "streams: [{ranked: {}}]"),
        ("labeled: {}", "labeled: {data: photos}"),
        ("batch_size: 2", "batch_size: 0"),
        ("phases:", "  more: {like: 3}\nphases:"),
        ("phases:", "  more: {like: ranked, batchsize: 3}\nphases:"),
        ("phases:", "  more: {batch_size: 3}\nphases:"),
        ("phases:", "epochs: 0\nphases:"),
    ],
)
def test_refuses_what_is_wrong_with_streams(schema, old, new):
    assert old in TWO
    assert not fits(yaml.safe_load(TWO.replace(old, new)), schema, schema)


def test_something_says_how_long_a_recipe_trains(schema):
    assert not fits(yaml.safe_load(SHORT.replace("epochs: 2\n", "")), schema, schema)


def test_every_recipe_that_comes_along_fits():
    whole = editor_schema(rankhub.Catalog.discover())
    for name in shipped_names():
        assert fits(yaml.safe_load(shipped_text(name)), whole, whole), name
    for name in shipped_names("block"):
        assert fits(yaml.safe_load(shipped_text(name, "block")), whole["$defs"]["partial.recipe"], whole), name


def test_descriptions_come_from_docstrings(schema):
    (branch,) = [b for b in schema["$defs"]["head"]["allOf"] if "arrow" in str(b["if"])]
    assert branch["then"]["properties"]["dim"]["description"] == "Columns of the embedding."
    assert branch["then"]["description"] == "A linear embedding and a score."
    assert list(schema["else"]["properties"]["heads"]["patternProperties"].values()) == [{"$ref": "#/$defs/head"}]


def test_every_kind_and_every_reference_is_defined(schema):
    assert set(KINDS) <= set(schema["$defs"])
    references = re.findall(r"'\$ref': '#/\$defs/([^']*)'", str(schema))
    assert references
    assert {name.replace("~1", "/") for name in references} <= set(schema["$defs"])


def test_a_clash_and_a_component_that_cannot_be_imported():
    catalog = Catalog.of(
        {
            "fakes": fakes,
            "two": plugin(component("pull"), component("lost", "no_such_module:X")),
        }
    )
    schema = editor_schema(catalog)
    losses = schema["$defs"]["loss"]
    assert losses["properties"]["use"]["anyOf"][0]["enum"] == ["fit", "follow", "lost", "fakes/pull", "two/pull"]
    assert fits({"use": "lost", "head": "main", "anything": 3}, losses, schema)
    assert fits({"use": "two/pull", "head": "main", "strength": 3}, losses, schema)
    assert not fits({"use": "two/pull", "head": "main", "strngth": 3}, losses, schema)
