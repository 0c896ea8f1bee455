"""Reads a recipe's YAML and keeps the line of every entry; and writes data so that they mean the same again.

PyYAML follows YAML 1.1, where ``1e-3`` is text, ``no`` is a boolean, ``1:30`` is 90 and ``2024-01-01`` a date.
Recipes follow the core schema of YAML 1.2 in its narrowest form: only ``true`` and ``false`` are booleans.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

import yaml

from rankhub.catalog.hints import KeyPath
from rankhub.recipe.report import Location, Problem, RecipeErrors

_MANY = 100_000
"""Entries beyond which aliases must have multiplied a file."""

_LONGEST, _DEEPEST = 1_000_000, 50
"""Characters of a recipe, and entries inside one another; more is no recipe, and takes minutes to read."""

_TAGS = "tag:yaml.org,2002:"
_STRING = f"{_TAGS}str"

_NULL = frozenset({"", "~", "null"})
_BOOL = {"true": True, "false": False}
_INT = re.compile(r"[-+]?[0-9]{1,1000}")  # Python refuses to read numbers of some thousand digits
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"(?P<sign>[-+]?)\.(inf|Inf|INF)|\.(?P<nan>nan|NaN|NAN)")

_PLAINER = {
    "mapping values are not allowed here": "a `:` where no key can stand; check the indentation, or quote the text",
    "could not find expected ':'": "a key without `: value`",
    "found unexpected end of stream": "a quote or bracket is not closed",
    "expected ',' or '}', but got": "a `{` is not closed, or a comma is missing",
    "expected ',' or ']', but got": "a `[` is not closed, or a comma is missing",
    "expected <block end>, but found": "the indentation does not fit the lines above",
    "expected '<document start>'": "the indentation does not fit the lines above",
    "that cannot start any token": "text that starts with a sign of YAML; put it in quotes",
    "found undefined alias": "an alias (*name) without its anchor (&name)",
    "but found another document": "a second document; a recipe is one, without `---` in the middle",
}


@dataclass(slots=True)
class Document:
    """A recipe as plain data, and where each entry stands.

    Attributes:
        data: Mappings, lists, strings, numbers, booleans, None.
        file: The file, as the user gave it.
        locations: Where entries stand; an entry without one stands where the nearest entry above it does.
        inherited: Entries that were copied from elsewhere in the recipe -> the address they came from.
        replaced: Components in whose place a change has put another -> what stood after ``use:``.
        origin: The distribution that ships the file; "" = a user's.
    """

    data: dict[str, Any]
    file: str
    locations: dict[KeyPath, Location] = field(default_factory=dict)
    inherited: dict[KeyPath, KeyPath] = field(default_factory=dict)
    replaced: dict[KeyPath, Any] = field(default_factory=dict)
    origin: str = ""

    def location(self, steps: KeyPath) -> Location:
        """Where the entry is written, or what is nearest above it."""
        return self._written(steps)[1]

    def problem(self, steps: KeyPath, text: str, owner: str = "") -> Problem:
        """A problem of the entry at ``steps``, or of the one that it was copied from."""
        steps, location = self._written(steps)
        return Problem(location, steps, text, owner)

    def _written(self, steps: KeyPath) -> tuple[KeyPath, Location]:
        for length in range(len(steps), -1, -1):
            if steps[:length] in self.locations:
                return steps, self.locations[steps[:length]]
            if steps[:length] in self.inherited:
                return self._written(self.inherited[steps[:length]] + steps[length:])
        return steps, Location(self.file, 1, origin=self.origin)

    def forget(self, steps: KeyPath) -> None:
        """Drop what is known of the locations of an entry and of all inside it."""
        for known in (self.locations, self.inherited):
            for inside in [key for key in known if key[: len(steps)] == steps]:
                del known[inside]

    def take(self, other: Self, steps: KeyPath) -> None:
        """Let an entry, and all inside it, stand where it does in another document."""
        self.forget(steps)
        self.locations.update({key: where for key, where in other.locations.items() if key[: len(steps)] == steps})

    def move(self, steps: KeyPath, to: Mapping[int, str | int]) -> None:
        """Give the items of a list other positions, or names; of two that get one name the first one stays."""
        depth, locations = len(steps), self.locations
        self.locations = {}
        for key, location in locations.items():
            inside = key[:depth] == steps and len(key) > depth
            self.locations.setdefault((*steps, to[int(key[depth])], *key[depth + 1 :]) if inside else key, location)


def at(data: Any, steps: KeyPath) -> Any:
    """What stands at an address of plain data; None if nothing does."""
    for segment in steps:
        if isinstance(data, Mapping):
            data = data.get(segment)
        elif isinstance(data, list) and isinstance(segment, int) and segment < len(data):
            data = data[segment]
        else:
            return None
    return data


def mapping_at(data: Any, *steps: str | int) -> dict[str, Any]:
    """The mapping at an address; empty if no mapping stands there."""
    here = at(data, steps)
    return here if isinstance(here, dict) else {}


def list_at(data: Any, *steps: str | int) -> list[Any]:
    """The list at an address; empty if no list stands there."""
    here = at(data, steps)
    return here if isinstance(here, list) else []


_EXPECTED = "a mapping with data, backbone, streams ..."


def read_yaml(text: str, file: str, expected: str = _EXPECTED, origin: str = "") -> Document:
    """A recipe's text as data; ``expected`` is what its top must be, for the sentence about a file that is no mapping.

    Raises:
        RecipeErrors: It is no YAML, has a key twice, or is no mapping; every such line.
    """
    node = _compose(text, file)
    reading = _Reading(Document({}, file, origin=origin))
    if not isinstance(node, yaml.MappingNode):
        line = 1 if node is None else node.start_mark.line + 1
        what = "the file is empty" if node is None else "this is no recipe"
        raise _refused(file, line, f"{what}; expected {expected}")
    reading.document.data = reading.value(node, ())
    if reading.problems:
        raise RecipeErrors(reading.problems)
    return reading.document


def read_value(text: str) -> Any:
    """One value as it may stand behind a key; a ValueError says why it is no YAML."""
    try:
        node = _compose(text, "")
    except RecipeErrors as error:
        raise ValueError(error.problems[0].text) from error
    reading = _Reading(Document({}, ""))
    value = None if node is None else reading.value(node, ())
    if reading.problems:
        raise ValueError(reading.problems[0].text)
    return value


class _Loader(yaml.SafeLoader):
    """Leaves it to the recipe what a scalar without a tag is."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: object) -> str:
        return ""


