"""Retrieval by label and by instance, against plain loops, and the laws it must keep."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub.interfaces.order import RankTarget
from rankhub_ranking.similarity import RESOLUTION
from rankhub_retrieval import ranking
from rankhub_retrieval.retrieval import Retrieval

CPU = torch.device("cpu")


@dataclass
class Picture:
    image: torch.Tensor


@dataclass
class Data:
    label: LabelSpec = field(default_factory=lambda: LabelSpec("class", classes=("ant", "bee")))

    def __getitem__(self, index: int) -> Picture:
        return Picture(torch.full((3, 20 + index % 7, 30), index % 256, dtype=torch.uint8))


@dataclass
class Source:
    """Tables by name; stands in for the engine."""

    tables: dict[str, OutputTable]
    pictures: bool = False
    labels: dict[str, LabelSpec] = field(default_factory=dict)
    row: str = "after"
    device: torch.device = CPU

    def outputs(self, data: str, output: str) -> OutputTable:
        return self.tables[data]

    def views(self, stream: str, data: str, output: str, limit: int) -> OutputTable:
        assert (stream, limit) == ("views", 1000)
        return self.tables[data]

    def dataset(self, data: str) -> Data:
        return Data(self.labels[data]) if data in self.labels else Data()


def table(values, labels=None, target=None) -> OutputTable:
    labels = None if labels is None else np.asarray(labels)
    return OutputTable(torch.as_tensor(np.asarray(values), dtype=torch.float32), labels, target)


def views_table(values, index) -> OutputTable:
    index = torch.as_tensor(index)
    return table(values, target=RankTarget(index, torch.arange(len(index)), index, torch.ones(len(index))))


def slow_measure(queries, query_ids, gallery, gallery_ids, ks, same) -> dict[str, float]:
    """One query at a time, one rank at a time; equals by the chance of each to stand at a rank."""
    unit = [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-30) for v in (queries, gallery)]
    sums: dict[str, list[float]] = {}
    for q, wanted in enumerate(query_ids):
        cells = np.round(unit[0][q] @ unit[1].T / RESOLUTION)
        items = [(cells[j], gallery_ids[j] == wanted) for j in range(len(gallery)) if not (same and j == q)]
        total = sum(flag for _, flag in items)
        if not total:
            continue
        gains, missed = [], dict.fromkeys(ks, 1.0)
        above = before = 0
        for cell in sorted({cell for cell, _ in items}, reverse=True):
            flags = [flag for other, flag in items if other == cell]
            t, r = len(flags), sum(flags)
            for i in range(1, t + 1):
                others = (i - 1) * (r - 1) / (t - 1) if t > 1 else 0
                gains.append(r / t * (before + 1 + others) / (above + i))
            for k in ks:
                drawn = min(max(k - above, 0), t)
                missed[k] *= math.comb(t - r, drawn) / math.comb(t, drawn)
            above, before = above + t, before + r
        sums.setdefault("mAP", []).append(sum(gains) / total)
        for k in ks:
            sums.setdefault(f"mAP@{k}", []).append(sum(gains[:k]) / min(k, total))
            sums.setdefault(f"recall@{k}", []).append(1 - missed[k])
    return {name: float(np.mean(values)) for name, values in sums.items()}


@st.composite
def tasks(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features from few directions, so that most are equals, or from many; classes that some queries miss."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    directions = rng.normal(size=(draw(st.sampled_from([1, 2, 5, 1000])), 4))
    count, items = draw(st.integers(2, 12)), draw(st.integers(2, 90))
    queries, gallery = (directions[rng.integers(0, len(directions), n)] for n in (count, items))
    query_ids, gallery_ids = rng.integers(0, 4, count), rng.integers(0, 3, items)
    query_ids[0] = gallery_ids[0]
    return queries, query_ids, gallery, gallery_ids


@settings(max_examples=60, deadline=None, derandomize=True)
@given(tasks(), st.sampled_from([(1, 5, 10), (3,), (200, 1)]))
def test_two_data_sets_equal_the_slow_reference(task, ks):
    queries, query_ids, gallery, gallery_ids = task
    source = Source({"q": table(queries, query_ids), "g": table(gallery, gallery_ids)})
    metrics = dict(Retrieval(queries="q", gallery="g", ks=ks)(source).metrics)
    metrics.pop("mAP_chance")
    assert metrics == pytest.approx(slow_measure(*task, ks, same=False), abs=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(tasks())
def test_one_data_set_equals_the_slow_reference_without_self_matches(task):
    _, _, values, ids = task
    ids[:2] = 0
    metrics = dict(Retrieval(queries="g")(Source({"g": table(values, ids)})).metrics)
    metrics.pop("mAP_chance")
    assert metrics == pytest.approx(slow_measure(values, ids, values, ids, (1, 5, 10), same=True), abs=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(tasks(), st.integers(0, 2**31))
def test_the_order_of_queries_and_gallery_changes_no_bit(task, seed):
    queries, query_ids, gallery, gallery_ids = task
    rng = np.random.default_rng(seed)
    evaluator = Retrieval(queries="q", gallery="g")
    first = evaluator(Source({"q": table(queries, query_ids), "g": table(gallery, gallery_ids)}))
    asked, order = rng.permutation(len(queries)), rng.permutation(len(gallery))
    moved = {"q": table(queries[asked], query_ids[asked]), "g": table(gallery[order], gallery_ids[order])}
    assert evaluator(Source(moved)).metrics == first.metrics


@pytest.mark.parametrize("dim", [5, 64, 385])
def test_blocks_and_threads_change_no_bit(monkeypatch, dim):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, dim))[rng.integers(0, 9, 103)]  # many copies, at cosines that no product gives exactly
    source = Source({"all": table(values, rng.integers(0, 6, 103))})
    whole = Retrieval(queries="all", ks=(1, 5, 60))(source).metrics
    assert 0 < whole["recall@1"] < 1
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        for items in (1, 700, 5000):
            monkeypatch.setitem(ranking.BLOCK_ITEMS, "cpu", items)
            assert Retrieval(queries="all", ks=(1, 5, 60))(source).metrics == whole


def test_perfect_features_give_one():
    labels = np.arange(40) % 4
    source = Source({"all": table(np.eye(4)[labels] * 7, labels)})
    metrics = dict(Retrieval(queries="all")(source).metrics)
    assert metrics.pop("mAP_chance") < 0.3
    assert list(metrics.values()) == pytest.approx([1.0] * 7)


@pytest.mark.parametrize("labels", [np.arange(120) // 30, np.arange(120) % 4])  # files sorted by class, or not
def test_collapsed_features_give_chance_whatever_the_order_of_the_files(labels):
    values = np.random.default_rng(0).normal(size=(1, 8)) * np.linspace(1, 3, 120)[:, None]
    result = Retrieval(queries="all")(Source({"all": table(values, labels)}))
    assert result.metrics["mAP"] == pytest.approx(result.metrics["mAP_chance"])
    for k in (1, 5, 10):
        assert result.metrics[f"recall@{k}"] == pytest.approx(1 - math.comb(90, k) / math.comb(119, k))
    assert "collapsed" in result.notes[0]


def test_by_instance_the_other_views_of_the_image_are_relevant():
    rng = np.random.default_rng(0)
    index = rng.permutation(np.arange(25).repeat(4)) + 3
    values = rng.normal(size=(40, 6))[index] + 0.8 * rng.normal(size=(100, 6))
    evaluator = Retrieval(by="instance", stream="views", data="photos")
    metrics = dict(evaluator(Source({"photos": views_table(values, index)})).metrics)
    metrics.pop("mAP_chance")
    assert metrics == pytest.approx(slow_measure(values, index, values, index, (1, 5, 10), same=True), abs=1e-9)
    assert 0.1 < metrics["mAP"] < 0.9
    assert not evaluator.needs_labels


def test_left_out_queries_and_images_are_noted():
    values = np.random.default_rng(0).normal(size=(10, 3))
    labels = [0, 0, 0, 1, 1, 1, 2, 3, -1, -1]
    result = Retrieval(queries="all")(Source({"all": table(values, labels)}))
    assert result.notes == [
        "2 of 10 images of 'all' have no label and are left out",
        "2 of 8 queries are left out: nothing in the gallery is relevant to them",
    ]


def test_nothing_relevant_anywhere_is_one_sentence():
    values = np.random.default_rng(0).normal(size=(4, 3))
    source = Source({"q": table(values, [0, 1, 0, 1]), "g": table(values, [2, 2, 3, 3])})
    with pytest.raises(UserError, match="no image of 'q' has another image of its class in 'g'"):
        Retrieval(queries="q", gallery="g")(source)
    with pytest.raises(UserError, match="one view of each"):
        Retrieval(by="instance", stream="views", data="photos")(Source({"photos": views_table(values, range(4))}))


def test_the_sheet_shows_a_few_queries_and_their_neighbours_whenever_pictures_are_wanted():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 50)
    tables = {
        "all": table(np.eye(3)[labels] + 0.4 * rng.normal(size=(50, 3)), labels),
        "photos": views_table(rng.normal(size=(40, 6)), np.arange(10).repeat(4)),
    }
    for evaluator in (Retrieval(queries="all"), Retrieval(by="instance", stream="views", data="photos")):
        assert not evaluator(Source(tables)).pictures
        sheet = evaluator(Source(tables, pictures=True)).pictures["neighbours"]
        again = evaluator(Source(tables, pictures=True)).pictures["neighbours"]
        assert sheet.dtype == np.uint8
        assert sheet.ndim == 3
        assert sheet.shape[2] == 3
        np.testing.assert_array_equal(sheet, again)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs `queries:`"),
        ({"queries": "named", "stream": "views"}, "`stream` plays no part with `by: label`"),
        ({"queries": "bare"}, "'bare' has no labels"),
        ({"queries": "named", "gallery": "scored"}, "'scored' has score labels"),
        ({"by": "instance", "data": "bare"}, "needs `stream:`"),
        ({"by": "instance", "stream": "views"}, "needs `data:`"),
        ({"by": "instance", "stream": "views", "data": "bare", "gallery": "named"}, "`gallery` plays no part"),
        ({"queries": "named", "ks": ()}, "`ks` is empty"),
    ],
)
def test_check_objects(options, said):
    data = {"named": LabelSpec("class"), "bare": LabelSpec(), "scored": LabelSpec("score")}
    (sentence,) = Retrieval(**options).check(data)
    assert said in sentence


def test_check_accepts_and_headline_follows_the_depths():
    data = {"named": LabelSpec("class"), "bare": LabelSpec()}
    assert not list(Retrieval(queries="named", gallery="named").check(data))
    assert not list(Retrieval(by="instance", stream="views", data="bare").check(data))
    assert Retrieval(queries="named").headline() == ("mAP", "recall@1", "recall@5", "recall@10")
    assert Retrieval(queries="named", ks=(20, 2, 2)).headline() == ("mAP", "recall@2", "recall@20")


def test_depths_may_come_as_a_list_from_yaml():
    from typing import get_type_hints

    hint = get_type_hints(Retrieval.__init__, include_extras=True)["ks"]
    assert TypeAdapter(hint).validate_python([1, 2], strict=True) == [1, 2]


def test_classes_are_matched_by_name():
    labels = {
        "asked": LabelSpec("class", classes=("cat", "dog")),
        "searched": LabelSpec("class", classes=("ant", "cat", "dog")),
    }
    asked = table(np.eye(3)[:2], [0, 1])
    searched = table(np.eye(3)[[2, 0, 1]], [0, 1, 2])  # an ant, the cat, the dog
    source = Source({"asked": asked, "searched": searched}, labels=labels)
    found = Retrieval(by="label", queries="asked", gallery="searched", ks=[1])(source)
    assert found.metrics["mAP"] == 1.0
