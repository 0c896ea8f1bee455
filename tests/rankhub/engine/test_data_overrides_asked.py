"""A trained run is asked about images in every form, and measured on data handed over in Python."""

from __future__ import annotations

import itertools
import logging
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import fakes
from helpers.python_data import LABELS, STACK, Made, installed, labeled, photos
from PIL import Image

import rankhub
import rankhub_data
from rankhub.catalog.catalog import Catalog


@pytest.fixture(autouse=True)
def catalog(monkeypatch):
    return installed(monkeypatch)


@pytest.fixture
def files(tmp_path):
    return photos(tmp_path / "photos")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run to ask."""
    patch = pytest.MonkeyPatch()
    found = Catalog.of({"fakes": fakes, "rankhub_data": rankhub_data})
    patch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    path = tmp_path_factory.mktemp("given") / "run"
    rankhub.train(labeled(), path, {"train": (STACK, LABELS)}, progress=False)
    with rankhub.load_run(path) as run:
        yield run
    patch.undo()


def forms_of(files, count):
    """The first images in every form."""
    tensors = torch.from_numpy(STACK[:count]).permute(0, 3, 1, 2)
    return [
        files[:count],
        tuple(str(path) for path in files[:count]),
        STACK[:count],
        list(STACK[:count]),
        STACK[:count].astype(np.float32) / 255,
        tensors,
        list(tensors / 255),
        [Image.open(path) for path in files[:count]],
        Made(STACK[:count]),
        Made(STACK[:count], LABELS),
        iter(files[:count]),
        (image for image in STACK[:count]),
    ]


def test_several_images_of_any_form_get_one_answer_each(trained, files):
    expected = [prediction.value for prediction in trained.predict(STACK)]
    assert len(set(expected)) == len(STACK)
    for form in forms_of(files, 2) + forms_of(files, 24):
        found = trained.predict(form, batch_size=5)
        assert isinstance(found, list)
        np.testing.assert_allclose([each.value for each in found], expected[: len(found)], rtol=1e-5)
    assert [each.path for each in trained.predict(files)] == [str(path) for path in files]
    assert [each.path for each in trained.predict(STACK[:2])] == ["", ""]
    of_folder = trained.predict(files[0].parent)
    assert [each.path for each in of_folder] == [path.name for path in files]
    np.testing.assert_allclose([each.value for each in of_folder], expected, rtol=1e-5)


def test_one_image_of_any_form_gets_one_answer(trained, files):
    image = torch.from_numpy(STACK[3]).permute(2, 0, 1)
    expected = trained.predict(STACK[3])
    assert (expected.path, list(expected.values)) == ("", ["rating"])
    for form in (files[3], str(files[3]), Image.open(files[3]), STACK[3] / 255, image, image / 255):
        found = trained.predict(form)
        assert found.values == expected.values
        assert found.path == (str(form) if isinstance(form, str | Path) else "")
        assert trained.embed(form).shape == (1, 8)
        assert len(trained.predict([form])) == 1


def test_vectors(trained, files):
    expected = trained.embed(STACK)
    assert (expected.shape, expected.dtype) == ((24, 8), np.float32)
    for form in forms_of(files, 24):
        np.testing.assert_allclose(trained.embed(form, batch_size=7), expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(trained.embed(files, normalize=True), axis=1), 1, rtol=1e-6)
    assert trained.embed(STACK[:3], "main.arrow").shape == (3, 4)
    with pytest.raises(
        rankhub.UserError, match=r"there is no output 'arrow'; there are backbone, main.arrow, main.rating"
    ):
        trained.embed(STACK, "arrow")


def test_the_network_is_shown_what_preprocess_says(trained, files):
    (expected,) = trained.preprocess(STACK[0])
    np.testing.assert_array_equal(expected.numpy()[0], STACK[0].transpose(2, 0, 1).astype(np.float32) / 255)
    for form in forms_of(files, 1)[:9]:
        assert torch.equal(trained.preprocess(form)[0], expected)
    with torch.no_grad():
        own = trained.network([expected], ["main"])["main.rating"].item()
    assert own == pytest.approx(trained.predict(STACK[0]).value, rel=1e-6)
    with pytest.raises(rankhub.UserError, match="preprocess takes one image, these are 2"):
        trained.preprocess(STACK[:2])


@pytest.mark.parametrize(
    "ask", [lambda run, given: run.predict(given, batch_size=4), lambda run, given: run.embed(given, batch_size=4)]
)
def test_positions_are_those_of_all_images(trained, ask):
    bad = [*STACK[:9], STACK[9] * 2.0]
    for form in (bad, iter(bad)):
        with pytest.raises(rankhub.UserError, match=r"^images\[9\] holds floats from"):
            ask(trained, form)
    for form in ([], iter([]), np.zeros((0, 8, 8, 3))):
        with pytest.raises(rankhub.UserError, match="there is no image"):
            ask(trained, form)


@pytest.mark.parametrize("form", ["iterator", "files"])
def test_memory_does_not_grow_with_the_number_of_images(trained, tmp_path, form):
    Image.new("RGB", (128, 128)).save(tmp_path / "large.png")

    def images(count):
        if form == "files":
            return [tmp_path / "large.png"] * count
        return (np.full((128, 128, 3), number % 256, np.uint8) for number in range(count))

    def peak(count):
        given = images(count)
        tracemalloc.start()
        number = sum(1 for _ in trained.predict_iter(given, batch_size=4))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert number == count
        return most

    peak(8)
    assert peak(64) < 1.2 * peak(16)


def test_only_as_many_images_are_taken_as_are_predicted_together(trained):
    taken = itertools.count()
    found = trained.predict_iter((STACK[next(taken)] for _ in STACK), batch_size=3)
    next(found)
    assert next(taken) == 3


def test_nothing_of_the_process_is_changed(trained, files):
    before = (
        [logger.handlers[:] for logger in [logging.getLogger("rankhub")]],
        torch.random.get_rng_state(),
        torch.get_num_threads(),
    )
    trained.predict(files)
    trained.embed(STACK)
    trained.preprocess(STACK[0])
    after = (
        [logger.handlers[:] for logger in [logging.getLogger("rankhub")]],
        torch.random.get_rng_state(),
        torch.get_num_threads(),
    )
    assert before[0] == after[0]
    assert torch.equal(before[1], after[1])
    assert before[2] == after[2]


def test_measured_on_data_of_ones_own(trained, files, caplog):
    expected = float(torch.from_numpy(trained.embed(STACK[:7])).std())
    for given in (STACK[:7], files[:7], Made(STACK[:7]), (STACK[:7], LABELS[:7])):
        found = trained.evaluate(data={"test": given})
        assert found["spread"].metrics["spread"] == pytest.approx(expected, rel=1e-5)
        assert trained.evaluate(["spread"], {"test": given})["spread"].metrics == found["spread"].metrics
    needs = [{"use": "spread", "data": "test", "labeled": True}]
    assert trained.evaluate(needs, {"test": (STACK, LABELS)})["spread"].metrics
    with pytest.raises(rankhub.UserError, match="data set 'test' has no labels"):
        trained.evaluate(needs, {"test": STACK})
    on_train = [{"use": "spread", "data": "train"}]
    with pytest.raises(rankhub.UserError, match=r"data.train: its images were handed over in Python"):
        trained.evaluate(on_train)
    assert trained.evaluate(on_train, {"train": STACK[:7]})["spread"].metrics["spread"] == pytest.approx(
        expected, rel=1e-5
    )
    with pytest.raises(rankhub.UserError, match="spread is left out: its data are not there"):
        trained.evaluate(on_train, {"test": STACK})
    with caplog.at_level(logging.WARNING, "rankhub"):
        both = rankhub.load_run(trained.path, overrides={"evaluate": [*on_train, {"use": "spread", "data": "test"}]})
        assert list(both.evaluate(data={"test": STACK[:7]})) == ["spread"]
    assert [text.split(":")[0] for text in caplog.messages] == ["spread is left out"]
