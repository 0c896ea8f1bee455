"""Checks the name patterns of phases against the parameters that the network will have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from torch import nn

from rankhub.catalog.hints import Steps
from rankhub.catalog.nearest import nearest
from rankhub.recipe.draft import Draft
from rankhub.recipe.names import matching


def check_patterns(draft: Draft, modules: Mapping[str, nn.Module | None]) -> None:
    """A pattern that means no parameter is an error: it would be passed over in silence.

    Args:
        draft: The recipe; what is wrong is added.
        modules: Prefix of parameter names -> module, or None where it could not be built.
    """
    names = list(_names(modules, buffers=False))
    all_names = list(_names(modules, buffers=True))
    unknown = [prefix for prefix, module in modules.items() if module is None]
    for steps, pattern in _patterns(draft):
        known = all_names if steps[2] == "reset" else names
        fixed = re.split(r"[*?\[]", pattern)[0].rstrip(".")
        unsure = any(prefix.startswith(fixed) or fixed.startswith(prefix) for prefix in unknown)
        if unsure or draft.failed(steps) or matching(known, pattern):
            continue
        near = nearest(pattern, {part for name in known for part in _parts(name)})
        advice = f"; did you mean {near!r}?" if near else f"; the names begin with {', '.join(_named(modules))}"
        draft.add(steps, f"the pattern {pattern!r} matches no parameter of the network{advice}")


def _patterns(draft: Draft) -> Iterator[tuple[Steps, str]]:
    for number in range(len(draft.items("phases"))):
        for key in ("freeze", "reset"):
            for position, pattern in enumerate(draft.items("phases", number, key)):
                if isinstance(pattern, str):
                    yield ("phases", number, key, position), pattern
        for pattern in draft.mapping("phases", number, "lr_scale"):
            yield ("phases", number, "lr_scale", pattern), pattern


def _names(modules: Mapping[str, nn.Module | None], *, buffers: bool) -> Iterator[str]:
    for prefix, module in modules.items():
        if module is not None:
            yield from (f"{prefix}.{name}" for name, _ in module.named_parameters())
            if buffers:
                yield from (f"{prefix}.{name}" for name, _ in module.named_buffers())


def _named(modules: Mapping[str, nn.Module | None]) -> list[str]:
    """The prefixes under which there are parameters."""
    return sorted(prefix for prefix, module in modules.items() if module and list(module.parameters()))


def _parts(name: str) -> Iterator[str]:
    """The parameter, every part of the network that holds it, and the pattern of all below."""
    pieces = name.split(".")
    for length in range(1, len(pieces) + 1):
        yield ".".join(pieces[:length])
        yield ".".join([*pieces[:length], "*"])
