"""The network of a finished run, ready to answer, without the run's data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint, folder
from rankhub.engine.device import Compute
from rankhub.engine.network import Network
from rankhub.engine.parts import Progress, build_network
from rankhub.engine.source import NetworkForward, Source
from rankhub.engine.state import load_weights
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.model import Head
from rankhub.interfaces.predict import Predict
from rankhub.recipe.load import load_recipe
from rankhub.recipe.schema import Recipe
from rankhub.recipe.wiring import label_for_head


@dataclass(frozen=True, slots=True)
class Trained:
    """A run's network in evaluation mode.

    Attributes:
        recipe: The run's.
        network: With the weights that the run is scored with.
        weights: The file that they come from.
        labels: Data set -> what its labels are.
        predict: The recipe's test time.
        compute: Device and precision.
    """

    recipe: Recipe
    network: Network
    weights: Path
    labels: Mapping[str, LabelSpec]
    predict: Predict
    compute: Compute

    def numbers(self) -> dict[str, LabelSpec]:
        """``HEAD.OUTPUT`` of every output that is one number an image -> the labels it was trained on."""
        found: dict[str, LabelSpec] = {}
        for name in self.recipe.heads:
            head = cast(Head, self.network.heads[name])
            label = label_for_head(self.recipe, name, self.labels)
            found |= {f"{name}.{out}": label for out, spec in head.outputs.items() if spec.kind in ("score", "count")}
        return found

    def answers(self, images: Dataset, progress: Progress) -> Answered:
        """What the network says of a data set's images; computed when it is first asked for.

        Args:
            images: Open.
            progress: Told now and then.
        """
        forward = NetworkForward(self.network, self.compute)
        source = Source("predict", forward, {_IMAGES: images}, {}, self.predict, self.compute, False, progress)
        return Answered(self, source, forward)


_IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Answered:
    """What the network of a run says of some images.

    Attributes:
        trained: The run's network.
        source: Computes each output once.
        forward: The network as ``predict`` sees it.
    """

    trained: Trained
    source: Source
    forward: NetworkForward

    def rows(self) -> list[dict[str, Any]]:
        """One row an image: ``path``, and a column for each number, on the scale of the labels themselves.

        Raises:
            UserError: No head gives numbers, or an image cannot be taken.
        """
        numbers = self.trained.numbers()
        if not numbers:
            raise UserError("no head of this run gives one number an image; `rankhub predict` writes scores and counts")
        columns = {}
        for name, label in numbers.items():
            values = cast(Tensor, self.source.outputs(_IMAGES, name).values).double().numpy()
            columns[column_of(name, numbers)] = label.turned(values)
        return [
            {"path": path, **{name: float(values[row]) for name, values in columns.items()}}
            for row, path in enumerate(self.paths())
        ]

    def paths(self) -> Sequence[str]:
        """[n] names of the images."""
        images = self.source.dataset(_IMAGES)
        return images.facts("path") or [str(number) for number in range(len(images))]

    def pictures(self) -> Iterator[tuple[str, str, npt.NDArray[np.uint8]]]:
        """(image, head, picture) of each image that a head draws something onto."""
        images, recipe = self.source.dataset(_IMAGES), self.trained.recipe
        for name in recipe.heads:
            head = cast(Head, self.trained.network.heads[name])
            label = label_for_head(recipe, name, self.trained.labels)
            columns = {output: self.source.outputs(_IMAGES, f"{name}.{output}").values for output in head.outputs}
            for row, path in enumerate(self.paths()):
                answers = {output: values[row] for output, values in columns.items()}
                picture = head.picture(images[row].image, answers, label, path)
                if picture is None:
                    break
                yield path, name, picture

    def remarks(self) -> Iterable[str]:
        """Sentences that belong beside the answers."""
        return self.trained.predict.remarks(self.forward.outputs, self.forward.features)


def home_of(place: Path) -> Path:
    """The folder of a run, given it or one of its checkpoints.

    Raises:
        UserError: It is no run.
    """
    home = place if (place / folder.RESOLVED).is_file() else place.parent.parent
    if not (home / folder.RESOLVED).is_file():
        raise UserError(f"{place.absolute()} is no run's folder: {folder.RESOLVED} is not in it")
    return home


def open_run(place: Path, catalog: Catalog, overrides: Sequence[str] = ()) -> Trained:
    """The network of a run.

    Args:
        place: The run's folder, or one of its checkpoints (``RUN/checkpoints/step_*``).
        catalog: Where components come from.
        overrides: Changes to the recipe, such as ``device=cpu`` or ``predict.count=10``.

    Raises:
        UserError: It is no run, has no checkpoint, or does not fit.
    """
    home = home_of(place)
    recipe = load_recipe(home / folder.RESOLVED, list(overrides), catalog).recipe
    average = recipe.average is not None and "evaluate" in recipe.average.use_for
    weights, file = checkpoint.read_weights(place, average=average)
    labels = folder.read_labels(home)
    network, _ = build_network(recipe, catalog, labels)
    load_weights(network, weights, file)
    compute = Compute.of(recipe)
    compute.place(network)
    return Trained(recipe, network, file, labels, catalog.build("predict", recipe.predict), compute)


def column_of(output: str, outputs: Mapping[str, LabelSpec]) -> str:
    """The column of ``HEAD.OUTPUT`` in a table: the output's own name where that is unique."""
    own = output.partition(".")[2]
    return own if sum(name.partition(".")[2] == own for name in outputs) == 1 else output


def scale_of(label: LabelSpec) -> str:
    """One phrase on the scale of a number: its unit, and which way it runs."""
    if label.kind != "score":
        if label.kind == "points":
            return f"number of {label.unit or 'points'}"
        return "learned from an order alone: no unit, higher is better" if label.kind is None else "a number"
    way = "higher is better" if label.higher_is_better else "lower is better"
    return f"{label.unit or 'score'}, {way}"


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
