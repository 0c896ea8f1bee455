"""A trained run: predictions, embeddings, evaluation."""

import csv
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from rankhub.catalog.blame import blamed
from rankhub.engine import evaluation, folder
from rankhub.engine.answers import Answer, Prediction, direction_of
from rankhub.engine.checkpoint import Results
from rankhub.engine.data_overrides import dataset_of, put_data
from rankhub.engine.device import preserved
from rankhub.engine.parts import Resources, build_evaluators, context_for, evaluation_chains, open_data
from rankhub.engine.report import AFTER, RESULTS
from rankhub.engine.source import NetworkSource, blocks
from rankhub.engine.trained_network import TrainedNetwork
from rankhub.interfaces.data import Dataset, GivenData, LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import readable
from rankhub.interfaces.model import Head
from rankhub.interfaces.predict import Forward, ViewRecorder
from rankhub.recipe.assembly import Assembly
from rankhub.recipe.load import load_recipe

BLOCK = 64
"""Images that are decoded and predicted together."""

log = logging.getLogger("rankhub")


def _silent(done: int, total: int, what: str) -> None:
    """Progress that is not shown."""


class Run(TrainedNetwork):
    """A trained run: its network, its metrics, and its predictions for other images.

    Made by :func:`rankhub.load_run` and :func:`rankhub.train`. As a context manager it lets its network go at the end.
    """

    stopped: bool = False
    """Whether training ended before its last step."""

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        """``HEAD.OUTPUT`` of every output that is one number an image -> the labels that it was trained on."""
        found: dict[str, LabelSpec] = {}
        for name in self.recipe.recipe.heads:
            head, label = cast(Head, self.network.heads[name]), self.assembly.head_label(name) or LabelSpec()
            found |= {f"{name}.{out}": label for out, spec in head.outputs.items() if spec.kind in ("score", "count")}
        return found

    @property
    def columns(self) -> dict[str, str]:
        """``HEAD.OUTPUT`` of :attr:`labels` -> its column in tables: the output's own name where that is unique."""
        own = {output: output.partition(".")[2] for output in self.labels}
        return {output: name if list(own.values()).count(name) == 1 else output for output, name in own.items()}

    @property
    def metrics(self) -> dict[str, float]:
        """``EVALUATOR.METRIC`` -> value after training, as the run measured it; empty if it was not evaluated."""
        return self.measured.get(AFTER, {})

    @property
    def measured(self) -> dict[str, dict[str, float]]:
        """Row of the report (``raw pixels``, ``before training``, ``step 100`` ...) -> as :attr:`metrics`."""
        rows = {}
        for path in sorted((self.path / "evaluation").glob("*")):
            stored = (evaluation.stored_row(path) or {}).items()
            values = {f"{label}.{name}": value for label, found in stored for name, value in found.metrics.items()}
            rows[path.name.replace("_", " ")] = values
        return rows

    @property
    def tables(self) -> dict[str, list[dict[str, str]]]:
        """Name -> rows of every table in the run's folder: ``results``, the closing one, and those of evaluators."""
        found: dict[str, list[dict[str, str]]] = {}
        for path in [self.path / RESULTS, *sorted((self.path / "evaluation").rglob("*.csv"))]:
            if path.is_file():
                try:
                    with path.open(newline="", encoding="utf-8") as file:
                        found[path.relative_to(self.path).with_suffix("").as_posix()] = list(csv.DictReader(file))
                except (OSError, ValueError, csv.Error) as error:
                    raise UserError(f"{path} cannot be read ({error}); remove it to see the others") from None
        return found

    def predict(self, images: Any, batch_size: int = BLOCK) -> Any:
        """Predict a number for each image, on the scale of the labels that the network was trained on.

        Args:
            images: One image or several, see :meth:`rankhub.interfaces.data.GivenData.take`; an iterator of images; a
                folder, that is all images below it that can be read; or an open data set.
            batch_size: Images that are decoded and predicted together.

        Returns:
            A :class:`~rankhub.engine.answers.Prediction` for one image, a list of them for several.

        Raises:
            UserError: No head gives one number an image, or an image cannot be taken.
        """
        if isinstance(images, Iterator):
            return list(self.predict_iter(images, batch_size))
        given = self._open(images)
        found = list(self._predictions(given, batch_size, folder=isinstance(images, str | os.PathLike)))
        return found[0] if isinstance(given, GivenData) and given.one else found

    def predict_iter(self, images: Any, batch_size: int = BLOCK) -> Iterator[Prediction]:
        """As :meth:`predict`, one after the other, so that memory does not grow with the number of images.

        Of an iterator so many images are taken at a time as are predicted together.
        """
        folder = isinstance(images, str | os.PathLike)
        for dataset in self._given(images, batch_size):
            yield from self._predictions(dataset, batch_size, folder=folder)

    def _predictions(self, dataset: Dataset, batch_size: int, *, folder: bool) -> Iterator[Prediction]:
        """Of a ``folder`` images that do not suit are passed over with a warning, as those that cannot be read."""
        labels = self.labels
        if not labels:
            raise UserError("no head of this run gives one number an image; `run.embed(images)` gives its features")
        names = self.columns
        unit = {names[output]: label.unit for output, label in labels.items()}
        direction = {names[output]: direction_of(label) for output, label in labels.items()}
        paths, rows, sizes = dataset.facts("path"), None, dataset.sizes() if folder else None
        objection = None if sizes is None or isinstance(dataset, GivenData) else self.predictor.check_images(sizes)
        if sizes is not None and objection is not None and not objection[1].all():
            rows, why = np.flatnonzero(~objection[1]).tolist(), objection[0].partition("; ")[0]
            for row in np.flatnonzero(objection[1]).tolist():
                name, (height, width) = readable(paths[row] if paths else str(row)), sizes[row]
                log.warning("%s is skipped: %s x %s pixels: such images %s", name, width, height, why)
        for answer in self.answers(dataset, batch_size, rows):
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
        rows = [
            answer.outputs[output].flatten()
            for dataset in self._given(images, batch_size)
            for answer in self.answers(dataset, batch_size)
        ]
        table = torch.stack(rows)
        return (functional.normalize(table.double(), dim=1).float() if normalize else table).numpy()

    def preprocess(self, image: Any) -> list[Tensor]:
        """The views of one image that the network is shown at test time, as ``network`` takes them.

        Returns:
            Stacks [v, 3, H, W] float32 in [0, 1], RGB, one a size, on the network's device.

        Raises:
            UserError: It is not one image, or cannot be taken.
        """
        dataset = self._open(image)
        if len(dataset) != 1:
            raise UserError(f"preprocess takes one image, these are {len(dataset)}")
        keep = ViewRecorder(self.network.backbone.spec)
        self.predictor([dataset[0].image.to(self.device)], keep)
        return keep.seen

    def evaluate(
        self,
        evaluators: Sequence[str | Mapping[str, Any]] | None = None,
        data: Mapping[str, Any] | None = None,
        row: str = AFTER,
        forward: Forward | None = None,
        progress: Callable[[int, int, str], None] = _silent,
    ) -> Results:
        """Measure the network by evaluators of its recipe, or by others.

        Args:
            evaluators: Labels of the recipe's, or ``{"use": NAME, ...}`` as a recipe has them; None = the recipe's.
            data: Data set of the recipe -> what is taken in its place; as for :func:`rankhub.train`. With it, those of
                the recipe's evaluators whose data are then not there are left out, with a warning.
            row: What evaluators are told that is measured.
            forward: What is measured in the network's place, by those evaluators that judge features.
            progress: Told ``(done, total, what)`` now and then.

        Returns:
            Label -> metrics, tables, pictures, notes.

        Raises:
            UserError: There is no such evaluator, or its data are not there, or nothing is left to measure.
        """
        loaded, given = self.recipe, dict[str, Dataset]()
        if evaluators is not None:
            own = {label: dict(self.assembly.at(*address)) for label, address in self.assembly.listed("evaluate")}
            specs = [own.get(each, {"use": each}) if isinstance(each, str) else dict(each) for each in evaluators]
            changes = [f"evaluate={json.dumps(specs)}", "keep_best=null"]
            loaded = load_recipe(folder.resolved_recipe(self.path), [*self._changes, *changes], self._catalog)
        if data:
            loaded, given, left_out = put_data(loaded, data, training=False)
            if left_out and (evaluators is not None or not loaded.recipe.evaluate):
                raise UserError(left_out[0])
            for sentence in left_out:
                log.warning("%s", sentence)
        recipe = loaded.recipe
        with preserved(), blamed(self._catalog):
            assembly = Assembly.of(recipe, self._catalog)
            wanted = recipe.model_copy(update={"phases": []}).used_data
            resources = Resources(self._catalog, progress, data=given)
            datasets, _ = self.processes.first_before_others(lambda: open_data(recipe, assembly, resources, wanted))
            found, _, _ = build_evaluators(recipe, assembly)
            if forward is not None:
                found = evaluation.of_features(found)
            facts = (self.predictor, self.compute, forward is None, progress, self.processes, self._catalog.guards)
            chains, forward = evaluation_chains(recipe, assembly), forward or self.forward()
            return evaluation.evaluate_row(NetworkSource(row, forward, datasets, chains, *facts), found, None)

    def answers(self, dataset: Dataset, batch_size: int = BLOCK, rows: Sequence[int] | None = None) -> Iterator[Answer]:
        """All that the network says of each image of an open data set, or of those ``rows``, a block at a time."""
        with blamed(self._catalog):
            outputs = self.outputs(dataset, rows=rows)
            for part in blocks(range(len(dataset)) if rows is None else rows, batch_size):
                images = [dataset[index].image for index in part]
                said = outputs.of(images)
                for row, (index, image) in enumerate(zip(part, images, strict=True)):
                    yield Answer(index, image, {name: found[row] for name, found in said.items()})

    def number(self, answer: Answer, output: str) -> float:
        """One number of an answer, on the scale of the labels."""
        value = answer.outputs[output].double().reshape(1).numpy()
        return float(self.labels[output].turned(value)[0])

    def _open(self, images: Any, first: int = 0) -> Dataset:
        """A data set of images, ready to be read."""
        if isinstance(images, Dataset):
            return images
        dataset, _ = dataset_of(images, self._catalog, first=first)
        if not isinstance(dataset, GivenData):  # a folder
            for note in dataset.open(context_for(self.recipe.recipe, _silent)).notes:
                log.warning("%s", note)
        return dataset

    def _given(self, images: Any, size: int) -> Iterator[Dataset]:
        """Images as data sets: one, or of an iterator one for each ``size`` images."""
        if not isinstance(images, Iterator):
            yield self._open(images)
            return
        first = 0
        while part := list(islice(images, max(1, size))):
            yield self._open(part, first)
            first += len(part)
        if not first:
            raise UserError("there is no image: the iterator is at its end")
