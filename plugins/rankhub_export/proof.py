"""Whether an exported network answers as the run does, on real images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

import rankhub
from rankhub import UserError
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.predict import Answers
from rankhub_export.answering import Output
from rankhub_export.front import Contract
from rankhub_export.graphs import Array, Call
from rankhub_use.answering import suited

if TYPE_CHECKING:
    from rankhub import Run

TOLERANCE = 1e-4
"""The largest difference, in shares of an output's scale."""

MOST = 16
"""Images that are compared."""

PHOTOS = {"use": "rankhub_data/skimage_photos", "longest": 640}
"""The real photographs that come inside scikit-image."""

Progress = Any


@dataclass
class Difference:
    """The largest difference of one output.

    Attributes:
        output: Its name.
        compared: What was compared: ``one image``, ``mean over views`` ...
        worst: Largest absolute difference.
        scale: What it is measured by.
        scale_is: That in words.
        values: How many numbers were compared.
    """

    output: str
    compared: str
    scale: float
    scale_is: str
    worst: float = 0.0
    values: int = 0

    @property
    def share(self) -> float:
        """Of the scale."""
        return self.worst / self.scale if self.scale > 0 else float(self.worst > 0)


@dataclass
class Proof:
    """The comparison of an exported network with its run.

    Attributes:
        images: Their names.
        differences: By output and what was compared.
    """

    images: list[str] = field(default_factory=list)
    differences: dict[tuple[str, str], Difference] = field(default_factory=dict)

    def compare(self, output: Output, compared: str, got: Array, want: Array) -> None:
        """Take one comparison into account.

        Raises:
            UserError: Shapes differ.
        """
        if got.shape != want.shape:
            raise UserError(f"the export gives {output.name} as {list(got.shape)}, the run as {list(want.shape)}")
        key = (output.name, compared)
        row = self.differences.setdefault(key, Difference(output.name, compared, output.scale, output.scale_is))
        if output.scale <= 0:
            row.scale = max(row.scale, float(np.abs(want).max(initial=0)))
        gap = np.abs(got.astype(np.float64) - want.astype(np.float64))
        row.worst = max(row.worst, float(np.nan_to_num(gap, nan=np.inf).max(initial=0)))
        row.values += gap.size

    def check(self) -> None:
        """See that it answers the same.

        Raises:
            UserError: It does not.
        """
        if not self.images:
            raise UserError("there is no image to compare on; name a folder with --images")
        for row in self.differences.values():
            if not row.share <= TOLERANCE:
                raise UserError(
                    f"the export does not answer as the run does: {row.output} ({row.compared}) differs by "
                    f"{row.worst:.3g}, {row.share:.1e} of {row.scale_is}, more than {TOLERANCE:g}; nothing was written"
                )

    def rows(self) -> list[dict[str, Any]]:
        """As a table."""
        return [
            {
                "output": row.output,
                "compared": row.compared,
                "worst": row.worst,
                "scale": row.scale,
                "scale_is": row.scale_is,
                "share": row.share,
                "values": row.values,
            }
            for row in self.differences.values()
        ]


@dataclass(frozen=True)
class Examples:
    """Real images to compare on.

    Attributes:
        names: Of the images.
        images: Each [3, H, W] uint8.
    """

    names: list[str]
    images: list[Tensor]


def examples(run: Run, folder: str | Path | None, progress: Progress) -> Examples:
    """Up to sixteen images, evenly spread over a folder, or the photographs that come inside scikit-image.

    Raises:
        UserError: None suits the recipe's ``predict``.
    """
    reader: Mapping[str, Any] = PHOTOS
    if folder is not None:
        reader = {"use": run.recipe.catalog.in_role("dataset", "folder"), "root": str(folder)}
    data, _ = rankhub.open_data(reader, run.recipe, progress)
    rows, unsuited = suited(run, data)
    if len(unsuited) == len(data) or not rows:
        why = f": {unsuited[0]}" if unsuited else ""
        raise UserError(f"no image to compare on suits the recipe's predict{why}; name others with --images FOLDER")
    spread = np.unique(np.linspace(0, len(rows) - 1, min(MOST, len(rows))).round().astype(int))
    names = data.facts("path") or [str(row) for row in range(len(data))]
    chosen = [rows[place] for place in spread.tolist()]
    return Examples([names[row] for row in chosen], [_image(data, row) for row in chosen])


