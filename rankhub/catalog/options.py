"""A component's constructor, read as the schema of its options."""

import inspect
import json
import re
import textwrap
import typing
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

from rankhub.catalog.hints import members, unwrap
from rankhub.catalog.spec import ComponentSpec, Uses
from rankhub.interfaces.kinds import Kind
from rankhub.interfaces.options import MayChange
from rankhub.interfaces.schedule import Schedule

_SECTION = re.compile(r"^Args:\n((?: .*\n?|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^\*{0,2}(\w+)(?: \([^)]*\))?:(.*(?:\n(?: .*)?)*)", re.MULTILINE)


class UnreadableConstructor(Exception):
    """A constructor does not follow the rules for components; the text says which one, for the plugin's author."""


_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True, ser_json_inf_nan="constants", protected_namespaces=())


def options_model(cls: type, kind: Kind) -> type[BaseModel]:
    """The options of ``cls`` as a pydantic model, one field for each keyword-only parameter.

    A constructor that ends in ``**options`` has those of its base as well, with its own in front of equal names.

    Raises:
        UnreadableConstructor: The parameters are not as the kind has them, a hint is missing or cannot stand
            in a recipe, or a default does not fit its own hint.
    """
    docs, fields = docs_of(cls).args, dict[str, Any]()
    for name, parameter in _parameters(cls, kind).items():
        attribute = f"{name}_" if hasattr(BaseModel, name) else name  # an option may be called `copy` or `json`
        default = ... if parameter.default is parameter.empty else parameter.default
        info = Field(default=default, alias=name, description=docs.get(name))
        fields[attribute] = (recipe_hint(parameter.annotation), info)
    try:
        model: type[BaseModel] = create_model(cls.__name__, __config__=_CONFIG, __module__=cls.__module__, **fields)
        model.model_rebuild()
    except (PydanticUserError, NameError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UnreadableConstructor(f"the type of an option cannot stand in a recipe: {reason}") from error
    _check_defaults(model)
    return model


def validate_options(model: type[BaseModel], options: Mapping[str, Any]) -> BaseModel:
    """The options, checked and with defaults; pydantic's ValidationError if some do not fit.

    They are read as JSON is: strictly, but a list may fill a tuple, text a path, a mapping a dataclass.
    """
    return model.model_validate_json(json.dumps(dict(options), default=str))


def values(options: BaseModel) -> dict[str, Any]:
    """Option -> value as the constructor takes it; a schedule is still a ``ComponentSpec``."""
    return {info.alias or name: getattr(options, name) for name, info in type(options).model_fields.items()}


def plain(options: BaseModel) -> dict[str, Any]:
    """Option -> value as plain data that a recipe can hold, defaults written out."""
    return options.model_dump(mode="json", by_alias=True)


def recipe_hint(hint: Any) -> Any:
    """The hint of what a recipe may write: ``Schedule`` becomes ``{use: ...}``, the bounds stay on the number."""
    bare, metadata = unwrap(hint)
    if any(isinstance(mark, MayChange) for mark in metadata):
        bounds = tuple(mark for mark in metadata if not isinstance(mark, MayChange))
        numbers = [member for member in members(bare) if member is not Schedule]
        bounded = [Annotated[number, *bounds] if bounds else number for number in numbers]
        return reduce(or_, [*bounded, Annotated[ComponentSpec, Uses("schedule")]])
    if len(members(bare)) > 1:
        inner = reduce(or_, map(recipe_hint, members(bare)))
        return Annotated[inner, *metadata] if metadata else inner
    return hint


class Docs(NamedTuple):
    """A docstring: everything but its section ``Args:``, and parameter -> its text there, as one line."""

    body: str
    args: dict[str, str]


def docs_of(cls: type) -> Docs:
    """The docstring of a class; a parameter that it does not describe is looked up in its bases."""
    body, args = _parse(cls.__doc__ or "")
    for base in cls.__mro__[1:]:
        args = _parse(base.__doc__ or "").args | args
    return Docs(body, args)


def _parse(docstring: str) -> Docs:
    text = inspect.cleandoc(docstring)
    section = textwrap.dedent("".join(_SECTION.findall(text)))
    args = {name: " ".join(words.split()) for name, words in _ENTRY.findall(section)}
    return Docs(_SECTION.sub("", text).strip(), args)


def _parameters(cls: type, kind: Kind) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters with their hints resolved, after a look at all the others."""
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise UnreadableConstructor(f"the class leaves out {missing} of a {kind.name}")
    constructors = _constructors(cls)
    wired = [p for p in constructors[0][1] if p.kind is p.POSITIONAL_ONLY]
    if len(wired) != len(kind.wired):
        expected = ", ".join(kind.wired) or "none"
        raise UnreadableConstructor(
            f"it takes {len(wired)} positional-only parameters, a {kind.name} is handed {len(kind.wired)} ({expected})"
        )
    found: dict[str, inspect.Parameter] = {}
    for owner, parameters in constructors:
        options = [p for p in parameters if p.kind is not p.POSITIONAL_ONLY and p.name not in found]
        _check_each(options, kind)
        hints = _hints(owner, {p.name: p.annotation for p in options})
        found |= {p.name: p.replace(annotation=hints[p.name]) for p in options}
    return found


def _constructors(cls: type) -> list[tuple[type, list[inspect.Parameter]]]:
    """The class's constructor; where it ends in ``**options``, also the next base's, to which it hands them on."""
    found: list[tuple[type, list[inspect.Parameter]]] = []
    *owners, last = [base for base in cls.__mro__ if "__init__" in vars(base) and base is not object] or [cls]
    for owner in owners:
        parameters = list(inspect.signature(owner).parameters.values())
        if not parameters or parameters[-1].kind is not inspect.Parameter.VAR_KEYWORD:
            return [*found, (owner, parameters)]
        found.append((owner, parameters[:-1]))
    return [*found, (last, list(inspect.signature(last).parameters.values()))]


def _check_each(options: Iterable[inspect.Parameter], kind: Kind) -> None:
    for parameter in options:
        if parameter.kind is not parameter.KEYWORD_ONLY:
            raise UnreadableConstructor(f"its parameter {parameter} must be keyword-only, an option of its own")
        if parameter.annotation is parameter.empty:
            raise UnreadableConstructor(f"its option {parameter.name!r} has no type hint")
        if parameter.name == "use":
            raise UnreadableConstructor("`use` names the component, an option needs another name")
        if parameter.name in kind.reserved:
            raise UnreadableConstructor(
                f"`{parameter.name}` beside a {kind.name} is the recipe's own; its option needs another name"
            )


def _hints(cls: type, annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Hints of the options alone: those of wired parameters may be imported for the type checker only."""
    constructor = inspect.getattr_static(cls, "__init__")
    namespace = getattr(inspect.unwrap(constructor), "__globals__", {})
    probe = type("probe", (), {"__annotations__": dict(annotations), "__module__": cls.__module__})
    try:
        return typing.get_type_hints(probe, globalns=namespace, include_extras=True)
    except NameError as error:
        raise UnreadableConstructor(f"a type hint of its options cannot be read: {error}") from error


def _check_defaults(model: type[BaseModel]) -> None:
    """What a default writes into the resolved recipe must be readable again."""
    defaults = model.model_construct().model_dump(mode="json", by_alias=True, warnings=False)
    try:
        validate_options(model, defaults)
    except ValidationError as error:
        for wrong in error.errors(include_url=False):
            if (option := wrong["loc"][0]) in defaults:  # the others have no default
                reason = f"the default {wrong['input']!r} of its option {option!r} does not fit the option's type hint"
                raise UnreadableConstructor(reason) from error