@lru_cache(64)  # a study reads each recipe many times; nothing changes nodes
def _compose(text: str, file: str) -> yaml.Node | None:
    if len(text) > _LONGEST:
        what = f"this is no recipe: it has {len(text):,} characters, and the longest may have {_LONGEST:,}"
        raise _refused(file, 1, what)
    try:
        node: yaml.Node | None = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise _refused(file, *_syntax(error, text)) from error
    except yaml.reader.ReaderError as error:
        what = f"this is not YAML: the character {chr(error.character)!a} cannot stand in it"
        raise _refused(file, text.count("\n", 0, error.position) + 1, what) from error
    except RecursionError as error:
        raise _refused(file, 1, "the brackets are nested too deeply") from error
    return node


def _refused(file: str, line: int, text: str) -> RecipeErrors:
    return RecipeErrors([Problem(Location(file, line), (), text)])


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """The line, and what is wrong there."""
    said = error.problem or "it cannot be read"
    # An unclosed bracket shows only at the end of the file; it was opened where the context began.
    unclosed = said.startswith(("found unexpected end of stream", "expected ',' or"))
    mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
    line = mark.line if mark is not None else 0
    lines = text.splitlines() or [""]
    written = lines[min(line, len(lines) - 1)]
    if "'\\t'" in said or "\t" in written[: len(written) - len(written.lstrip())]:
        what = "a tab; YAML indents with spaces only"
    else:
        what = next((plain for start, plain in _PLAINER.items() if start in said), said)
    return line + 1, f"this is not YAML: {what}"


def _endless(node: yaml.ScalarNode) -> bool:
    value = None if node.tag or node.style is not None else scalar(node.value)
    return isinstance(value, float) and not math.isfinite(value)


class _Reading:
    """Turns nodes into data; collects problems on the way."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._open: list[yaml.Node] = []
        self._count = 0

    def value(self, node: yaml.Node, steps: KeyPath) -> Any:
        self._count += 1
        self.document.locations.setdefault(steps, self._location(node))
        if node in self._open:
            return self._refuse(node, steps, "an alias stands inside its own anchor")
        if self._count > _MANY:
            first = self._count == _MANY + 1
            return self._refuse(node, steps, f"aliases blow this up to over {_MANY} entries") if first else None
        if node.tag not in ("", _STRING):
            return self._refuse(node, steps, f"tags such as {node.tag.replace(_TAGS, '!!')} are not part of recipes")
        if len(self._open) > _DEEPEST:
            return self._refuse(node, steps, f"this stands more than {_DEEPEST} levels deep")
        if isinstance(node, yaml.ScalarNode) and _endless(node):
            return self._refuse(node, steps, f"{node.value} is no finite number")
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, steps)
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*steps, number)) for number, item in enumerate(node.value)]
            quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
            return str(node.value) if node.tag or quoted else scalar(str(node.value))
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, steps: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, steps, "a key must be plain text")
                continue
            key = str(key_node.value)
            below = (*steps, key)
            if key == "<<" and key_node.style is None:
                text = "merging (<<) is not part of recipes; name an entry by `like:` or an alias"
                self._refuse(key_node, below, text)
            elif key in data:
                first = self.document.locations[below].line
                self._refuse(key_node, below, f"the key {key!r} stands here twice, first in line {first}")
            else:
                self.document.locations[below] = self._location(key_node)
                data[key] = self.value(value_node, below)
        return data

    def _location(self, node: yaml.Node) -> Location:
        return Location(self.document.file, node.start_mark.line + 1, origin=self.document.origin)

    def _refuse(self, node: yaml.Node, steps: KeyPath, text: str) -> None:
        self.problems.append(Problem(self._location(node), steps, text))


def scalar(text: str) -> str | int | float | bool | None:
    """The value of a scalar without quotes."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float("nan" if special["nan"] else f"{special['sign']}inf")
    return text


class _QuotingDumper(yaml.SafeDumper):
    """Quotes every string that a recipe would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(scalar(text), str) else "'"
    if any(text.count(sign) for sign in "\x85\u2028\u2029"):  # which PyYAML would fold
        style = '"'
    return dumper.represent_scalar(_STRING, text, style=style)


_QuotingDumper.add_representer(str, _text)


def write_yaml(data: Any) -> str:
    """Plain data as YAML that a recipe's reader turns back into the same data."""
    return yaml.dump(data, Dumper=_QuotingDumper, sort_keys=False, allow_unicode=True, width=110)


def write_value(data: Any) -> str:
    """Plain data as YAML in one line, as it may stand behind ``a.b.c=``."""
    text = yaml.dump(
        data, Dumper=_QuotingDumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9
    )
    return text.removesuffix("\n").removesuffix("\n...")