def _image(data: Dataset, row: int) -> Tensor:
    return data[row].image.clone()


def prove_graph(
    call: Call, run: Run, contract: Contract, outputs: Sequence[Output], shown: Examples, progress: Progress
) -> Proof:
    """Compare a graph with the run image by image, and a batch of two with one.

    Where the graph takes whole images, with all that the run answers; else view by view with the network, on the same
    pixels, and where an image's answer is the mean over its views, that mean with the run's answer.
    """
    proof, forward = Proof(), run.forward()
    answers = _answers(run)
    for number, (name, image) in enumerate(zip(shown.names, shown.images, strict=True)):
        if contract.takes == "image" and not contract.least <= min(image.shape[1:]) <= contract.most:
            continue
        said = answers([image])
        if contract.takes == "image":
            pixels = _pixels(image[None], contract)
            got = call(pixels)
            for output in outputs:
                proof.compare(output, "the image", got[output.name], _rows(said[output.source]) * output.sign)
        else:
            parts: dict[str, list[Array]] = {output.name: [] for output in outputs}
            for stack in run.preprocess(image):
                pixels = _pixels((stack * 255).round().byte(), contract)
                exact = torch.from_numpy(pixels).float() / (255 if contract.pixels == "uint8" else 1)
                want = forward(exact.to(run.device))
                got = call(pixels)
                for output in outputs:
                    ours = want[output.source].float().cpu().numpy() * output.sign
                    proof.compare(output, "each view", got[output.name], ours)
                    parts[output.name].append(got[output.name])
            for output in outputs if contract.mean else ():
                if output.source in said:
                    mean = np.concatenate(parts[output.name]).mean(0, keepdims=True)
                    proof.compare(
                        output, "the image, mean over its views", mean, _rows(said[output.source]) * output.sign
                    )
        both = call(np.concatenate([pixels[:1], pixels[:1, ..., ::-1]]))
        for output in outputs:
            proof.compare(output, "in a batch of 2", both[output.name][:1], got[output.name][:1])
        proof.images.append(name)
        progress(number + 1, len(shown.images), "prove")
    return proof


def prove_answers(fresh: Run, run: Run, outputs: Sequence[Output], shown: Examples, progress: Progress) -> Proof:
    """Compare a network that was loaded anew with the run, by all that both answer."""
    proof = Proof()
    ours, theirs = _answers(run), _answers(fresh)
    for number, (name, image) in enumerate(zip(shown.names, shown.images, strict=True)):
        want, got = ours([image]), theirs([image])
        for output in outputs:
            if output.source in want:
                proof.compare(output, "the image", _rows(got[output.source]), _rows(want[output.source]))
        proof.images.append(name)
        progress(number + 1, len(shown.images), "prove")
    return proof


def views_of(run: Run, images: Iterable[Tensor]) -> list[Tensor]:
    """The first views that a run shows its network of each image, [v, 3, H, W], at most four of each size."""
    return [stack[:4].cpu() for image in images for stack in run.preprocess(image)]


def _answers(run: Run) -> Callable[[list[Tensor]], Answers]:
    """What a run answers for images that are handed over."""
    catalog = run.recipe.catalog
    return run.outputs(catalog.build("dataset", {"use": catalog.in_role("dataset", "given")})).of


def _pixels(images: Tensor, contract: Contract) -> Array:
    pixels = images.cpu().numpy()
    return pixels if contract.pixels == "uint8" else pixels.astype(np.float32) / np.float32(255)


def _rows(answer: Any) -> Array:
    """One row an image, of maps too."""
    return answer.numpy() if isinstance(answer, Tensor) else torch.stack(list(answer)).numpy()
