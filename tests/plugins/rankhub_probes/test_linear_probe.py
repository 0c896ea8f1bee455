"""The linear probe is scikit-learn's, its regularisation is chosen without the test set, and folds are folds."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection, UserError
from rankhub_probes.classifier import choose, held_out_part, predict
from rankhub_probes.linear_probe import LinearProbe

GRID = (1e-3, 1e-1, 10.0)


def blobs(count, classes=4, width=8, seed=0):
    """Overlapping classes; [count, width] float32 of unequal scales, [count]."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % classes)
    centres = np.random.default_rng(99).normal(size=(classes, width))
    values = centres[labels] + 1.2 * random.normal(size=(count, width))
    return (values * np.logspace(-2, 2, width) + 3).astype(np.float32), labels


def reference(train, labels, test, c):
    """Predictions of scikit-learn, put together by its own means."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
    return model.fit(train.astype(np.float64), labels).predict(test.astype(np.float64))


@pytest.fixture
def probe(given):
    """Runs a probe on blobs, or on what is given instead."""

    def run(train=None, test=None, classes=((), ()), parts=None, **options):
        source = given().images("train", *(train or blobs(120)), classes[0], parts)
        source.images("test", *(test or blobs(90, seed=1)), classes[1])
        return LinearProbe(train="train", test="test", **{"grid": GRID, **options})(source)

    return run


@pytest.mark.parametrize(("count", "width", "classes"), [(120, 8, 4), (60, 3, 2), (40, 100, 5)])
def test_predictions_are_those_of_scikit_learn(count, width, classes):
    (train, labels), (test, _) = blobs(count, classes, width), blobs(70, classes, width, 1)
    for c in GRID:
        found = predict(train, labels, test, c, 1000)
        assert found.converged
        assert (found.right(reference(train, labels, test, c)) == 1).all()
        assert (found.likeliest.sum(axis=1) == 1).all()


def test_accuracy_is_that_of_the_chosen_c(probe):
    (train, labels), (test, truth) = blobs(120), blobs(90, seed=1)
    found = probe()
    choice = choose(train, labels, GRID, 0.2, 0, 1000)
    assert found.metrics["accuracy"] == np.mean(reference(train, labels, test, choice.c) == truth)
    assert found.notes == [
        f"linear_probe, network after training: C = {choice.c:g}, chosen on 24 of 120 training images"
    ]
    lines = found.tables["regularisation"]
    assert [(line["C"], line["held_out_accuracy"]) for line in lines] == list(choice.trials)
    assert [line["C"] for line in lines if line["chosen"]] == [choice.c]
    assert [line["test_accuracy"] for line in lines if line["chosen"]] == [found.metrics["accuracy"]]


def test_c_is_the_best_on_the_held_out_images_fitted_without_them():
    train, labels = blobs(200)
    held = held_out_part(labels, 0.25, 3)
    choice = choose(train, labels, GRID, 0.25, 3, 1000)
    expected = [np.mean(reference(train[~held], labels[~held], train[held], c) == labels[held]) for c in GRID]
    np.testing.assert_allclose([accuracy for _, accuracy in choice.trials], expected, atol=1 / held.sum())
    assert choice.c == GRID[int(np.argmax([accuracy for _, accuracy in choice.trials]))]


def test_the_grid_ends_early_only_where_it_gets_clearly_worse():
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 1000)
    labels = np.where(random.random(1000) < 0.2, 1 - truth, truth)  # a fifth is wrong: nothing should fit it
    values = random.normal(size=(1000, 300)).astype(np.float32)
    values[:, :20] += truth[:, None]
    grid = (1e-5, 1e-4, 1e-3, 1e-1, 10.0, 1e3)
    choice = choose(values, labels, grid, 0.5, 0, 1000)
    tried = len(choice.trials)
    assert [c for c, _ in choice.trials] == list(grid[:tried])
    assert 3 <= tried < len(grid)
    best = max(accuracy for _, accuracy in choice.trials)
    assert all(accuracy < best - 2 * np.sqrt(best * (1 - best) / 500) for _, accuracy in choice.trials[-2:])
    held = held_out_part(labels, 0.5, 0)
    rest = [np.mean(reference(values[~held], labels[~held], values[held], c) == labels[held]) for c in grid[tried:]]
    assert max(rest) < best
    assert len(choose(values[:, 200:205], labels, grid, 0.5, 0, 1000).trials) == len(grid)


def test_of_equally_good_ones_the_strongest_regularisation_wins():
    train = np.array([[-1.0], [1.0]] * 20, np.float32)
    assert choose(train, np.arange(40) % 2, (10.0, 0.1, 1.0), 0.2, 0, 1000).c == 0.1


def test_test_labels_change_nothing_but_the_score(probe):
    test, truth = blobs(90, seed=1)
    shuffled = np.random.default_rng(0).permutation(truth)
    one, other = probe(), probe(test=(test, shuffled))
    predicted = reference(*blobs(120), test, next(x["C"] for x in one.tables["regularisation"] if x["chosen"]))
    assert one.metrics["accuracy"] == np.mean(predicted == truth)
    assert other.metrics["accuracy"] == np.mean(predicted == shuffled)
    assert one.notes == other.notes
    trials = [
        [{k: v for k, v in line.items() if k != "test_accuracy"} for line in x.tables["regularisation"]]
        for x in (one, other)
    ]
    assert trials[0] == trials[1]


def test_the_held_out_part_is_stratified_and_seeded():
    labels = np.repeat([0, 3, 4, 9], [50, 10, 2, 1])
    held = held_out_part(labels, 0.2, 0)
    assert [int(held[labels == label].sum()) for label in (0, 3, 4, 9)] == [10, 2, 1, 0]
    assert (held_out_part(labels, 0.2, 0) == held).all()
    assert (held_out_part(labels, 0.2, 1) != held).any()
    assert [int(held_out_part(labels, 0.99, 0)[labels == label].sum()) for label in (0, 4)] == [49, 1]


def test_the_edge_of_the_grid_is_pointed_out(probe):
    low, high = probe(grid=(0.1, 1e6)), probe(grid=(1e-9, 0.1))
    assert low.notes[0].endswith("0.1 is the smallest of the grid, a smaller one may do better")
    assert high.notes[0].endswith("0.1 is the largest of the grid, a larger one may do better")
    assert "grid" not in probe(grid=(1.0,)).notes[0]


def test_folds_are_fitted_alone_and_averaged(probe):
    (train, labels), (test, truth) = blobs(120), blobs(90, seed=1)
    parts = [np.arange(fold, 120, 3) for fold in range(3)]
    found = probe(parts=parts, folds=True)
    accuracy, held_out = [], 0
    for part in parts:
        choice = choose(train[part], labels[part], GRID, 0.2, 0, 1000)
        accuracy.append(np.mean(reference(train[part], labels[part], test, choice.c) == truth))
        held_out += choice.held_out
    assert found.metrics == pytest.approx({"accuracy": np.mean(accuracy), "accuracy_std": np.std(accuracy, ddof=1)})
    assert f"of 3 folds), chosen on {held_out} of 120 training images" in found.notes[0]
    lines = found.tables["regularisation"]
    assert [line["test_accuracy"] for line in lines if line["chosen"]] == accuracy
    assert "accuracy_std" not in probe(parts=parts).metrics


def test_folds_count_positions_of_the_data_set(probe):
    train, labels = blobs(120)
    spaced = np.concatenate([np.full(30, -1), labels])
    values = np.concatenate([np.full((30, 8), 1e3, np.float32), train])
    parts = [np.arange(fold, 120, 3) for fold in range(3)]
    one = probe(parts=parts, folds=True)
    other = probe(train=(values, spaced), parts=[np.append(part + 30, 0) for part in parts], folds=True)
    assert one.metrics == other.metrics


def test_without_folds_it_says_so(probe):
    with pytest.raises(UserError, match="data set 'train' has no folds; set folds: false"):
        probe(folds=True)


def test_images_without_a_label_are_left_out_and_counted(probe):
    train, labels = blobs(120)
    values = np.concatenate([train, np.full((7, 8), 1e3, np.float32)])
    found = probe(train=(values, np.concatenate([labels, np.full(7, -1)])))
    assert found.metrics == probe().metrics
    assert found.notes[0] == "linear_probe: 7 of 127 images of 'train' have no label and are left out"


def test_classes_are_matched_by_name(probe):
    train, labels = blobs(120)
    test, truth = blobs(90, seed=1)
    renumbered = np.array([1, 0, 3, 2])[truth]
    found = probe(train=(train, labels), test=(test, renumbered), classes=("abcd", "badc"))
    assert found.metrics == probe().metrics
    assert [line["class"] for line in found.tables["per_class"]] == ["b", "a", "d", "c"]
    by_class = found.tables["per_class"]
    total = sum(line["accuracy"] * line["images"] for line in by_class)
    assert total / 90 == pytest.approx(found.metrics["accuracy"])


def test_classes_that_training_has_not_seen_count_as_wrong(probe):
    test, truth = blobs(90, seed=1)
    found = probe(test=(test, np.where(truth == 2, 7, truth)))
    note = "of 90 images of 'test' are of classes without an image in 'train'; they count as wrong"
    assert found.notes[0].endswith(note)
    assert [line["accuracy"] for line in found.tables["per_class"] if line["class"] == "7"] == [0.0]


def test_equal_features_give_one_class_and_a_sentence(probe):
    labels = np.array([0] * 30 + [1] * 10)
    found = probe(
        train=(np.full((40, 6), 0.3, np.float32), labels), test=(np.full((10, 6), 0.3, np.float32), labels[25:35])
    )
    assert found.metrics["accuracy"] == 0.5
    assert "collapsed" in found.notes[-1]


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_a_collapsed_network_gets_chance_whatever_the_numbers_of_the_classes(probe, classes):
    """Equal classes to learn, unequal ones to classify: any single answer would be right by the sizes alone."""
    values, labels = np.full((20 * classes, 8), 0.3, np.float32), np.arange(20 * classes) % classes
    truth = np.where(np.arange(50) < 40, 0, np.arange(50) % classes)
    for number in range(classes):
        found = probe(
            train=(values, (labels + number) % classes),
            test=(np.full((50, 8), 0.3, np.float32), (truth + number) % classes),
        )
        assert found.metrics["accuracy"] == pytest.approx(1 / classes)
        assert all(line["accuracy"] == pytest.approx(1 / classes) for line in found.tables["per_class"])


def test_a_constant_column_does_no_harm(probe):
    (train, labels), (test, truth) = blobs(120), blobs(90, seed=1)
    constant = [np.insert(values, 2, 0.1, axis=1) for values in (train, test)]
    assert probe(train=(constant[0], labels), test=(constant[1], truth)).metrics == probe().metrics


@pytest.mark.parametrize("where", ["train", "test"])
def test_features_that_are_not_finite(probe, where):
    values, labels = blobs(90, seed=1)
    values[3, 1] = np.nan
    found = probe(**{where: (values, labels)})
    assert math.isnan(found.metrics["accuracy"])
    assert "1 of 90 rows of features are not finite" in found.notes[0]


def test_a_solver_that_is_cut_off_says_so(probe):
    assert "the solver used all 2 iterations; raise max_iter" in probe(max_iter=2).notes[-1]


def test_the_same_twice(probe):
    assert probe() == probe()


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.full(12, -1), "no image of data set 'train' has a label"),
        (None, "no image of data set 'train' has a label"),
        (np.zeros(12, np.int64), "training images of at least two classes, and 'train' has 12 of 1"),
        (np.arange(12), "no class of 'train' has two images"),
    ],
)
def test_what_it_cannot_fit_gives_a_sentence(probe, labels, sentence):
    with pytest.raises(UserError, match=sentence):
        probe(train=(torch.rand(12, 3).numpy(), labels))


def test_data_sets_are_checked_before_they_are_read():
    evaluator = LinearProbe(train="one", test="other")
    classes, none, scores = LabelSpec("class"), LabelSpec(), LabelSpec("score")
    assert not list(evaluator.check({"one": classes, "other": classes, "more": none}))
    assert list(evaluator.check({"one": none, "other": scores})) == [
        "linear_probe learns classes, and data set 'one' has no labels",
        "linear_probe learns classes, and data set 'other' has labels of kind score",
    ]
    with pytest.raises(Objection, match="train and test are both 'one'"):
        LinearProbe(train="one", test="one")
