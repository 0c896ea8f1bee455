"""What a plain scalar means in a recipe, and how data are written so that they mean the same again.

PyYAML follows YAML 1.1, where ``1e-3`` is text, ``no`` is a boolean, ``1:30`` is 90 and ``2024-01-01`` a date.
Recipes follow the core schema of YAML 1.2 in its narrowest form: only ``true`` and ``false`` are booleans.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_NULL = frozenset({"", "~", "null"})
_BOOL = {"true": True, "false": False}
_INT = re.compile(r"[-+]?[0-9]{1,1000}")  # Python refuses to read numbers of some thousand digits
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"(?P<sign>[-+]?)\.(inf|Inf|INF)|\.(?P<nan>nan|NaN|NAN)")


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
    special = _SPECIAL.fullmatch(text)
    if special:
        return float("nan" if special["nan"] else f"{special['sign']}inf")
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes every string that a recipe would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(scalar(text), str) else "'"
    if any(text.count(sign) for sign in "\x85\u2028\u2029"):  # which PyYAML would fold
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write_yaml(data: Any) -> str:
    """Plain data as YAML that a recipe's reader turns back into the same data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def write_value(data: Any) -> str:
    """Plain data as YAML in one line, as it may stand behind ``a.b.c=``."""
    text = yaml.dump(data, Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")
