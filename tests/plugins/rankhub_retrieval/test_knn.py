"""The vote of the nearest, against scikit-learn's."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub_ranking.similarity import RESOLUTION
from rankhub_retrieval import ranking
from rankhub_retrieval.knn import KNearest

CPU = torch.device("cpu")


@dataclass
class Data:
    label: LabelSpec = field(default_factory=lambda: LabelSpec("class", classes=("ant", "bee")))


@dataclass
class Source:
    """Tables by name; stands in for the engine."""

    tables: dict[str, OutputTable]
    labels: dict[str, LabelSpec] = field(default_factory=dict)
    row: str = "after"
    device: torch.device = CPU
    pictures: bool = False

    def outputs(self, data: str, output: str) -> OutputTable:
        assert output == "backbone"
        return self.tables[data]

    def dataset(self, data: str) -> Data:
        return Data(self.labels[data]) if data in self.labels else Data()


def table(values, labels) -> OutputTable:
    return OutputTable(torch.as_tensor(np.asarray(values), dtype=torch.float32), np.asarray(labels))


def blobs(count: int, seed: int, classes: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    centres = np.random.default_rng(99).normal(size=(classes, 6))
    return (centres[labels] + rng.normal(size=(count, 6))).astype(np.float32), labels


def shared_places(votes: np.ndarray, labels: np.ndarray, top: int) -> float:
    """How often the right class is among the first; of equal votes (and none are) each has the same chance."""
    total = 0.0
    for row, label in zip(np.round(votes, 9), labels, strict=True):
        if row[label] > 0:
            before, equal = (row > row[label]).sum(), (row == row[label]).sum()
            total += min(max((top - before) / equal, 0), 1)
    return total / len(labels)


@pytest.mark.parametrize("weights", ["uniform", "softmax"])
@pytest.mark.parametrize("k", [1, 7, 20])
def test_accuracy_equals_scikit_learn(weights, k):
    (bank, bank_labels), (test, test_labels) = blobs(300, 0), blobs(150, 1)
    votes = "uniform" if weights == "uniform" else (lambda distance: np.exp((1 - distance) / 0.07))
    other = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights=votes).fit(bank, bank_labels)
    source = Source({"bank": table(bank, bank_labels), "test": table(test, test_labels)})
    result = KNearest(train="bank", test="test", k=k, weights=weights)(source)
    assert result.metrics["accuracy"] == pytest.approx(shared_places(other.predict_proba(test), test_labels, 1))
    if weights == "softmax" or k == 1:  # no equal votes
        assert result.metrics["accuracy"] == pytest.approx(other.score(test, test_labels))
    assert result.metrics["accuracy_top5"] == pytest.approx(shared_places(other.predict_proba(test), test_labels, 5))
    rows = result.tables["per_class"]
    assert [row["class"] for row in rows[:3]] == ["ant", "bee", "2"]
    assert sum(row["images"] for row in rows) == 150
    mean = sum(row["images"] * row["accuracy"] for row in rows) / 150
    assert mean == pytest.approx(result.metrics["accuracy"])
    assert not result.notes


def test_a_data_set_against_itself_leaves_each_image_out():
    values, labels = blobs(80, 0)
    source = Source({"all": table(values, labels)})
    right = 0
    for i in range(80):
        rest = np.arange(80) != i
        one = KNeighborsClassifier(3, metric="cosine", algorithm="brute").fit(values[rest], labels[rest])
        right += shared_places(one.predict_proba(values[[i]]), labels[[i]], 1)
    result = KNearest(train="all", test="all", k=3, weights="uniform")(source)
    assert result.metrics["accuracy"] == pytest.approx(right / 80)


def test_classes_of_equal_votes_share_the_place():
    bank = table([[1, 0], [1, 0], [1, 0.0]], [4, 2, 7])
    for weights in ("uniform", "softmax"):
        for label in (2, 4, 7):
            source = Source({"bank": bank, "test": table([[1, 0.1]], [label])})
            result = KNearest(train="bank", test="test", k=3, weights=weights)(source)
            assert result.metrics == {"accuracy": 1 / 3, "accuracy_top5": 1.0}
            assert result.tables["per_class"][0]["accuracy"] == 1 / 3


def slow_credit(bank, bank_labels, query, label, k, top):
    """The vote as a fraction: of items as near as the k-th each has the same share of what is left."""
    unit = [rows / np.linalg.norm(rows, axis=-1, keepdims=True) for rows in (bank.astype(float), query.astype(float))]
    cells = np.round(unit[0] @ unit[1] / RESOLUTION)
    last = np.sort(cells)[-k]
    left = Fraction(int(k - (cells > last).sum()), int((cells == last).sum()))
    votes = [Fraction(0)] * 8
    for cell, other in zip(cells, bank_labels, strict=True):
        votes[other] += 1 if cell > last else left if cell == last else 0
    before, equal = (sum(test(other, votes[label]) for other in votes) for test in (operator.gt, operator.eq))
    return min(max(Fraction(top - before, equal), 0), 1) if votes[label] else 0


@st.composite
def copies(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bank and test of a few pictures in many copies, of 8 classes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    few = rng.normal(size=(draw(st.integers(1, 9)), 7)).astype(np.float32)
    sides = [few[rng.integers(0, len(few), draw(st.integers(2, 40)))] for _ in range(2)]
    labels = [rng.integers(0, draw(st.integers(1, 8)), len(side)) for side in sides]
    return sides[0], labels[0], sides[1], labels[1]


@settings(max_examples=60, deadline=None)
@given(copies(), st.integers(1, 30))
def test_equals_at_the_kth_place_share_the_votes_that_are_left(task, k):
    bank, bank_labels, test, test_labels = task
    bank_labels[0] = 7  # so that there are more than five classes
    k = min(k, len(bank))
    result = KNearest(train="bank", test="test", k=k, weights="uniform")(
        Source({"bank": table(bank, bank_labels), "test": table(test, test_labels)})
    )
    for name, top in (("accuracy", 1), ("accuracy_top5", 5)):
        credits = [
            slow_credit(bank, bank_labels, row, label, k, top) for row, label in zip(test, test_labels, strict=True)
        ]
        assert result.metrics[name] == pytest.approx(float(sum(credits) / len(credits)), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(copies(), st.sampled_from([1, 3, 20]), st.sampled_from(["uniform", "softmax"]), st.integers(0, 2**31))
def test_neither_the_order_of_the_files_nor_the_names_of_the_classes_change_a_bit(task, k, weights, seed):
    bank, bank_labels, test, test_labels = task
    rng = np.random.default_rng(seed)
    evaluator = KNearest(train="bank", test="test", k=k, weights=weights)
    spec = LabelSpec("class", classes=tuple("abcdefgh"))

    def measured(bank_order, test_order, names):
        tables = {
            "bank": table(bank[bank_order], names[bank_labels][bank_order]),
            "test": table(test[test_order], names[test_labels][test_order]),
        }
        result = evaluator(Source(tables, {"bank": spec, "test": spec}))
        by_class = {row["class"]: row["accuracy"] for row in result.tables["per_class"]}
        return result.metrics["accuracy"], {label: by_class["abcdefgh"[names[label]]] for label in set(test_labels)}

    plain = measured(np.arange(len(bank)), np.arange(len(test)), np.arange(8))
    for _ in range(3):
        moved = measured(rng.permutation(len(bank)), rng.permutation(len(test)), rng.permutation(8))
        assert moved == plain


@pytest.mark.parametrize("itself", [False, True])
@pytest.mark.parametrize("weights", ["uniform", "softmax"])
def test_blocks_and_threads_change_no_bit(monkeypatch, weights, itself):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 129)).astype(np.float32)[rng.integers(0, 9, 90)]
    sides = {"bank": table(values, rng.integers(0, 8, 90)), "test": table(values[:50], rng.integers(0, 8, 50))}
    evaluator = KNearest(train="bank", test="bank" if itself else "test", k=11, weights=weights)
    whole = evaluator(Source(sides))
    assert 0 < whole.metrics["accuracy"] < 1
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        for items in (1, 800, 5000):
            monkeypatch.setitem(ranking.BLOCK_ITEMS, "cpu", items)
            assert evaluator(Source(sides)) == whole


@pytest.mark.parametrize("weights", ["uniform", "softmax"])
def test_copies_of_two_classes_beyond_k_are_decided_by_neither(weights):
    """24 black pictures of each of two classes: a black one is of either, whichever class is named first."""
    rng = np.random.default_rng(0)
    bank = np.concatenate([np.tile([[1.0, 0, 0]], (48, 1)), rng.normal(size=(40, 3)) * [0.1, 1, 1]])
    labels = np.concatenate([np.arange(48) // 24, np.arange(40) % 2])
    for turn in (labels, 1 - labels):
        for order in (np.arange(88), np.arange(88)[::-1]):
            sides = {"bank": table(bank[order], turn[order]), "test": table([[2.0, 0, 0]] * 10, [1] * 10)}
            result = KNearest(train="bank", test="test", weights=weights)(Source(sides))
            assert result.metrics["accuracy"] == 0.5


def test_a_collapsed_network_gets_chance_whatever_the_sizes_of_the_classes():
    values = np.ones((60, 4))
    labels = np.repeat([0, 1, 2], [20, 20, 20])
    test = np.repeat([0, 1, 2], [50, 9, 1])
    source = Source({"bank": table(values, labels), "test": table(values, test)})
    assert KNearest(train="bank", test="test")(source).metrics["accuracy"] == pytest.approx(1 / 3)


def test_with_a_bank_of_as_many_as_k_all_vote():
    source = Source({"bank": table(np.eye(3), [0, 0, 1]), "test": table(np.eye(3), [0, 1, 1])})
    assert KNearest(train="bank", test="test", k=3, weights="uniform")(source).metrics["accuracy"] == 1 / 3


def test_a_class_without_a_vote_is_not_among_the_five():
    source = Source({"bank": table(np.eye(7), range(7)), "test": table(np.eye(7)[[6]] + 0.01, [0])})
    result = KNearest(train="bank", test="test", k=1)(source)
    assert result.metrics == {"accuracy": 0.0, "accuracy_top5": 0.0}


def test_images_without_a_label_are_left_out_with_a_note():
    (bank, bank_labels), (test, test_labels) = blobs(100, 0), blobs(50, 1)
    clean = Source({"bank": table(bank, bank_labels), "test": table(test, test_labels)})
    noise = np.full((10, 6), 3.0, np.float32)
    dirty = Source(
        {
            "bank": table(np.concatenate([noise, bank]), [-1] * 10 + bank_labels.tolist()),
            "test": table(np.concatenate([test, noise]), test_labels.tolist() + [-1] * 10),
        }
    )
    evaluator = KNearest(train="bank", test="test", k=5)
    result = evaluator(dirty)
    assert result.metrics == evaluator(clean).metrics
    assert result.notes == [
        "10 of 110 images of 'bank' have no label and are left out",
        "10 of 60 images of 'test' have no label and are left out",
    ]


def test_k_beyond_the_bank_is_cut_with_a_note():
    source = Source({"bank": table(np.eye(3), [0, 1, 1]), "test": table(np.eye(3), [1, 1, 1])})
    result = KNearest(train="bank", test="test", k=20, weights="uniform")(source)
    assert result.metrics["accuracy"] == 1.0
    assert any("k is 3, not 20" in note for note in result.notes)


def test_collapsed_features_are_noted():
    values, labels = np.ones((60, 4)) * 3, np.arange(60) % 3
    source = Source({"bank": table(values, labels), "test": table(values, labels)})
    (note,) = KNearest(train="bank", test="test")(source).notes
    assert "collapsed" in note


def test_copies_between_bank_and_test_are_noted():
    (bank, bank_labels), (test, test_labels) = blobs(100, 0), blobs(50, 1)
    test[:4] = bank[10:14]
    source = Source({"bank": table(bank, bank_labels), "test": table(test, test_labels)})
    (note,) = KNearest(train="bank", test="test")(source).notes
    assert note.startswith("4 of 50 images of 'test' have the same features as an image of 'bank'")


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"bank": table(np.eye(2), [0, 1]), "test": table(np.eye(2), [-1, -1])}, "no image of data set 'test'"),
        ({"bank": OutputTable(torch.eye(2)), "test": table(np.eye(2), [0, 1])}, "no image of data set 'bank'"),
        (
            {"bank": table([[1.0, float("nan")]], [0]), "test": table(np.eye(2), [0, 1])},
            "1 of 1 features .* not finite",
        ),
        (
            dict.fromkeys(["bank", "test"], OutputTable([torch.rand(1, 4, 6)], np.array([0]))),
            "one vector each, and the output is a map",
        ),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(tables, said):
    with pytest.raises(UserError, match=said):
        KNearest(train="bank", test="test")(Source(tables))


def test_check_asks_for_classes():
    data = {"bank": LabelSpec("class"), "test": LabelSpec(), "scored": LabelSpec("score")}
    assert not list(KNearest(train="bank", test="bank").check(data))
    assert "'test' has no labels" in next(iter(KNearest(train="bank", test="test").check(data)))
    assert "'scored' has score labels" in next(iter(KNearest(train="scored", test="bank").check(data)))
    assert KNearest(train="bank", test="bank").headline() == ("accuracy",)


def test_classes_are_matched_by_name():
    labels = {
        "bank": LabelSpec("class", classes=("ant", "cat", "dog")),
        "test": LabelSpec("class", classes=("ant", "bee", "cat", "dog")),
    }
    bank = table(np.eye(3), [0, 1, 2])
    test = table(np.eye(3)[[0, 1, 2, 2]], [0, 2, 3, 1])  # an ant, a cat, a dog, and a bee, which the bank has not
    result = KNearest(train="bank", test="test", k=1)(Source({"bank": bank, "test": test}, labels))
    assert result.metrics["accuracy"] == 0.75
    assert [row["class"] for row in result.tables["per_class"]] == ["ant", "bee", "cat", "dog"]
    assert [row["accuracy"] for row in result.tables["per_class"]] == [1.0, 0.0, 1.0, 1.0]
    assert "1 of 4 images of 'test' are of classes without an image in 'bank'; they count as wrong" in result.notes
