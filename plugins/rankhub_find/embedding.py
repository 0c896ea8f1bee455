"""From image files to vectors by a trained network, and what makes two networks the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import rankhub
from rankhub import UserError
from rankhub.interfaces.predict import Answers
from rankhub_data.formats import learn_formats
from rankhub_data.given_images import AS_IS, pixels
from rankhub_find.store import KnownNetwork
from rankhub_find.structures import Floats

if TYPE_CHECKING:
    from rankhub import Run

BLOCK = 64
"""Images that are decoded and pass the network together."""

Skipped = tuple[str, str]
"""An image that was left out, and why."""


def network_of(run: Run, output: str) -> KnownNetwork:
    """What an index keeps of a network: a digest of all that a vector depends on beside its image.

    That is the weights of the backbone, those of the output's head, and in the recipe the backbone (with its
    normalization), that head, ``predict`` and the precision. Where it computes is no part of it.

    Raises:
        UserError: There is no such output.
    """
    known = ["backbone", *run.forward().outputs]
    if output not in known:
        raise UserError(f"there is no output {output!r}; there are {', '.join(known)}")
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


class Embedder:
    """Vectors of image files by one output of a run's network.

    Args:
        run: The run.
        output: ``backbone``, or ``HEAD.OUTPUT``.
    """

    def __init__(self, run: Run, output: str = "backbone") -> None:
        learn_formats()
        self.run, self.output = run, output
        given = rankhub.build("dataset", {"use": rankhub.Catalog.discover().in_role("dataset", "given")})
        self._outputs = run.outputs(given)

    def __call__(self, paths: Sequence[str]) -> Iterator[tuple[list[str], Floats, list[Skipped]]]:
        """In blocks: the files that could be read, their vectors [n, d], and the others with the reason.

        The next block is decoded while the network is at work.
        """
        blocks = [paths[first : first + BLOCK] for first in range(0, len(paths), BLOCK)]
        with ThreadPoolExecutor(max_workers=max(1, os.cpu_count() or 1)) as pool:
            ahead: list[Future[Tensor | str]] = [pool.submit(_read, path) for path in (blocks or [()])[0]]
            for number, block in enumerate(blocks):
                following = blocks[number + 1] if number + 1 < len(blocks) else ()
                mine, ahead = ahead, [pool.submit(_read, path) for path in following]
                try:
                    yield self._of(block, [each.result() for each in mine])
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise

    def _of(self, paths: Sequence[str], read: Sequence[Tensor | str]) -> tuple[list[str], Floats, list[Skipped]]:
        skipped = [(path, image) for path, image in zip(paths, read, strict=True) if isinstance(image, str)]
        images = {path: image for path, image in zip(paths, read, strict=True) if isinstance(image, Tensor)}
        if images:
            sizes = np.array([image.shape[-2:] for image in images.values()], np.int64)
            objection = self.run.predictor.check_images(sizes)
            if objection is not None:
                for path, bad in zip(list(images), objection[1].tolist(), strict=True):
                    if bad:
                        skipped.append((path, f"such images {objection[0]}"))
                        del images[path]
        if not images:
            return [], np.empty((0, 0), np.float32), skipped
        return list(images), _rows(self._outputs.of(list(images.values())), self.output), skipped


def _read(path: str) -> Tensor | str:
    """An image [3, H, W] uint8, or why it cannot be taken."""
    try:
        return torch.from_numpy(pixels(path, "it", AS_IS))
    except UserError as error:
        return str(error)


def _rows(answers: Answers, output: str) -> npt.NDArray[np.float32]:
    if output not in answers:
        raise UserError(f"this recipe's predict gives no {output}; there are {', '.join(answers)}")
    rows = answers[output]
    if not isinstance(rows, Tensor):
        raise UserError(f"{output} is a map; an index takes one vector an image, such as backbone")
    return np.asarray(rows.flatten(1).float().numpy())
