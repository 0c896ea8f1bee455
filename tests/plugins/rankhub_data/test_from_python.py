"""Images handed over in Python, as a data set."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

import rankhub_data
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of
from rankhub.interfaces.errors import UserError
from rankhub_data.from_python import FromPython

RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 256, (5, 12, 16, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path):
    """Five PNG files in two folders, with the pixels of the stack."""
    paths = [tmp_path / ("a" if number < 3 else "b/c") / f"{number}.png" for number in range(5)]
    for path, image in zip(paths, STACK, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return paths


class Items(torch.utils.data.Dataset):
    """A data set as torch has them: made one by one."""

    def __init__(self, *items, noise=False):
        self.items, self.noise, self.asked = items, noise, []

    def __len__(self):
        return len(self.items)

    def __getitem__(self, number):
        self.asked.append(number)
        if self.noise:
            return RNG.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        return self.items[number]


def given(value, labeled=True, **options):
    data = FromPython(**options)
    data.give(value, labeled=labeled)
    return data


def same(data, expected=STACK):
    return [data[number].image.permute(1, 2, 0).numpy().tolist() for number in range(len(data))] == expected.tolist()


def test_it_is_missing_until_it_is_given(context):
    data = FromPython()
    assert len(data) == 0
    assert data.missing() == (
        "its images were handed over in Python, which no file can hold; hand them over again: data={NAME: ...}"
    )
    with pytest.raises(UserError, match="hand them over again"):
        data.open(context())
    data.give(STACK)
    assert data.missing() is None


def test_a_recipe_can_write_it_down_and_build_it_again(files):
    catalog = Catalog.of({"rankhub_data": rankhub_data})
    use = catalog.in_role("dataset", "given")
    data = given(
        (files, [1, 2, 3, 4, 5]), kind="score", higher_is_better=False, range=(0.0, 9.0), unit="DMOS", resize=8
    )
    assert set(data.options()) == set(catalog.options(catalog.find("dataset", use)).model_json_schema()["properties"])
    again = catalog.build("dataset", {"use": use, **data.options()})
    assert (again.label, again.options()) == (data.label, data.options())
    assert again.missing() is not None
    assert set(docs_of(FromPython).args) == set(data.options())


def test_what_was_given_is_told_from_other_data(files):
    written = [
        given(value).options()["given"]
        for value in (
            files,
            files[::-1],
            files[:4],
            (files, [0, 1, 0, 1, 0]),
            (files, [0, 1, 0, 1, 1]),
            STACK,
            list(STACK[:, :10]),
            Items(*STACK),
            (Items(*STACK), list("abcde")),
        )
    ]
    assert len(set(written)) == len(written)
    assert [text.split(",")[0] for text in written[:3]] == ["5 images", "5 images", "4 images"]
    assert given([str(path) for path in files]).options() == given(files).options()
    assert given(list(STACK)).options() == given(STACK).options()
    assert given(list(zip(files, "abcde", strict=True))).options() == given((files, list("abcde"))).options()


@pytest.mark.parametrize("limit", [1 << 30, 100])
def test_files_are_decoded_once(files, context, monkeypatch, limit):
    listed = [files[3], files[0], files[3], *files[1:]]
    data = given(listed)
    report = data.open(context(limit))
    for path in files:
        path.unlink()
    assert same(data, STACK[[3, 0, 3, 1, 2, 3, 4]])
    assert [data[number].path for number in range(7)] == listed
    assert data.facts("path") == [str(path) for path in listed]
    assert data.facts("reference") is None
    assert data.sizes().tolist() == [[12, 16]] * 7
    assert report.notes[0] == "7 images given in Python, 16 x 12 pixels"
    assert any("are kept in" in note for note in report.notes) == (limit == 100)


def test_before_it_is_open_each_file_is_read_when_it_is_asked_for(files):
    data = given(files)
    assert same(data)
    files[1].write_bytes(files[0].read_bytes())
    assert same(data, STACK[[0, 0, 2, 3, 4]])


def test_a_broken_file_is_said_before_training(files, context):
    files[3].write_bytes(files[3].read_bytes()[:60])
    with pytest.raises(UserError, match=r"^images\[3\] \(.*3.png\) cannot be read: "):
        given(files).open(context())


def test_forms_may_be_mixed(files, context):
    data = given([files[0], STACK[1], Image.fromarray(STACK[2]), torch.from_numpy(STACK[3]).permute(2, 0, 1), files[4]])
    for _ in range(2):
        assert same(data)
        assert data.sizes().tolist() == [[12, 16]] * 5
        assert data.facts("path") == [str(files[0]), "", "", "", str(files[4])]
        assert data[1].path is None
        data.open(context())
    assert given(STACK).facts("path") is None


def test_remarks_of_decoding_are_passed_on(tmp_path, context):
    Image.new("RGBA", (4, 4), (0, 0, 0, 9)).save(tmp_path / "clear.png")
    notes = given([tmp_path / "clear.png"]).open(context()).notes
    assert "1 images are transparent in places and are laid on white" in notes


def test_a_data_set_of_torch(context):
    items = Items(
        *((torch.from_numpy(image).permute(2, 0, 1), label) for image, label in zip(STACK, "abcab", strict=True))
    )
    data = given(items)
    assert items.asked == [0]
    assert data.label.kind == "class"
    assert data.sizes() is None
    report = data.open(context())
    assert same(data)
    assert data.labels().tolist() == [0, 1, 2, 0, 1]
    assert [data[number].label for number in range(5)] == [0, 1, 2, 0, 1]
    assert data.sizes().tolist() == [[12, 16]] * 5
    assert list(report.notes) == ["5 images given in Python, 16 x 12 pixels", "3 classes"]
    assert context.calls == [(1, 5, "reading labels"), (5, 5, "reading labels")]


def test_a_data_set_of_torch_without_labels_is_not_passed_over(context):
    items = Items(*STACK)
    data = given(items)
    data.open(context())
    assert set(items.asked) == {0}
    assert same(data)
    assert data.label.kind is None
    assert data.labels() is None
    tuples = given(torch.utils.data.TensorDataset(torch.from_numpy(STACK).permute(0, 3, 1, 2)))
    assert same(tuples)


def test_labels_of_items_may_be_unknown_but_not_absent(context):
    data = given(Items((STACK[0], None), (STACK[1], "b"), (STACK[2], float("nan")), (STACK[3], "a")))
    data.open(context())
    assert data.labels().tolist() == [-1, 1, -1, 0]
    for value in (Items((STACK[0], 1), STACK[1]), [(STACK[0], 1), STACK[1]]):
        with pytest.raises(UserError, match=r"images\[1\] has no label, others have; write None where it is not known"):
            given(value).open(context())


def test_what_is_given_anew_takes_the_place_of_the_old(files, context):
    data = given((files, [1, 2, 3, 4, 5]))
    data.open(context())
    data.give(STACK[:2, :10])
    assert same(data, STACK[:2, :10])
    assert (data.labels(), data.points(), data.sizes().tolist()) == (None, None, [[10, 16]] * 2)
    data.give(Items(*STACK))
    assert data.sizes() is None


def test_labels_of_items_are_passed_over_where_none_are_wanted():
    items = Items(*((image, {"boxes": 1}) for image in STACK))
    assert same(given(items, labeled=False))
    assert given(items, labeled=False).label.kind is None
    with pytest.raises(UserError, match=r"the label of images\[0\] is a dict; expected class numbers"):
        given(items)
    assert same(given(tuple(STACK[:2]), labeled=False), STACK[:2])


def test_points_of_a_data_set_of_torch_shrink_with_it(context):
    items = Items(*((image, [(8, 6)]) for image in STACK[:2]), (STACK[2], []))
    large = Items(*((image.repeat(2, 0).repeat(2, 1), label) for image, label in items.items))
    data = given(large, resize=12, unit="beans")
    data.open(context())
    assert data.sizes().tolist() == [[12, 16]] * 3
    assert [points[:, :2].tolist() for points in data.points()] == [[[4, 3]], [[4, 3]], []]


def test_an_image_that_changes_is_noted(context):
    report = given(Items(1, 2, noise=True)).open(context())
    assert any(note.startswith("images[0] was not the same when it was asked for again") for note in report.notes)


def test_an_item_that_cannot_be_taken_is_said_when_it_is_met(context):
    items = Items((STACK[0], 1), (STACK[1] * 2.0, 0))
    with pytest.raises(UserError, match=r"images\[1\] holds floats from"):
        given(items).open(context())
    with pytest.raises(UserError, match=r"images\[1\] holds floats from"):
        given(items, labeled=False)[1]
    with pytest.raises(UserError, match=r"images\[0\] is a dict; expected a path"):
        given(Items({"image": STACK[0]}))


def test_positions_go_on_from_the_first():
    with pytest.raises(UserError, match=r"images\[65\] is None"):
        FromPython().give([STACK[0], None], first=64)


def test_images_can_be_had_from_several_threads(files, context):
    data = given([Image.open(path) for path in files])
    data.open(context())
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda number: data[number % 5].image, range(200)))
    assert all(np.array_equal(image.permute(1, 2, 0), STACK[n % 5]) for n, image in enumerate(images))


def test_images_can_be_had_in_a_forked_process(files, context):
    data = given([*files, *STACK])
    data.open(context())
    child = os.fork()
    if child == 0:
        os._exit(0 if same(data, np.concatenate([STACK, STACK])) else 1)
    assert os.waitpid(child, 0)[1] == 0
