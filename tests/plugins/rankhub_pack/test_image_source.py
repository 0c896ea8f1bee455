"""The images of a packed table as a place: which paths stand for them, how they are read, what is held of them."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.commands import call
from helpers.packed import break_row, pack_folder, rewritten

import rankhub
from rankhub_data.decode import UndecodableError, decode
from rankhub_lance import Rows
from rankhub_pack import place as places
from rankhub_pack.image_source import LanceSource
from rankhub_use.predict import _below
from rankhub_use.reading import read_blocks
from rankhub_use.sources import files_for

lance = pytest.importorskip("lance")


@pytest.fixture
def asked(monkeypatch):
    """The rows that were read, in order."""
    spans, plain = [], Rows.span

    def span(rows, start, stop):
        spans.append(range(start, stop))
        return plain(rows, start, stop)

    monkeypatch.setattr(Rows, "span", span)
    return spans


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("photos.lance", ("photos.lance", "")),
        ("./photos.lance//", ("./photos.lance", "")),
        ("{here}/photos.lance/cat/000.jpg", ("{here}/photos.lance", "cat/000.jpg")),
        ("photos.lance/no/such.jpg", ("photos.lance", "no/such.jpg")),
        ("file://{here}/photos.lance/a", ("{here}/photos.lance", "a")),
        ("link/cat/000.jpg", ("link", "cat/000.jpg")),
        ("photos.lance/data", None),
        ("photos", None),
        ("photos/cat/000.jpg", None),
        ("gone.lance", None),
        ("a\0b", None),
        ("", None),
        ("s3://bucket/deep/photos.lance", ("s3://bucket/deep/photos.lance", "")),
        ("s3://bucket/photos.lance/a/b.lance/c.jpg", ("s3://bucket/photos.lance", "a/b.lance/c.jpg")),
        ("s3://bucket.lance/photos.lance/", ("s3://bucket.lance/photos.lance", "")),
        ("s3://bucket/photos", None),
        ("s3://photos.lance", None),
    ],
)
def test_a_table_and_what_lies_below_it_are_its_places(photos, packed, tmp_path, monkeypatch, text, found):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("photos.lance")
    wanted = None if found is None else tuple(part.format(here=tmp_path) for part in found)
    assert LanceSource().split(text.format(here=tmp_path)) == wanted


def test_rows_are_the_images_of_the_files_in_any_order_by_any_process(photos, packed):
    place = pickle.loads(pickle.dumps(LanceSource().open(str(packed))))
    assert (place.uri, len(place.names)) == (str(packed), 24)
    assert list(place.names) == [place.names[row] for row in range(24)] == sorted(place.names)
    for cut in (slice(3, 9), slice(20, 99), slice(None, None, -2), slice(9, 3)):
        assert list(place.names[cut]) == list(place.names)[cut]
    for row in [*range(24), *np.random.default_rng(0).permutation(24).tolist()]:
        pixels, remark = place.read(row)
        wanted, remarked, _ = decode((photos / place.names[row]).read_bytes(), ".jpg")
        assert np.array_equal(pixels, wanted)
        assert remark == remarked
        pixels[:] = 0  # it is the caller's own


@pytest.mark.parametrize("resize", [None, 8])
def test_what_is_held_is_bounded_and_neighbours_are_read_together_once(
    packed, photos, tmp_path, asked, monkeypatch, resize
):
    if resize is not None:
        pack_folder(photos, tmp_path / "small.lance", resize=resize)
    table = packed if resize is None else tmp_path / "small.lance"
    image = 3 * 16 * 17 if resize is None else 3 * 8 * 9
    monkeypatch.setattr(places, "BLOCK_BYTES", 4 * image)
    monkeypatch.setattr(places, "KEPT_BYTES", 2500)
    place = LanceSource().open(str(table))
    for row in range(24):
        assert row in place.span(row)
        assert len(place.span(row)) <= 5
    with ThreadPoolExecutor(4) as pool:
        for row, (pixels, _) in enumerate(pool.map(place.read, range(24))):
            assert pixels.shape[0] == 3, row
        held = sum(found.result().nbytes for found in list(place._kept.values())[:-1])
    assert held <= 2500 + 4 * 900
    whole = [rows for rows in asked if len(rows) > 1]
    assert len(set(whole)) == len(whole)
    assert len(asked) <= len(whole) + 2
    assert {row for rows in asked for row in rows} == set(range(24))


def test_rows_far_from_one_another_are_read_alone(packed, asked, monkeypatch):
    monkeypatch.setattr(places, "BLOCK_BYTES", 4 * 3 * 16 * 17)
    place = LanceSource().open(str(packed))
    for row in (1, 9, 17):
        place.read(row)
    assert asked == [range(1, 2), range(9, 10), range(17, 18)]


def test_a_row_without_an_image_says_so_and_a_version_stays(packed):
    place = LanceSource().open(str(packed))
    before = place.read(3)[0]
    break_row(packed, 3)
    later = LanceSource().open(str(packed))
    assert later.version != place.version
    with pytest.raises(UndecodableError, match="not an image format"):
        later.read(3)
    assert np.array_equal(place.read(3)[0], before)
    rewritten(packed, lambda rows: [row | {"image": None} for row in rows])
    with pytest.raises(UndecodableError, match="its row holds nothing"):
        LanceSource().open(str(packed)).read(0)


def test_pixels_of_another_number_than_their_size_are_no_image(photos, tmp_path):
    pack_folder(photos, tmp_path / "small.lance", resize=8)
    rewritten(tmp_path / "small.lance", lambda rows: [row | {"image": row["image"][:-1]} for row in rows])
    with pytest.raises(UndecodableError, match=r"its row holds 191 bytes, not pixels \[3, 8, 8\]"):
        LanceSource().open(str(tmp_path / "small.lance")).read(0)


def test_a_table_of_others_is_read_if_it_names_its_images(photos, tmp_path):
    import pyarrow as pa

    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    content = [(photos / name).read_bytes() for name in names]
    lance.write_dataset(pa.table({"id": names, "image": content}), str(tmp_path / "own.lance"))
    (block, *_) = read_blocks(files_for([str(tmp_path / "own.lance")], None), 24)
    for name, pixels in zip(names, block.images, strict=True):
        assert np.array_equal(pixels, decode((photos / name).read_bytes())[0])


def test_a_table_without_pylance_is_the_sentence_that_says_what_to_install(packed, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lance", None)
    with pytest.raises(rankhub.UserError, match=r"pip install 'rankhub\[lance\]'"):
        files_for([str(packed)], None)


RECIPE = """
name: tiny
data: {{photos: {{use: image_folder, root: {root}, labels: folder}}}}
backbone: {{use: timm, model: test_resnet, stem: small}}
heads: {{score: {{use: score}}}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  ranked:
    data: photos
    batch_size: 2
    generator: [{{use: distortions, set: [{{kind: gaussian_blur, levels: [1, 2]}}]}}, {{use: random_crops, size: 16}}]
    objectives: [{{use: margin_ranking, head: score}}]
steps: 1
threads: 1
device: cpu
predict: {{use: center, size: 16}}
"""


def test_a_table_in_an_object_store_is_predicted_as_its_folder_is(photos, packed, tmp_path, capsys, monkeypatch):
    pytest.importorskip("moto")
    from tools.local_s3 import KEYS, LocalS3

    server = LocalS3()
    endpoint = {"AWS_ENDPOINT": server.address, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    for name, value in {**KEYS, **endpoint}.items():
        monkeypatch.setenv(name, value)
    try:
        pack_folder(photos, "s3://photos/photos.lance", options=server.options)
        rankhub.train(RECIPE.format(root=photos), out=tmp_path / "run", progress=False)
        for source, out in ((photos, "folder.csv"), ("s3://photos/photos.lance", "table.csv")):
            done = call(capsys, "predict", tmp_path / "run", source, "--out", tmp_path / out)
            assert done.code == 0, done.err
        assert (tmp_path / "table.csv").read_bytes() == (tmp_path / "folder.csv").read_bytes()
        row, file = "s3://photos/photos.lance/cat/000.jpg", photos / "cat" / "000.jpg"
        done = call(capsys, "predict", tmp_path / "run", row, file, "--pictures", tmp_path / "drawn")
        assert done.code == 0, done.err
        _, first, second = done.out.splitlines()[:3]
        assert first.replace(row, "") == second.replace(str(file), "")
        gone = call(capsys, "predict", tmp_path / "run", "s3://photos/gone.lance")
        assert (gone.code, "there is no Lance table s3://photos/gone.lance" in gone.err) == (2, True)
    finally:
        server.stop()


def test_names_that_lead_elsewhere_are_drawn_below_the_folder():
    assert _below("../../a/./b\0.png") == "__/__/a/./b_.png"
    assert _below("/a/b.png") == "a/b.png"
