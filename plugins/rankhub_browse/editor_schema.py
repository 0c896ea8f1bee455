"""The JSON schema of a recipe, for editors: completion, hints and marks while one types."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import rankhub
from rankhub import CHOICE, KIND_KEY, OF_THE_PHASE, SPECS, Catalog, ComponentInfo, ComponentSpec, UserError, shape_of

EXTENDS, LIKE = "extends", "like"
_PARTIAL = "partial."
"""Prefix of definitions for recipes that extend another."""


def editor_schema(catalog: Catalog) -> dict[str, Any]:
    """The whole schema: the recipe's own keys, and for each ``use`` the options of that component.

    One that cannot be imported is in the schema without its options, so that an editor accepts what it cannot check.
    """
    shape, options = shape_of(catalog.kinds), _options(catalog)
    # What stands where a component is named: `use`, and the recipe's own keys beside it.
    specs = {kind: SPECS.get(kind, ComponentSpec) for kind in catalog.kinds}
    (phase,), (_, stream) = (get_args(shape.model_fields[key].annotation) for key in ("phases", "streams"))
    known: list[type[BaseModel]] = list(dict.fromkeys([shape, phase, stream, *specs.values(), *options.values()]))
    references, schema = models_json_schema([(model, "validation") for model in known], by_alias=True)
    definitions = _point(schema["$defs"])
    names = {model: references[model, "validation"]["$ref"].removeprefix("#/$defs/") for model in known}
    _allow_short(*(definitions[names[model]] for model in (shape, phase, stream)))
    bodies = {model: definitions[name] for model, name in names.items() if model not in (phase, stream)}
    for name in {names[model] for model in bodies}:  # two components may have one class, and one body
        del definitions[name]
    definitions |= {kind: _kind(kind, catalog, options, bodies[specs[kind]], bodies) for kind in catalog.kinds}
    whole = {**bodies[shape], "title": "a whole recipe"}
    definitions |= {f"{_PARTIAL}{name}": _partial(body) for name, body in definitions.items()}
    part = _partial(whole)  # a recipe that extends another may leave everything out
    extends = {"type": "string", "description": "a recipe or block that comes with rankhub, or the path of a file"}
    definitions[f"{_PARTIAL}recipe"] = {
        **part,
        "title": "a recipe that extends another",
        "properties": {EXTENDS: extends, **part["properties"]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rankhub recipe",
        "if": {"required": [EXTENDS]},
        "then": {"$ref": f"#/$defs/{_PARTIAL}recipe"},
        "else": whole,
        "$defs": dict(sorted(definitions.items())),
    }


def _point(node: Any) -> Any:
    """Point keys of components to the definitions of their kinds, and close mappings whose names have a pattern."""
    if isinstance(node, list):
        return [_point(item) for item in node]
    if not isinstance(node, dict):
        return node
    if KIND_KEY in node:
        rest = {key: value for key, value in node.items() if key not in (KIND_KEY, "$ref")}
        return {**rest, "$ref": f"#/$defs/{node[KIND_KEY]}"}
    closed = {"additionalProperties": False} if "patternProperties" in node else {}
    return {**{key: _point(value) for key, value in node.items()}, **closed}


def _partial(node: Any, *, asks: bool = False) -> Any:
    """The schema of a part of what ``node`` describes: nothing is required.

    ``asks``: within ``if`` and ``not``, where ``required`` tells cases apart.
    """
    if isinstance(node, list):
        return [_partial(item, asks=asks) for item in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for key, value in node.items():
        if key == "$ref":
            found[key] = value.replace("#/$defs/", f"#/$defs/{_PARTIAL}")
        elif key == "properties":  # its keys are names, and one of them may be `required`
            found[key] = {name: _partial(inner, asks=asks) for name, inner in value.items()}
        elif key != "required" or asks:
            found[key] = _partial(value, asks=asks or key in ("if", "not"))
    return found


def _allow_short(root: dict[str, Any], phase: dict[str, Any], stream: dict[str, Any]) -> None:
    """What a recipe may leave out that the resolved recipe has: a list of one phase, a stream's keys by ``like``."""
    phase = phase["properties"]
    uses = phase["streams"]
    differing = {key: {"anyOf": [body, {"type": "null"}]} for key, body in uses["patternProperties"].items()}
    listed = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    phase["streams"] = {
        "description": "a list of streams, or a mapping from streams to what differs there, in the order of turns",
        "anyOf": [listed, {**uses, "patternProperties": differing}],
    }
    root["properties"] |= {key: phase[key] for key in OF_THE_PHASE}
    root["required"].remove("phases")
    root["anyOf"] = [{"required": [key]} for key in CHOICE]
    like = {"type": "string", "description": "another stream, whose keys it takes over"}
    whole = dict(stream)
    stream.clear()
    copy = {**_partial(whole), "properties": {LIKE: like, **whole["properties"]}}
    stream.update({"if": {"required": [LIKE]}, "then": copy, "else": whole})


def _options(catalog: Catalog) -> dict[ComponentInfo, type[BaseModel]]:
    """The options of all components that can be imported."""
    found = {}
    for info in rankhub.list_components(catalog=catalog):
        with suppress(UserError):
            found[info] = catalog.options(info)
    return found


def _kind(
    kind: str,
    catalog: Catalog,
    options: Mapping[ComponentInfo, type[BaseModel]],
    own: Mapping[str, Any],
    bodies: Mapping[type[BaseModel], dict[str, Any]],
) -> dict[str, Any]:
    """A component of a kind: its name, the recipe's own keys beside it, and the options that each name has."""
    beside = {key: value for key, value in own["properties"].items() if key != "use"}
    shown = sorted((info.name for info in catalog.entries(kind)), key=lambda name: "/" in name)  # owner/name come last
    schema = {
        "type": "object",
        "properties": {"use": {"description": "name, or owner/name", "anyOf": [{"enum": shown}, {"pattern": ".+/.+"}]}},
        "required": own["required"],
        "allOf": [_branch(info, beside, bodies[model]) for info, model in options.items() if info.kind == kind],
    }
    described = {"description": catalog.kinds[kind].summary}
    if kind != "dataset":
        return {**described, **schema}
    like = {
        "type": "object",
        "properties": {LIKE: {"type": "string", "description": "another data set, whose options it takes over"}},
        "required": [LIKE],
        "not": {"required": ["use"]},
    }
    return {**described, "if": {"required": [LIKE]}, "then": like, "else": schema}


def _branch(info: ComponentInfo, beside: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """``if`` the recipe uses this component, ``then`` its options."""
    use = {"const": info.name} if "/" in info.name else {"enum": [info.name, f"{info.owner}/{info.name}"]}
    properties = {"use": {"description": info.summary}, **beside, **options.get("properties", {})}
    then = {key: value for key, value in options.items() if key != "title"}
    return {
        "if": {"properties": {"use": use}, "required": ["use"]},
        "then": {**then, "description": info.summary, "properties": properties},
    }
