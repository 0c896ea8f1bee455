"""Folders that are damaged, or made by somebody else, are refused with a sentence, and nothing in them is run."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil

import numpy as np
import pytest

from rankhub import UserError
from rankhub_find import Index
from rankhub_find.kinds import LEAST
from rankhub_find.store import MANIFEST


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder of each kind."""
    root, rng = tmp_path_factory.mktemp("good"), np.random.default_rng(0)
    for kind, count in (("flat", 50), ("hnsw", 300), ("ivfpq", LEAST)):
        rows = rng.normal(size=(count, 8)).astype(np.float32)
        Index.build([f"{number}" for number in range(count)], rows, kind).save(root / kind)
    return root


@pytest.fixture
def folder(good, tmp_path):
    """A copy that may be damaged."""

    def copied(kind):
        return shutil.copytree(good / kind, tmp_path / kind)

    return copied


def refused(folder, said=""):
    with pytest.raises(UserError) as caught:
        Index.open(folder)
    text = str(caught.value)
    assert str(folder) in text
    assert said in text
    assert "\n" not in text


def forge(folder, name, content: bytes):
    """Put other bytes in the place of a file, with a manifest that fits them, as an attacker does."""
    manifest = json.loads((folder / MANIFEST).read_text())
    old = manifest["files"][name]
    digest = hashlib.sha256(content).hexdigest()
    own = f"{name}.{digest[:16]}.{old['name'].rpartition('.')[2]}"
    (folder / own).write_bytes(content)
    manifest["files"][name] = {"name": own, "bytes": len(content), "sha256": digest}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def stored(folder, name, kind):
    manifest = json.loads((folder / MANIFEST).read_text())
    return np.fromfile(folder / manifest["files"][name]["name"], kind)


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivfpq"])
def test_every_file_is_missed_and_every_changed_or_cut_byte_is_seen(folder, kind):
    place = folder(kind)
    for path in sorted(place.iterdir()):
        whole = path.read_bytes()
        path.unlink()
        refused(place)
        path.write_bytes(whole[:-2])
        refused(place)
        middle = 5 if path.name == MANIFEST else len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 64]) + whole[middle + 1 :])
        refused(place)
        path.write_bytes(whole)
    assert Index.open(place).kind == kind


def test_no_pickle_is_read(folder, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    place = folder("flat")
    for name in ("names", "vectors", "alive"):
        forge(place, name, pickle.dumps(Bomb()))
        refused(place)
    (place / MANIFEST).write_bytes(pickle.dumps(Bomb()))
    refused(place, "is damaged")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "vectors.0123456789abcdef.bin/../x", "vectors.bin", ""]
)
def test_a_manifest_names_no_file_outside_its_folder(folder, name):
    place = folder("flat")
    manifest = json.loads((place / MANIFEST).read_text())
    manifest["files"]["vectors"]["name"] = name
    (place / MANIFEST).write_text(json.dumps(manifest))
    refused(place, "is damaged")


def test_a_link_is_not_followed(folder, tmp_path):
    place = folder("flat")
    manifest = json.loads((place / MANIFEST).read_text())
    own = place / manifest["files"]["vectors"]["name"]
    shutil.move(own, tmp_path / "elsewhere")
    own.symlink_to(tmp_path / "elsewhere")
    refused(place, "is not there")


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 10**12},
        {"rows": 49},
        {"rows": -1},
        {"dim": 0},
        {"dim": 9},
        {"kind": "tree"},
        {"kind": "hnsw"},
        {"format": "rankhub index 2"},
        {"extra": 1},
        {"files": {}},
        {"network": {"digest": "x"}},
        {"rows": 2**39, "dim": 2**20},
        {"rows": [50]},
        {"files": []},
        {"kind": None},
        {"network": "run"},
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder, change):
    place = folder("flat")
    manifest = json.loads((place / MANIFEST).read_text())
    (place / MANIFEST).write_text(json.dumps({**manifest, **change}))
    refused(place, "is damaged")


