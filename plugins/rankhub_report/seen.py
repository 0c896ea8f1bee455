"""What needs a run's data and network: a map of its test images by their features, and their thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

import rankhub
from rankhub import Run, UserError
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.files import readable
from rankhub_ranking.embeddings import unit_rows
from rankhub_ranking.similarity import similarities
from rankhub_report.images import encoded
from rankhub_report.worst import MOST_WORST, Bad
from rankhub_use.answering import suited

How = Literal["pca", "tsne", "none"]
Progress = Callable[[int, int, str], None]
THUMB, TILE = 40, 160
"""Pixels of a thumbnail on the map and among the worst images."""
ROLES = ("test", "queries", "data")
"""Options of evaluators that name the images which they judge, the most telling first."""
BATCH = 32


@dataclass
class Seen:
    """What was seen of a run's test images.

    Attributes:
        points: [n, 2], a place on the map of each image.
        names: Of each.
        groups: Class of each, or its score or count as text.
        values: [n] scores or counts; None where labels are classes or are not there.
        thumbs: Data URI of each.
        tiles: Name -> data URI, of the worst images.
        worst: By average precision, where labels are classes.
        explained: Sentence on the map.
        notes: What could not be done, and why.
    """

    points: npt.NDArray[np.float64] | None = None
    names: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    values: list[float] | None = None
    thumbs: list[str] = field(default_factory=list)
    tiles: dict[str, str] = field(default_factory=dict)
    worst: list[Bad] = field(default_factory=list)
    explained: str = ""
    notes: list[str] = field(default_factory=list)


def see(folder: Path, wanted: Sequence[str], how: How, most: int, progress: Progress) -> Seen:
    """Look at a run's test images again; whatever cannot be had is a note, and the rest is done.

    Args:
        folder: The run's.
        wanted: Names of images whose thumbnails are wanted.
        how: How the features are laid out; none: no map.
        most: Images on the map; of more, evenly spaced ones are taken.
        progress: Told ``(done, total, what)``.
    """
    seen = Seen()
    try:
        with rankhub.load_run(folder) as run:
            dataset, title = test_data(run, progress)
            paths = dataset.facts("path") or [str(row) for row in range(len(dataset))]
            paths = [readable(path) for path in paths]
            if how != "none":
                _lay_out(seen, run, dataset, paths, how, most, progress)
                seen.explained = f"{len(seen.names):,} of {len(dataset):,} images of {title} {seen.explained}"
            places = {path: row for row, path in reversed(list(enumerate(paths)))}
            for name in dict.fromkeys([*wanted, *(bad.image for bad in seen.worst)]):
                if name in places:
                    seen.tiles[name] = _thumb(dataset, places[name], TILE)
    except UserError as error:
        seen.notes.append(f"What needs the data and the network is left out: {error}")
    return seen


def test_data(run: Run, progress: Progress) -> tuple[Dataset, str]:
    """The data that a run's first evaluator judges, open, and their name.

    Raises:
        UserError: They are not there, or no evaluator names any.
    """
    known = run.recipe.recipe.data
    for label, address in run.assembly.listed("evaluate"):
        options: Mapping[str, Any] = run.assembly.at(*address)
        for role in ROLES:
            if (name := options.get(role)) in known:
                dataset, _ = rankhub.open_data(dict(run.assembly.at("data", str(name))), run.recipe, progress)
                return dataset, f"data.{name} ({label})"
    raise UserError("no evaluator of the recipe names images that it judges")


def _lay_out(
    seen: Seen, run: Run, dataset: Dataset, paths: Sequence[str], how: How, most: int, progress: Progress
) -> None:
    rows, _ = suited(run, dataset)
    if len(rows) > most:
        rows = [rows[place] for place in np.linspace(0, len(rows) - 1, most).round().astype(int)]
    if len(rows) < 3:
        seen.notes.append("The map is left out: it needs three images or more")
        return
    features = []
    for answer in run.answers(dataset, BATCH, rows):
        features.append(answer.outputs["backbone"].flatten().double().numpy())
        small = Image.fromarray(answer.image.permute(1, 2, 0).numpy())
        seen.thumbs.append(encoded(small, THUMB, 60)[0])
        progress(len(features), len(rows), "looking at test images")
    table = np.stack(features)
    if not np.isfinite(table).all():
        seen.notes.append("The map is left out: features of the network are not finite")
        seen.thumbs.clear()
        return
    seen.names = [paths[row] for row in rows]
    _label(seen, dataset, rows, table)
    progress(0, 1, f"laying out the map by {how}")
    seen.points, seen.explained = laid_out(table, how)
    progress(1, 1, f"laying out the map by {how}")


def _label(seen: Seen, dataset: Dataset, rows: Sequence[int], table: npt.NDArray[np.float64]) -> None:
    labels = dataset.labels()
    seen.groups = [""] * len(rows)
    if labels is None:
        return
    own = labels[list(rows)]
    if dataset.label.kind == "class":
        classes = [readable(name) for name in dataset.label.classes]
        seen.groups = [classes[label] if 0 <= label < len(classes) else str(label) for label in own.tolist()]
        seen.worst = lowest_precision(table, own.astype(np.int64), seen.names)
    else:
        shown = dataset.label.turned(own.astype(np.float64)) if dataset.label.kind == "score" else own
        seen.values = [float(value) for value in shown]


def laid_out(table: npt.NDArray[np.float64], how: How) -> tuple[npt.NDArray[np.float64], str]:
    """[n, d] features of unit length in two dimensions, and how it was done; the same every time."""
    unit = unit_rows(torch.from_numpy(table)).numpy()
    if not np.ptp(unit, axis=0).any():
        return np.zeros((len(unit), 2)), "have the same features, so they lie in one place"
    from sklearn.decomposition import PCA

    if how == "pca" or min(unit.shape) < 3:
        width = min(2, unit.shape[1])
        found = PCA(width, svd_solver="full").fit(unit)
        places = np.zeros((len(unit), 2))
        places[:, :width] = found.transform(unit)
        share = float(found.explained_variance_ratio_.sum())
        return places, f"by principal components, which hold {share:.0%} of the variance"
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(unit) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(unit)
    return np.asarray(
        places, np.float64
    ), f"by t-SNE of perplexity {perplexity:.3g}; only near neighbours mean something"


def lowest_precision(table: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], names: Sequence[str]) -> list[Bad]:
    """The twenty images by whose cosines the others of their class are found worst, among the [n] that are given.

    Average precision as scikit-learn defines it, of cosines by the rule of :mod:`rankhub_ranking.similarity`; images
    without another of their class are passed over.
    """
    from sklearn.metrics import average_precision_score

    unit = unit_rows(torch.from_numpy(table))
    cosines = similarities(unit, unit).numpy()
    found = []
    for row, label in enumerate(labels):
        others = np.arange(len(labels)) != row
        relevant = labels[others] == label
        if label >= 0 and relevant.any():
            found.append((float(average_precision_score(relevant, cosines[row, others])), row))
    return [Bad(names[row], f"average precision {value:.3f}") for value, row in sorted(found)[:MOST_WORST]]


def _thumb(dataset: Dataset, row: int, side: int) -> str:
    with suppress(UserError):
        return encoded(Image.fromarray(dataset[row].image.permute(1, 2, 0).numpy()), side)[0]
    return ""
