"""Folders of labeling that an earlier version made: their recipes are brought into the form that recipes have now."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from rankhub import UserError
from rankhub.interfaces.files import write_text
from rankhub_active.labeling.old_recipes import convert
from rankhub_active.labeling.settings import RECIPE, RESOLVED, RUNS

T = TypeVar("T")

BEFORE = ".before"
"""Ends the name of the file as it was."""

SHOWN = 3
"""Files that the note names."""

_WEIGHTS, _STATE = ("model.safetensors", "average.safetensors"), "optimizer.pt"
"""In the folder of a checkpoint."""

log = logging.getLogger("rankhub")


def bring_up(folder: Path) -> None:
    """Convert the recipes of a folder of labeling and of its runs, where they have the old form, and say so.

    Each is kept as it was beside the new one. Where losses have parameters, their names in checkpoints follow.

    Raises:
        UserError: Something cannot be written; what is not converted yet is as it was.
    """
    changed = []
    for file in _recipes(folder):
        try:
            converted = convert(file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError):
            continue  # what is wrong with it is said where it is loaded
        if converted is None:
            continue
        try:
            if file.name == RESOLVED:
                for checkpoint in sorted((file.parent / "checkpoints").glob("*/")):
                    _rename(checkpoint, converted.losses)
            _replace(file, converted.text)
        except Exception as error:  # whatever a damaged checkpoint makes its readers raise
            raise UserError(
                f"{file} has the form of an earlier version and cannot be brought into today's: "
                f"{(str(error).splitlines() or [type(error).__name__])[0]}"
            ) from error
        changed.append(str(file.relative_to(folder)))
    if changed:
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        log.warning(
            f"recipes of an earlier version in {folder} have today's form now, and are kept as they were beside it, as "
            f"NAME{BEFORE}: {', '.join(changed[:SHOWN])}{more}"
        )


def _recipes(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / RUNS).glob(f"*/{RESOLVED}"))
    if (folder / RECIPE).is_file():
        yield folder / RECIPE


def _replace(file: Path, text: str) -> None:
    before = file.with_name(file.name + BEFORE)
    shutil.copy2(file, before)
    write_text(file, text)
    shutil.copystat(before, file)  # its time says when the run began, and with it which labels are newer


def _rename(checkpoint: Path, losses: Mapping[str, str]) -> None:
    """Give the parameters of losses in a checkpoint the names that they have now."""
    import torch
    from safetensors.torch import load_file, save_file

    from rankhub.interfaces.tensors import load_tensors

    for file in (checkpoint / name for name in (*_WEIGHTS, _STATE)):
        if not file.is_file():
            continue
        beside = file.with_name(f"{file.name}.partial")
        if file.name == _STATE:
            state = load_tensors(file)
            by_name = state["optimizer"]["state"]
            if (renamed := _renamed(by_name, losses)).keys() == by_name.keys():
                continue
            state["optimizer"]["state"] = renamed
            torch.save(state, beside)
        else:
            weights = load_file(file)
            if (renamed := _renamed(weights, losses)).keys() == weights.keys():
                continue
            save_file(renamed, beside)
        beside.replace(file)


def _renamed(values: Mapping[str, T], losses: Mapping[str, str]) -> dict[str, T]:
    """Values by the names of parameters, by their new names; of losses that are one now, the last phase's."""
    old = tuple(f"{name}." for name in losses)
    found = {name: value for name, value in values.items() if not name.startswith(old)}
    for before, now in losses.items():
        found |= {
            now + name.removeprefix(before): value for name, value in values.items() if name.startswith(f"{before}.")
        }
    return found
