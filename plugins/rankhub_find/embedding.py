"""From images to vectors by a trained network, and what makes two networks the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import rankhub
from rankhub import UserError
from rankhub_find.store import KnownNetwork
from rankhub_find.structures import Floats
from rankhub_use.answering import answer_files, vector_of, width_of
from rankhub_use.named import NamedFile

if TYPE_CHECKING:
    from rankhub import Run

BLOCK = 32
"""Images that pass the network together. One number for all: last bits of a vector may depend on it."""

Skipped = tuple[str, str]
"""An image that was left out, and why."""


def network_of(run: Run, output: str) -> KnownNetwork:
    """What an index keeps of a network: a digest of all that a vector depends on beside its image.

    That is the weights of the backbone, those of the output's head, and in the recipe the backbone (with its
    normalization), that head, ``predict`` and the precision. Where it computes is no part of it.

    Raises:
        UserError: There is no such output, or it is a map.
    """
    width_of(run, output)
    recipe, head = run.recipe.resolved(), output.partition(".")[0]
    parts = ["backbone"] if output == "backbone" else ["backbone", f"heads.{head}"]
    spec = {"backbone": recipe["backbone"], "predict": recipe["predict"], "precision": recipe["precision"]}
    if output != "backbone":
        spec |= {"output": output, "head": recipe["heads"][head]}
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode())
    for name, value in sorted(run.network.state_dict().items()):
        if name.startswith(tuple(f"{part}." for part in parts)):
            own = value.detach().cpu().contiguous()
            digest.update(f"{name} {own.dtype} {list(own.shape)}".encode())
            digest.update(own.flatten().view(torch.uint8).numpy().data if own.numel() else b"")
    return KnownNetwork(digest=digest.hexdigest(), run=str(run.path.resolve()), output=output)


def load_known(known: KnownNetwork, run: str | Path | None = None, device: str | None = None) -> Run:
    """The network of an index: at ``run``, or where it was when the index was made.

    Raises:
        UserError: It is not there, or it is another network.
    """
    if not known.digest:
        raise UserError("this index was made of vectors that were given, not by a network; search it from Python")
    source = Path(known.run if run is None else run)
    if run is None and not source.exists():
        raise UserError(f"the network of this index was at {source}, which is not there; name it with --run")
    loaded = rankhub.load_run(source, device)
    check_known(known, loaded)
    return loaded


def check_known(known: KnownNetwork, run: Run) -> None:
    """Refuse a network that did not make an index.

    Raises:
        UserError: Weights or preprocessing are others.
    """
    found = network_of(run, known.output or "backbone") if known.digest else None
    if found is None or found.digest != known.digest:
        made = f"by {known.run} (network {known.digest[:12]})" if found else "of vectors that were given"
        theirs = f" (network {found.digest[:12]})" if found else ""
        raise UserError(
            f"the index was made {made}, not by {run.path}{theirs}: weights or preprocessing differ, and their vectors "
            "cannot be compared; name the run that made it, or make another index"
        )


def embedded(run: Run, output: str, files: Iterable[NamedFile]) -> Iterator[tuple[list[str], Floats, list[Skipped]]]:
    """In blocks: names of those that could be read, vectors [n, d] by an output of a run, the others with the reason.

    An image gets the same vector, bit for bit, whatever the others are.
    """
    for answers in answer_files(run, files, BLOCK):
        names = [name for name, _ in answers.answered]
        vectors = [vector_of(answer, output) for _, answer in answers.answered]
        left_out = [(one.path, one.reason + (f"; {one.remedy}" if one.remedy else "")) for one in answers.left_out]
        yield names, np.stack(vectors) if vectors else np.empty((0, 0), np.float32), left_out
