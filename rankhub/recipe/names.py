"""The names of parameters, and the patterns by which a recipe means them."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """The names of parameters that a recipe's pattern means: a shell pattern, or a whole part such as ``heads.score``.

    Parameters are called ``backbone.*``, ``heads.HEAD.*`` and ``losses.STREAM.LABEL.*``.
    """
    return [name for name in names if fnmatchcase(name, pattern) or name.startswith(f"{pattern.rstrip('.*')}.")]
