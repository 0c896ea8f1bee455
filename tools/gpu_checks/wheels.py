"""Which distributions a machine without an index needs beside torch and timm."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

THERE = ("torch", "torchvision", "timm", "pip", "setuptools")
"""What is taken to be there, with all that it brings."""


def needed(name: str = "rankhub", extra: str = "") -> list[str]:
    """``NAME==VERSION``, as installed here, of what a distribution needs and :data:`THERE` does not bring."""
    there = {found for one in THERE for found in _closure(one)}
    wanted = {found for found in _closure(name, extra) if found not in there and found != canonicalize_name(name)}
    return sorted(_said(one) for one in wanted)


def _said(name: str) -> str:
    try:
        return f"{name}=={distribution(name).version}"
    except PackageNotFoundError:
        return f"{name} (not installed here)"


def _closure(name: str, extra: str = "") -> set[str]:
    """A distribution and all that it needs, as far as they are installed here."""
    found: set[str] = set()
    ahead: list[tuple[str, str]] = [(canonicalize_name(name), extra)]
    while ahead:
        one, its = ahead.pop()
        if one not in found:
            found.add(one)
            ahead += _needs(one, its)
    return found


def _needs(name: str, extra: str) -> Iterator[tuple[str, str]]:
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield canonicalize_name(requirement.name), next(iter(requirement.extras), "")
