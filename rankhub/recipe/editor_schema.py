"""The JSON schema of a recipe, for editors: completion, hints and marks while one types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rankhub.catalog.catalog import Catalog, CatalogError, Entry
from rankhub.catalog.hints import fields_of
from rankhub.catalog.spec import KIND_KEY
from rankhub.interfaces.kinds import KINDS
from rankhub.recipe.schema import EvaluatorSpec, Recipe

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def editor_schema(catalog: Catalog) -> dict[str, Any]:
    """The whole schema: the recipe's own keys, and for each ``use`` the options of that component.

    Components are imported. One that cannot be is in the schema without its options, so that an editor
    accepts what it cannot check.
    """
    definitions: dict[str, Any] = {}
    root = _adopt(Recipe.model_json_schema(), "", definitions)
    for kind in KINDS:
        definitions[kind] = _kind(kind, catalog, definitions)
    return {"$schema": _DRAFT, **root, "title": "rankhub recipe", "$defs": dict(sorted(definitions.items()))}


def _kind(kind: str, catalog: Catalog, definitions: dict[str, Any]) -> dict[str, Any]:
    entries = catalog.entries(kind)
    clashing = {name for of, name in catalog.clashes() if of == kind}
    bare = [entry for entry in entries if entry.component.name not in clashing]
    names = [entry.component.name for entry in bare] + [e.full_name for e in entries if e not in bare]
    own = _own(kind)
    branches = [_branch(entry, entry in bare, own, catalog, definitions) for entry in entries]
    schema = {
        "type": "object",
        "description": KINDS[kind].summary,
        "properties": {"use": {"description": "name, or owner/name", "anyOf": [{"enum": names}, {"pattern": ".+/.+"}]}},
        "required": ["use"],
        "allOf": [branch for branch in branches if branch],
    }
    return _or_like(schema) if kind == "dataset" else schema


def _own(kind: str) -> dict[str, Any]:
    """Keys beside ``use`` that belong to the recipe and not to the component."""
    if kind != "evaluator":
        return {}
    properties: Mapping[str, Any] = EvaluatorSpec.model_json_schema()["properties"]
    return {name: properties[name] for name in fields_of(EvaluatorSpec) or () if name != "use"}


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
