"""The vote of the nearest, against scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
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


@pytest.mark.parametrize("weights", ["uniform", "softmax"])
@pytest.mark.parametrize("k", [1, 7, 20])
def test_accuracy_equals_scikit_learn(weights, k):
    (bank, bank_labels), (test, test_labels) = blobs(300, 0), blobs(150, 1)
    votes = "uniform" if weights == "uniform" else (lambda distance: np.exp((1 - distance) / 0.07))
    other = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights=votes).fit(bank, bank_labels)
    source = Source({"bank": table(bank, bank_labels), "test": table(test, test_labels)})
    result = KNearest(train="bank", test="test", k=k, weights=weights)(source)
    assert result.metrics["accuracy"] == pytest.approx(other.score(test, test_labels))
    order = np.argsort(-other.predict_proba(test), axis=1, kind="stable")[:, :5]
    chances = np.take_along_axis(other.predict_proba(test), order, axis=1)
    top5 = ((order == test_labels[:, None]) & (chances > 0)).any(axis=1).mean()
    assert result.metrics["accuracy_top5"] == pytest.approx(top5)
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
        right += one.predict(values[[i]])[0] == labels[i]
    result = KNearest(train="all", test="all", k=3, weights="uniform")(source)
    assert result.metrics["accuracy"] == pytest.approx(right / 80)


def test_equal_votes_go_to_the_lowest_class():
    bank = table([[1, 0], [1, 0], [1, 0.0]], [4, 2, 7])
    for weights in ("uniform", "softmax"):
        for label, accuracy in ((2, 1.0), (4, 0.0)):
            source = Source({"bank": bank, "test": table([[1, 0.1]], [label])})
            assert KNearest(train="bank", test="test", k=3, weights=weights)(source).metrics["accuracy"] == accuracy


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
