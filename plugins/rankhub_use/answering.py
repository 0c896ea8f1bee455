"""What a run says of files, block by block, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch

from rankhub import UserError
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.files import readable
from rankhub.interfaces.model import Head
from rankhub_listing.files import UnusedImage
from rankhub_use.named import NamedFile
from rankhub_use.reading import FileBlock, read_blocks
from rankhub_use.steady import steady

if TYPE_CHECKING:
    from rankhub import Answer, Run


@dataclass(frozen=True, slots=True)
class Answers:
    """Of some consecutive files.

    Attributes:
        answered: Name of a file, and all that the network says of it.
        left_out: Those that cannot be read, that the recipe's ``predict`` cannot take, or whose answer is NaN or
            infinite, in their order.
        remarks: Of each image that was read; see :func:`rankhub_data.folder_report.remarked`.
    """

    answered: list[tuple[str, Answer]]
    left_out: list[UnusedImage]
    remarks: list[int]

    def __len__(self) -> int:
        return len(self.answered) + len(self.left_out)


def answer_files(run: Run, files: Iterable[NamedFile], batch_size: int) -> Iterator[Answers]:
    """The answers for files, ``batch_size`` at a time; memory does not grow with their number.

    The same image gets bitwise the same answer whatever the others are; see :func:`rankhub_use.steady.steady`.
    """
    steady(run, batch_size)
    for block in read_blocks(files, batch_size):
        unread = dict(block.unread)
        rows = []
        for row, why in enumerate(_objections(run, block)):
            if why is None:
                rows.append(row)
            else:
                unread[block.read[row]] = why
        said = run.answers(block, batch_size, rows) if rows else ()
        answered = []
        for answer in said:
            position = block.read[answer.index]
            name = block.files[position].name
            if (wrong := _not_finite(answer)) is None:
                answered.append((name, answer))
            else:
                unread[position] = UnusedImage(name, "unsuited", wrong, "the network is broken there: train it anew")
        yield Answers(answered, [unread[position] for position in sorted(unread)], block.remarks)


def _not_finite(answer: Answer) -> str | None:
    for output, value in answer.outputs.items():
        if not bool(torch.isfinite(value).all()):
            return f"the network gives it the {output} {float(value[~torch.isfinite(value)][0])}"
    return None


def width_of(run: Run, output: str) -> int:
    """Numbers of the vector that a run gives an image by ``backbone``, the pooled features, or ``HEAD.OUTPUT``.

    Raises:
        UserError: There is no such output, or it is a map.
    """
    forward = run.forward()
    if output == "backbone":
        return forward.features.width
    if output not in forward.outputs:
        names = ", ".join(["backbone", *forward.outputs])
        raise UserError(f"--output: there is no output {output!r}; there are {names}")
    spec = forward.outputs[output]
    if spec.kind == "map":
        raise UserError(f"--output {output} is a map, as large as its image; name an output that is a vector")
    return spec.dim


def vector_of(answer: Answer, output: str) -> npt.NDArray[np.float32]:
    """One output of an answer: [d] float32."""
    return np.asarray(answer.outputs[output].flatten().float().numpy())


def _objections(run: Run, block: FileBlock) -> list[UnusedImage | None]:
    """Of each image why the recipe's ``predict`` cannot take it."""
    found = run.predictor.check_images(block.sizes()) if len(block) else None
    if found is None:
        return [None] * len(block)
    why, _, remedy = found[0].partition("; ")
    return [
        UnusedImage(name, "unsuited", f"{width} x {height} pixels: such images {why}", remedy) if wrong else None
        for name, (height, width), wrong in zip(
            block.facts("path") or (), block.sizes().tolist(), found[1].tolist(), strict=True
        )
    ]


def suited(run: Run, images: Dataset) -> tuple[list[int], list[str]]:
    """Positions of the images of an open data set that the recipe's ``predict`` can take, and why it cannot the others.

    Where it can take none at all, the first has all of them, so that asking for them says so.
    """
    sizes, every = images.sizes(), list(range(len(images)))
    objection = run.predictor.check_images(sizes) if sizes is not None and every else None
    if sizes is None or objection is None or objection[1].all():
        return every, []
    why, _, _ = objection[0].partition("; ")
    others = np.flatnonzero(objection[1]).tolist()
    reasons = [f"{sizes[row][1]} x {sizes[row][0]} pixels: such images {why}" for row in others]
    return np.flatnonzero(~objection[1]).tolist(), reasons


def remarks_of(run: Run) -> list[str]:
    """Sentences that belong beside what a run's network says, such as that it is approximate."""
    forward = run.forward()
    return list(run.predictor.remarks(forward.outputs, forward.features))


def pictures_of(run: Run, answer: Answer, name: str) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """(head, picture [H, W, 3] uint8) of each head that draws what it says onto an image; ``name`` is its title."""
    for head_name in run.recipe.recipe.heads:
        head, label = cast(Head, run.network.heads[head_name]), run.assembly.head_label(head_name) or LabelSpec()
        own = {output: answer.outputs[f"{head_name}.{output}"] for output in head.outputs}
        picture = head.picture(answer.image, own, label, readable(name))
        if picture is not None:
            yield head_name, picture


def none_answered(count: int, first: UnusedImage) -> UserError:
    """The sentence where not one image has an answer."""
    remedy = f"; {first.remedy}" if first.remedy else ""
    return UserError(f"{count} of {count} images have no answer; the first is {first.path}: {first.reason}{remedy}")
