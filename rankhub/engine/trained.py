"""A trained run, ready to answer."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint, evaluation, folder
from rankhub.engine.answers import Answer, Prediction, answers, column_of, direction_of, stacked
from rankhub.engine.device import Compute
from rankhub.engine.given import dataset_of, put_data
from rankhub.engine.network import Network
from rankhub.engine.parts import (
    Progress,
    Resources,
    build_evaluators,
    build_network,
    context_for,
    evaluation_chains,
    open_data,
)
from rankhub.engine.preserved import preserved
from rankhub.engine.report import AFTER, RESULTS
from rankhub.engine.source import NetworkForward, Source
from rankhub.engine.state import load_weights
from rankhub.interfaces.acquire import PoolSource
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.model import Head
from rankhub.interfaces.predict import Predict
from rankhub.recipe.assembly import Assembly
from rankhub.recipe.load import LoadedRecipe, load_recipe
from rankhub.recipe.streams import used_data

BLOCK = 64
"""Images that are decoded and predicted together."""


def _silent(done: int, total: int, what: str) -> None:
    """Nobody is told."""


class Run:
    """A trained run: its network, what it measured, and what it says of other images.

    Made by :func:`rankhub.load_run` and :func:`rankhub.train`. As a context manager it lets its network go at the end.

    Attributes:
        path: The run's folder.
    """

    stopped: bool = False
    """Whether training ended before its last step."""

    def __init__(self, place: Path, catalog: Catalog, changes: Sequence[str] = ()) -> None:
        self._place, self._catalog, self._changes = place, catalog, tuple(changes)
        self.path = folder.home_of(place)

    @cached_property
    def recipe(self) -> LoadedRecipe:
        """The run's recipe."""
        return load_recipe(folder.resolved_recipe(self.path), self._changes, self._catalog)

    @cached_property
    def assembly(self) -> Assembly:
        """Makes the recipe's components; knows the labels that the run was trained on."""
        return Assembly.of(self.recipe.recipe, self._catalog, folder.read_labels(self.path))

    @cached_property
    def predictor(self) -> Predict:
        """The recipe's test time."""
        predict: Predict = self.assembly.get("predict")
        return predict

    @cached_property
    def compute(self) -> Compute:
        """Device and precision."""
        return Compute.of(self.recipe.recipe)

    @cached_property
    def _weights(self) -> tuple[dict[str, Tensor], Path]:
        average = self.recipe.recipe.average
        return checkpoint.read_weights(self._place, average=average is not None and "evaluate" in average.use_for)

    @property
    def weights(self) -> Path:
        """The file that the weights come from: the moving average where the recipe evaluates that."""
        return self._weights[1]

    @cached_property
    def network(self) -> Network:
        """In evaluation mode, on its device.

        Raises:
            UserError: There is no checkpoint, or it does not fit.
        """
        with preserved():
            weights, file = self._weights
            network = build_network(self.recipe.recipe, self.assembly)
            load_weights(network, weights, file)
            weights.clear()
            self.compute.place(network)
            return network.eval()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the network go; the run answers no more."""
        self.__dict__.pop("network", None)
        if self.compute.device.type == "cuda":
            torch.cuda.empty_cache()

    def to(self, device: str) -> Run:
        """Move the network to a device (``cpu``, ``cuda``, ``cuda:1``); returns the run itself.

        Raises:
            UserError: The device is not there.
        """
        with preserved():
            moved = Compute.of(self.recipe.recipe.model_copy(update={"device": str(device)}))
            moved.place(self.network)
            self.compute = moved
        return self

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.compute.device

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        """``HEAD.OUTPUT`` of every output that is one number an image -> the labels that it was trained on."""
        found: dict[str, LabelSpec] = {}
        for name in self.recipe.recipe.heads:
            head, label = self._head(name), self.assembly.head_label(name) or LabelSpec()
            found |= {f"{name}.{out}": label for out, spec in head.outputs.items() if spec.kind in ("score", "count")}
        return found

    @cached_property
    def metrics(self) -> dict[str, float]:
        """``EVALUATOR.METRIC`` -> value after training, as the run measured it; empty if it was not evaluated."""
        path = self.path / "evaluation" / AFTER.replace(" ", "_")
        stored = evaluation.stored_row(path) or {}
        return {f"{label}.{name}": value for label, found in stored.items() for name, value in found.metrics.items()}

    @property
    def tables(self) -> dict[str, list[dict[str, str]]]:
        """Name -> rows of every table in the run's folder: ``results``, the closing one, and those of evaluators."""
        found: dict[str, list[dict[str, str]]] = {}
        for path in [self.path / RESULTS, *sorted((self.path / "evaluation").rglob("*.csv"))]:
            if path.is_file():
                with path.open(newline="") as file:
                    found[path.relative_to(self.path).with_suffix("").as_posix()] = list(csv.DictReader(file))
        return found

    def predict(self, images: Any, batch_size: int = BLOCK) -> Any:
        """What the network says of images, on the scale of the labels that it was trained on.

        Args:
            images: One image or several; see :meth:`rankhub.interfaces.data.GivenData.give`. Or an open data set.
            batch_size: Images that are decoded and predicted together.

        Returns:
            A :class:`~rankhub.engine.answers.Prediction` for one image, a list of them for several.

        Raises:
            UserError: No head gives one number an image, or an image cannot be taken.
        """
        found = list(self.predict_iter(images, batch_size=batch_size))
        return found[0] if _is_one(images) else found

    def predict_iter(self, images: Any, batch_size: int = BLOCK) -> Iterator[Prediction]:
        """As :meth:`predict`, one after the other, so that memory does not grow with the number of images."""
        labels = self.labels
        if not labels:
            raise UserError("no head of this run gives one number an image; `embed` gives its features")
        names = {output: column_of(output, labels) for output in labels}
        unit = {names[output]: label.unit for output, label in labels.items()}
        direction = {names[output]: direction_of(label) for output, label in labels.items()}
        dataset = self._open(images)
        paths = dataset.facts("path")
        for answer in self.answers(dataset, batch_size):
            values = {names[output]: self.number(answer, output) for output in labels}
            yield Prediction(paths[answer.index] if paths else "", values, unit, direction)

    def embed(
        self, images: Any, output: str = "backbone", normalize: bool = False, batch_size: int = BLOCK
    ) -> npt.NDArray[np.float32]:
        """Feature vectors of images, by the recipe's ``predict``.

        Args:
            images: As for :meth:`predict`.
            output: ``backbone``, the pooled features, or ``HEAD.OUTPUT``.
            normalize: Whether each vector is divided by its length.
            batch_size: Images that are decoded and predicted together.

        Returns:
            [n, d] float32, also for one image.

        Raises:
            UserError: There is no such output, or an image cannot be taken.
        """
        forward = self.forward()
        names = ["backbone", *forward.outputs]
        if output not in names:
            raise UserError(f"there is no output {output!r}; there are {', '.join(names)}")
        rows = [answer.outputs[output] for answer in self.answers(self._open(images), batch_size)]
        return np.asarray(stacked(rows, normalize).numpy())

    def preprocess(self, image: Any) -> list[Tensor]:
        """The views of one image that the network is shown at test time, as ``network`` takes them.

        Returns:
            Stacks [v, 3, H, W] float32 in [0, 1], RGB, one a size, on the network's device.
        """
        keep = evaluation.Keep(self.network.backbone.spec)
        self.predictor([self._open(image)[0].image.to(self.device)], keep)
        return keep.seen

    def evaluate(
        self, evaluators: Sequence[str | Mapping[str, Any]] | None = None, data: Mapping[str, Any] | None = None
    ) -> evaluation.Results:
        """Measure the network by evaluators of its recipe, or by others.

        Args:
            evaluators: Labels of the recipe's, or ``{"use": NAME, ...}`` as a recipe has them; None = the recipe's.
            data: Data set of the recipe -> what is taken in its place; as for :func:`rankhub.train`.

        Returns:
            Label -> metrics, tables, pictures, notes.

        Raises:
            UserError: There is no such evaluator, or its data are not there.
        """
        loaded, given = self.recipe, dict[str, Dataset]()
        if evaluators is not None:
            own = dict(zip(*self._own_evaluators(), strict=True))
            specs = [own.get(each, {"use": each}) if isinstance(each, str) else dict(each) for each in evaluators]
            changes = [f"evaluate={json.dumps(specs)}", "keep_best=null"]
            loaded = load_recipe(folder.resolved_recipe(self.path), [*self._changes, *changes], self._catalog)
        if data:
            loaded, given, _ = put_data(loaded, data, self._catalog)
        recipe = loaded.recipe
        with preserved():
            assembly = Assembly.of(recipe, self._catalog)
            wanted = used_data(recipe.model_copy(update={"phases": []}))
            resources = Resources(self._catalog, _silent, data=given)
            datasets, _ = open_data(recipe, assembly, resources, wanted)
            found, _, _ = build_evaluators(recipe, assembly)
            forward = self.forward()
            chains = evaluation_chains(recipe, assembly)
            source = Source(AFTER, forward, datasets, chains, self.predictor, self.compute, True, _silent)
            return evaluation.evaluate_row(source, found, None)

    def _own_evaluators(self) -> tuple[list[str], list[dict[str, Any]]]:
        listed = self.assembly.listed("evaluate")
        return [label for label, _ in listed], [dict(self.assembly.at(*place)) for _, place in listed]

    def forward(self) -> NetworkForward:
        """The network as test time sees it."""
        return NetworkForward(self.network, self.compute)

    def answers(self, dataset: Dataset, batch_size: int = BLOCK) -> Iterator[Answer]:
        """All that the network says of each image of an open data set, a block at a time."""
        forward = self.forward()
        return answers(dataset, self.predictor, forward, self.device, batch_size)

    def number(self, answer: Answer, output: str) -> float:
        """One number of an answer, on the scale of the labels."""
        value = answer.outputs[output].double().reshape(1).numpy()
        return float(self.labels[output].turned(value)[0])

    def pictures(self, answer: Answer, name: str) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
        """(head, picture [H, W, 3] uint8) of each head that draws what it says onto an image; ``name`` is its title."""
        for head_name in self.recipe.recipe.heads:
            head, label = self._head(head_name), self.assembly.head_label(head_name) or LabelSpec()
            own = {output: answer.outputs[f"{head_name}.{output}"] for output in head.outputs}
            picture = head.picture(answer.image, own, label, name)
            if picture is not None:
                yield head_name, picture

    def remarks(self) -> list[str]:
        """Sentences that belong beside what the network says, such as that it is approximate."""
        forward = self.forward()
        return list(self.predictor.remarks(forward.outputs, forward.features))

    def pool(self, images: Dataset, seed: int, progress: Progress = _silent) -> PoolSource:
        """An open data set as acquirers see it: outputs and views of its images by this network.

        Args:
            images: The pool.
            seed: Draws the views.
            progress: Told now and then.
        """
        from rankhub.engine.acquire import NetworkPool  # which takes a run

        return NetworkPool(self, images, seed, progress)

    def others(self) -> list[Run]:
        """The run's other kept checkpoints, the oldest first."""
        own = self.weights.parent
        kept = checkpoint.Checkpoints(own.parent, 1).all()
        return [Run(place, self._catalog, self._changes) for place in kept if place != own]

    def _head(self, name: str) -> Head:
        return cast(Head, self.network.heads[name])

    def _open(self, images: Any) -> Dataset:
        if isinstance(images, Dataset):
            return images
        dataset = dataset_of(list(images) if isinstance(images, Iterator) else images, self._catalog)
        dataset.open(context_for(self.recipe.recipe, _silent))
        return dataset


def _is_one(images: Any) -> bool:
    """Whether images were given as one: a path, a PIL image, an array or tensor of at most three dimensions."""
    if isinstance(images, Dataset | list | tuple | Iterator):
        return False
    return not hasattr(images, "ndim") or images.ndim < 4
