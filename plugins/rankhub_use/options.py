"""Options of a component as they are typed on a command line."""

from collections.abc import Sequence
from typing import Any

from rankhub import Document, UserError, apply_overrides


def read_options(words: Sequence[str]) -> dict[str, Any]:
    """Options of a component as they are typed: ``option=value`` or ``option.part=value``, by the rules of overrides.

    Raises:
        UserError: A word is not of that form, or its value is no YAML.
    """
    options: dict[str, Any] = {}
    for word in words:
        path, equals, value = word.partition("=")
        first, dot, rest = path.partition(".")
        if not equals:
            raise UserError(f"the option {word!r} has no value; write {word}=VALUE")
        if dot and first not in options:
            raise UserError(
                f"the option {word!r} is a part of {first!r}, which is not given; write {first}={{{rest}: {value}}}"
            )
        problems = apply_overrides(Document(options, "options"), [word], shape=None)
        if problems:
            raise UserError(f"the option {word!r} cannot be used: {problems[0].text}")
    if "use" in options:
        raise UserError("`use` is no option: it names the component that has them")
    return options
