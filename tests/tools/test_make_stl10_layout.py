from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rankhub.interfaces.data import OpenContext
from rankhub_data.stl10 import Stl10


@pytest.fixture(scope="session")
def tool(repo):
    spec = importlib.util.spec_from_file_location("make_stl10_layout", repo / "tools" / "make_stl10_layout.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def photo(path: Path, width: int, height: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR).save(path)


@pytest.fixture
def source(tmp_path) -> Path:
    """Twenty train images of two classes, two test images of one, three unlabeled; wide, tall, small, large."""
    root = tmp_path / "source"
    for number in range(20):
        photo(root / "train" / ("dog" if number % 4 else "cat") / f"{number:02}.png", 96 + 8 * number, 96, number)
    for number in range(2):
        photo(root / "test" / "dog" / f"{number}.png", 96, 150, 30 + number)
    for number, size in enumerate([(40, 50), (300, 200), (96, 96)]):
        photo(root / "unlabeled" / "deep" / f"{number}.png", *size, 40 + number)
    return root


@pytest.fixture
def opened(tmp_path):
    def make(**options) -> Stl10:
        data = Stl10(root=str(tmp_path / "out"), **options)
        assert data.missing() is None
        data.open(OpenContext(tmp_path / "cache", 0, lambda *_: None))
        return data

    return make


def test_loader_reads_what_the_tool_writes(tool, source, tmp_path, opened, capsys):
    assert tool.main([str(source), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == (f"wrote 20 train, 2 test, 3 unlabeled images to {tmp_path}/out/stl10_binary\n")
    train, test, unlabeled = (opened(split=split) for split in ("train", "test", "unlabeled"))
    assert (len(train), len(test), len(unlabeled)) == (20, 2, 3)
    assert train.label.classes == ("cat", "dog")
    assert train.labels().tolist() == [0] * 5 + [1] * 15
    assert test.labels().tolist() == [1, 1]


def test_the_centre_is_kept_where_the_size_fits(tool, source, tmp_path, opened):
    tool.main([str(source), str(tmp_path / "out")])
    with Image.open(source / "train" / "cat" / "04.png") as image:  # 128 x 96
        expected = np.asarray(image)[:, 16:112].transpose(2, 0, 1)
    assert (opened(split="train")[1].image.numpy() == expected).all()
    with Image.open(source / "unlabeled" / "deep" / "2.png") as image:
        assert (opened(split="unlabeled")[2].image.numpy() == np.asarray(image).transpose(2, 0, 1)).all()


def test_larger_and_smaller_images_are_scaled(tool, source, tmp_path, opened):
    tool.main([str(source), str(tmp_path / "out")])
    images = opened(split="unlabeled")
    for row, name in ((0, "0.png"), (1, "1.png")):
        with Image.open(source / "unlabeled" / "deep" / name) as image:
            scale = 96 / min(image.size)
            whole = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
        left, top = (whole.width - 96) // 2, (whole.height - 96) // 2
        expected = np.asarray(whole)[top : top + 96, left : left + 96].transpose(2, 0, 1).astype(int)
        assert abs(images[row].image.numpy() - expected).max() <= 2


def test_folds_are_stratified_and_seeded(tool, source, tmp_path):
    labels = np.repeat([1, 2, 3], [50, 100, 3])
    folds = tool.folds(labels, seed=0)
    assert len(folds) == 10
    for fold in folds:
        assert np.bincount(labels[fold])[1:].tolist() == [10, 20, 1]
        assert (np.diff(fold) > 0).all()
    assert len({tuple(fold) for fold in folds}) == 10
    assert all((a == b).all() for a, b in zip(folds, tool.folds(labels, seed=0), strict=True))
    assert any((a != b).any() for a, b in zip(folds, tool.folds(labels, seed=1), strict=True))


def test_folds_can_be_loaded(tool, source, tmp_path, opened):
    tool.main([str(source), str(tmp_path / "out"), "--seed", "3"])
    for fold in (0, 9):
        assert np.bincount(opened(split="train", fold=fold).labels()).tolist() == [1, 3]


def test_broken_images_are_skipped_and_named(tool, source, tmp_path, opened, capsys):
    (source / "train" / "cat" / "00.png").write_bytes(b"broken")
    assert tool.main([str(source), str(tmp_path / "out")]) == 0
    assert "skipped cat/00.png: not an image format" in capsys.readouterr().err
    assert opened(split="train").labels().tolist() == [0] * 4 + [1] * 15


def test_test_and_unlabeled_may_be_left_out(tool, source, tmp_path, opened):
    (source / "test").rename(tmp_path / "away")
    (source / "unlabeled").rename(tmp_path / "away2")
    assert tool.main([str(source), str(tmp_path / "out")]) == 0
    assert len(opened(split="train")) == 20
    assert "no unlabeled_X.bin" in Stl10(root=str(tmp_path / "out"), split="unlabeled").missing()


def spoil_test_class(source):
    photo(source / "test" / "bird" / "x.png", 96, 96, 0)


def spoil_loose(source):
    photo(source / "train" / "loose.png", 96, 96, 0)


def spoil_all_unlabeled(source):
    for path in (source / "unlabeled" / "deep").iterdir():
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda source: (source / "train").rename(source / "training"), "there is no folder {source}/train"),
        (lambda source: (source / "test" / "dog").rename(source / "dog"), "there is no image under {source}/test"),
        (spoil_test_class, "{source}/test/bird is a class that {source}/train does not have"),
        (spoil_loose, "{source}/train/loose.png lies in no class folder"),
        (spoil_all_unlabeled, "none of the images in {source}/unlabeled can be read, such as deep/2.png"),
        (lambda source: (source.parent / "out" / "stl10_binary").mkdir(parents=True), "exists already"),
        (lambda source: (source.parent / "out").touch(), "Not a directory"),
    ],
)
def test_errors_are_a_sentence_and_leave_nothing(tool, source, tmp_path, capsys, spoil, sentence):
    spoil(source)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert tool.main([str(source), str(tmp_path / "out")]) == 2
    assert sentence.format(source=source) in capsys.readouterr().err
    after = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    assert after - {Path("out")} == set(before) - {Path("out")}


def test_real_photos(tool, real_images, tmp_path, opened):
    source = tmp_path / "source"
    source.mkdir()
    for split in ("train", "test"):
        (source / split).symlink_to(real_images / "tinyimagenet" / "test", target_is_directory=True)
    assert tool.main([str(source), str(tmp_path / "out")]) == 0
    assert np.bincount(opened(split="test").labels()).tolist() == [50] * 10
