"""The JSON schema of a recipe, for editors: completion, hints and marks while one types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rankhub.catalog.catalog import Catalog, CatalogError, Entry
from rankhub.catalog.spec import KIND_KEY, ComponentSpec
from rankhub.interfaces.kinds import KINDS
from rankhub.recipe.extends import EXTENDS, LIKE
from rankhub.recipe.phases import CHOICE, OF_THE_PHASE
from rankhub.recipe.schema import SPECS, Recipe

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_PARTIAL = "partial."
"""Prefix of definitions for recipes that extend another."""


def editor_schema(catalog: Catalog) -> dict[str, Any]:
    """The whole schema: the recipe's own keys, and for each ``use`` the options of that component.

    Components are imported. One that cannot be is in the schema without its options, so that an editor
    accepts what it cannot check.
    """
    definitions: dict[str, Any] = {}
    root = _adopt(Recipe.model_json_schema(), "", definitions)
    _allow_short(root, definitions)
    for kind in KINDS:
        definitions[kind] = _kind(kind, catalog, definitions)
    whole = {**root, "title": "a whole recipe"}
    definitions |= {f"{_PARTIAL}{name}": _partial(body) for name, body in definitions.items()}
    definitions[f"{_PARTIAL}recipe"] = _extending(_partial(whole))
    return {
        "$schema": _DRAFT,
        "title": "rankhub recipe",
        "if": {"required": [EXTENDS]},
        "then": {"$ref": f"#/$defs/{_PARTIAL}recipe"},
        "else": whole,
        "$defs": dict(sorted(definitions.items())),
    }


def _extending(recipe: dict[str, Any]) -> dict[str, Any]:
    """The schema of a recipe that extends another: it may leave everything out."""
    extends = {"type": "string", "description": "a recipe or block that comes with rankhub, or the path of a file"}
    return {
        **recipe,
        "title": "a recipe that extends another",
        "properties": {EXTENDS: extends, **recipe["properties"]},
    }


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


def _allow_short(root: dict[str, Any], definitions: dict[str, Any]) -> None:
    """What a recipe may leave out that the resolved recipe has: a list of one phase, a stream's keys by ``like``."""
    phase, stream = definitions["Phase"]["properties"], definitions["Stream"]
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
    copy = {**_partial(stream), "properties": {LIKE: like, **stream["properties"]}}
    definitions["Stream"] = {"if": {"required": [LIKE]}, "then": copy, "else": stream}


def _kind(kind: str, catalog: Catalog, definitions: dict[str, Any]) -> dict[str, Any]:
    entries = catalog.entries(kind)
    clashing = {name for of, name in catalog.clashes() if of == kind}
    bare = [entry for entry in entries if entry.component.name not in clashing]
    names = [entry.component.name for entry in bare] + [e.full_name for e in entries if e not in bare]
    own = _own(kind, definitions)
    branches = [_branch(entry, entry in bare, own["properties"], catalog, definitions) for entry in entries]
    schema = {
        "type": "object",
        "description": KINDS[kind].summary,
        "properties": {"use": {"description": "name, or owner/name", "anyOf": [{"enum": names}, {"pattern": ".+/.+"}]}},
        "required": own["required"],
        "allOf": [branch for branch in branches if branch],
    }
    return _or_like(schema) if kind == "dataset" else schema


def _own(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of the keys that belong to the recipe and not to the component."""
    schema = _adopt(SPECS.get(kind, ComponentSpec).model_json_schema(), f"{kind}.", definitions)
    del schema["properties"]["use"]
    return schema


def _branch(
    entry: Entry, bare: bool, own: Mapping[str, Any], catalog: Catalog, definitions: dict[str, Any]
) -> dict[str, Any] | None:
    """``if`` the recipe uses this component, ``then`` its options."""
    try:
        model = catalog.options(entry)
    except CatalogError:
        return None
    options = _adopt(model.model_json_schema(by_alias=True), f"{entry.component.kind}.{entry.full_name}.", definitions)
    names = [entry.component.name, entry.full_name] if bare else [entry.full_name]
    use = {"const": names[0]} if len(names) == 1 else {"enum": names}
    options.pop("title", None)
    return {
        "if": {"properties": {"use": use}, "required": ["use"]},
        "then": {
            **options,
            "description": entry.component.summary,
            "properties": {"use": {"description": entry.component.summary}, **own, **options.get("properties", {})},
        },
    }


def _or_like(schema: dict[str, Any]) -> dict[str, Any]:
    """A data set may instead say what other one it is like."""
    like = {
        "type": "object",
        "properties": {"like": {"type": "string", "description": "another data set, whose options it takes over"}},
        "required": ["like"],
        "not": {"required": ["use"]},
    }
    return {"description": schema.pop("description"), "if": {"required": ["like"]}, "then": like, "else": schema}


def _adopt(schema: dict[str, Any], prefix: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Move a schema's own definitions to the common ones, and point places of components to their kinds."""
    own = schema.pop("$defs", {})
    for name, body in own.items():
        definitions[f"{prefix}{name}"] = _point(body, prefix)
    pointed: dict[str, Any] = _point(schema, prefix)
    return pointed


def _point(node: Any, prefix: str) -> Any:
    if isinstance(node, list):
        return [_point(item, prefix) for item in node]
    if not isinstance(node, dict):
        return node
    if KIND_KEY in node:
        rest = {key: _point(value, prefix) for key, value in node.items() if key not in (KIND_KEY, "$ref")}
        return {**rest, "$ref": f"#/$defs/{node[KIND_KEY]}"}
    if isinstance(node.get("$ref"), str):
        name = node["$ref"].removeprefix("#/$defs/")
        return {**node, "$ref": f"#/$defs/{prefix}{name}".replace("/", "~1").replace("#~1$defs~1", "#/$defs/")}
    closed = {"additionalProperties": False} if "patternProperties" in node else {}
    return {**{key: _point(value, prefix) for key, value in node.items()}, **closed}