def forged_links(place):
    links = stored(place, "links", np.int32)
    yield "links", np.where(links == links.max(), 10**6, links).astype(np.int32)
    yield "links", np.where(links == 0, -7, links).astype(np.int32)
    yield "links", links[:-1]
    levels = stored(place, "levels", np.int32)
    yield "levels", np.where(levels == levels.max(), 99, levels).astype(np.int32)
    yield "levels", np.zeros_like(levels)
    yield "levels", levels[:-1]
    # A link on a higher level to a row that is not on it: faiss would read behind that row's links.
    high, low = int((levels > 1).argmax()), int((levels == 1).argmax())
    before = int(sum(64 + 32 * (level - 1) for level in levels[:high].tolist()))
    yield "links", np.concatenate([links[: before + 64], [low], links[before + 65 :]]).astype(np.int32)


def test_a_forged_graph_is_refused_before_it_is_walked(folder):
    place = folder("hnsw")
    manifest = (place / MANIFEST).read_text()
    cases = list(forged_links(place))
    assert len(cases) == 7
    for name, array in cases:
        (place / MANIFEST).write_text(manifest)
        forge(place, name, array.tobytes())
        refused(place, "graph")
    (place / MANIFEST).write_text(manifest)
    assert len(Index.open(place)) == 300


def test_forged_lists_are_refused(folder):
    place = folder("ivfpq")
    manifest = (place / MANIFEST).read_text()
    lists, book = stored(place, "lists", np.int32), stored(place, "codebook", np.float32)
    cases = [("lists", lists + 10**6), ("lists", -1 - lists), ("codebook", book * np.nan), ("codebook", book[:-1])]
    cases += [("centroids", book[:3]), ("codes", book.view(np.uint8)[:64])]
    for name, array in cases:
        (place / MANIFEST).write_text(manifest)
        forge(place, name, array.astype(array.dtype).tobytes())
        refused(place, "its ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("names", b"[" * 100_000),
        ("names", json.dumps(["0"] * 50).encode()),
        ("names", json.dumps([0] * 50).encode()),
        ("names", json.dumps(["0"] * 49).encode()),
        ("names", b"\xff" * 50),
        ("alive", bytes([7] * 50)),
        ("alive", bytes([0] * 50)),
        ("vectors", np.full((50, 8), np.nan, np.float32).tobytes()),
    ],
)
def test_forged_content_is_refused(folder, name, content):
    place = folder("flat")
    forge(place, name, content)
    refused(place, "is damaged")


def test_names_that_are_no_text_come_back(tmp_path):
    names = ['a\n,"b', "\udce9.jpg", "日本.png"]
    Index.build(names, np.eye(3, dtype=np.float32)).save(tmp_path / "index")
    assert Index.open(tmp_path / "index").names == names


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"[" * 100_000, b"IxF2" + bytes(60), b"\x93NUMPY\x01\x00"])
def test_a_manifest_of_another_kind_is_refused(folder, content):
    place = folder("flat")
    (place / MANIFEST).write_bytes(content)
    refused(place, "is damaged")


@pytest.mark.parametrize("cut", [4, 40, None])
@pytest.mark.parametrize("name", ["vectors", "levels", "links"])
def test_no_file_of_faiss_or_of_numpy_passes_for_numbers(folder, tmp_path, name, cut):
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexFlatL2(8)
    index.add(np.ones((3, 8), np.float32))
    np.save(tmp_path / "x.npy", np.array([{}]), allow_pickle=True)
    place = folder("hnsw")
    manifest = (place / MANIFEST).read_text()
    for content in (faiss.serialize_index(index).tobytes(), (tmp_path / "x.npy").read_bytes()):
        (place / MANIFEST).write_text(manifest)
        forge(place, name, content[:cut])
        refused(place, "is damaged")


def test_a_size_that_is_declared_is_not_believed(folder):
    place = folder("flat")
    manifest = json.loads((place / MANIFEST).read_text())
    manifest["files"]["vectors"]["bytes"] = 2**39
    (place / MANIFEST).write_text(json.dumps(manifest))
    refused(place, "not 549,755,813,888")
