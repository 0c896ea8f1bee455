"""What stands in the project's papers: blocks of code, commands in prose, paths, tables of components."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from helpers.tiny_recipes import QUICK
from typer.core import TyperGroup

import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub_cli.main import build
from rankhub_study.verb import shipped_plans

SHORT = ["steps=2", "streams.views.batch_size=8"]
SMALL = {
    "quickstart": ["steps=2", *QUICK],
    "s2r2_folder": ["backbone.model=test_resnet", *SHORT],
    "counting_quickstart": ["steps=2", "data.labeled.images=40", "data.test.images=4"],
    "quality_quickstart": ["steps=2", "data.labeled.per_photo=8", "data.test.per_photo=4", "predict.count=2"],
}
"""Recipe -> changes that make it short."""

OTHERS = {"pip", "tensorboard", "ruff", "mypy", "lint-imports", "mlflow"}
"""Programs of others that papers call."""


def papers(repo: Path) -> list[str]:
    """README.md, CONTRIBUTING.md and the README of each plugin, relative to the checkout."""
    beside = sorted(path.relative_to(repo).as_posix() for path in (repo / "plugins").glob("*/README.md"))
    return ["README.md", "CONTRIBUTING.md", *beside]


def blocks(text: str) -> dict[str, list[str]]:
    """Language -> the blocks of that language, in order."""
    found: dict[str, list[str]] = {}
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        found.setdefault(language, []).append(block)
    return found


def prose(text: str) -> str:
    """The text without its blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def shortened(block: str) -> Iterator[list[str]]:
    """The rankhub commands of a block, as argument lists, with trainings shortened."""
    for line in re.split(r"\n|&&", block):
        words = shlex.split(line, comments=True)
        if words[:1] == ["rankhub"]:
            arguments = words[1:]
            if arguments[0] == "run":
                arguments += SMALL[arguments[1]]
            elif arguments[:2] == ["label", "train"]:
                arguments += ["steps=2", "predict.count=2"]
            yield arguments


def commands_in_prose(text: str) -> list[str]:
    """Commands between backticks outside of blocks."""
    return re.findall(r"`((?:\w+=\w+ )?(?:python|rankhub|torchrun|pip) [^`]+)`", prose(text))


def paths_in_prose(text: str) -> set[str]:
    """Paths of the project between backticks outside of blocks; ``*`` and ``NAME`` stand for anything."""
    top = "rankhub|plugins|recipes|tools|tests|recipe|engine|catalog|interfaces"
    found = re.findall(rf"`((?:{top})/[\w./*-]*)`", prose(text))
    return {path.replace("NAME", "*").rstrip("/") for path in found}


def components(text: str) -> set[tuple[str, str]]:
    """(kind, name) of each row of a table of components; verbs are of the kind ``verb``."""
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \|", text, re.MULTILINE)
    return {(kind, name) for kind, name in rows if kind in {*Catalog.discover().kinds, "verb"}}


def fault(command: str, repo: Path) -> str | None:
    """What is wrong with a command that is not run; None if nothing is.

    Words in capitals stand for something of the user's. Recipes are checked with their overrides and overlays.
    """
    words = [word for word in shlex.split(command, comments=True) if not re.fullmatch(r"[A-Z_]+=\w+", word)]
    if words[0] == "python" and words[1].startswith("tools/"):
        return _tool(words[1:], repo)
    if words[:3] == ["python", "-m", "pytest"]:
        gone = [word for word in words[3:] if word.startswith("tests/") and not (repo / word).exists()]
        return f"no {gone}" if gone else None
    if words[:3] == ["python", "-m", "pip"] or words[0] in OTHERS:
        return None
    if words[:2] == ["python", "-m"] and words[2].startswith("rankhub_"):
        return None if (repo / "plugins" / f"{words[2].replace('.', '/')}.py").exists() else f"no module {words[2]}"
    if "rankhub" not in words:
        return f"{words[0]} is no known program"
    try:
        return _verb(words[words.index("rankhub") + 1 :])
    except Exception as error:  # of click, or of the copy of it that some releases of typer hold
        kind = type(error).__name__
        if isinstance(error, rankhub.UserError) or kind in ("UsageError", "NoSuchOption", "BadParameter"):
            return str(error)
        if kind == "MissingParameter":
            return None  # a command in prose may leave something out
        raise


def _tool(words: Sequence[str], repo: Path) -> str | None:
    """That a program under tools/ is not there, or does not know an option."""
    file = repo / words[0]
    if not file.is_file():
        return f"no {words[0]}"
    code = "".join(path.read_text() for path in [file, *file.parent.glob("*/*.py")])
    unknown = [word for word in words[1:] if word.startswith("--") and f'"{word}"' not in code]
    return f"{words[0]} has no {unknown}" if unknown else None


def _verb(words: list[str]) -> str | None:
    """That the command line would not take these words, or a recipe, a plan or a component is not there."""
    command, left = typer.main.get_command(build(words)), list(words)
    while left and isinstance(command, TyperGroup):
        name = left.pop(0)
        if name not in command.commands:
            return f"no verb {name}"
        command = command.commands[name]
    if isinstance(command, TyperGroup):
        return None
    given = command.make_context(words[0], left).params
    if any(isinstance(value, str) and re.fullmatch(r"[A-Z_]+", value) for value in given.values()):
        return None
    if words[0] in ("run", "validate") and given["recipe"]:
        overlays = [one for one in given["overlay"] or [] if not re.fullmatch(r"[A-Z]+|changes.yaml", one)]
        rankhub.load_recipe(given["recipe"], given["overrides"] or [], overlays=overlays)
    elif words[0] == "study" and given["plan"] is not None and given["plan"] not in shipped_plans():
        return f"no plan {given['plan']}"
    elif words[0] == "describe" and given["name"] is not None:
        rankhub.describe(given["kind"], given["name"])
    return None
