"""The verbs over the images of a table that `rankhub pack` made, as a user calls them: what the files give."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from helpers.commands import call, stopping
from helpers.launched import forked
from helpers.packed import break_row, pack_folder
from PIL import Image

from rankhub_lance import Store
from rankhub_use.sources import sources

lance, pa = pytest.importorskip("lance"), pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def packed(place):
    """Photos of several kinds below ``many``: see-through, turned, without a mark, animated; and tables of them."""
    folder = place / "many"
    (folder / "deep" / "er").mkdir(parents=True)
    turned = Image.Exif()
    turned[0x0112] = 6
    for number, photo in enumerate(sorted((place / "photos").glob("*.png"))):
        image = Image.open(photo)
        if number == 2:
            image.putalpha(90)
            image.save(folder / "deep" / photo.name)
        elif number == 3:
            image.save(folder / "deep" / "er" / "03.jpg", exif=turned)
        elif number == 4:
            image.save(folder / "04.tga")
        elif number == 5:
            image.convert("L").save(folder / "05.gif", save_all=True, append_images=[Image.new("L", image.size)])
        else:
            (folder / photo.name).write_bytes(photo.read_bytes())
    pack_folder(folder, place / "many.lance", classes=False, portion_rows=5)
    pack_folder(folder, place / "broken.lance", classes=False)
    break_row(place / "broken.lance", 6)
    return place


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def run(capsys, *arguments, code=0):
    done = call(capsys, *arguments)
    assert done.code == code, done.out + done.err
    return done


def test_a_table_gives_what_its_files_give(packed, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(packed)
    said = []
    for kind, source in (("folder", "many"), ("table", "many.lance")):
        out = tmp_path / kind
        out.mkdir()
        said.append(run(capsys, "predict", "run", source, "--out", out / "of.csv", "--pictures", out / "drawn"))
        run(capsys, "embed", "run", source, "--out", out / "vectors")
    ours, theirs = tmp_path / "table", tmp_path / "folder"
    for name in ("of.csv", "vectors/embeddings.npy", "vectors/index.csv"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()
    assert len(read(ours / "of.csv")) == 12
    wanted = [line.replace("folder", "table") for line in said[0].out.splitlines()]
    assert said[1].out.splitlines() == wanted  # what is remarked of images too
    found = json.loads((ours / "of.csv.json").read_text())
    assert list(found["sources"]["places"]) == [str(packed / "many.lance")]


def test_a_table_of_pixels_gives_what_these_pixels_give(packed, capsys, tmp_path):
    pack_folder(packed / "many", tmp_path / "small.lance", classes=False, resize=24)
    small = tmp_path / "small"
    for row in lance.dataset(str(tmp_path / "small.lance")).to_table().to_pylist():
        path = small / f"{row['id']}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.frombuffer(row["image"], np.uint8).reshape(3, row["height"], row["width"])
        Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(path)
    found = []
    for source in (tmp_path / "small.lance", small):
        run(capsys, "predict", packed / "run", source, "--out", tmp_path / f"{source.name}.csv")
        found.append({row["path"].removesuffix(".png"): row["score"] for row in read(tmp_path / f"{source.name}.csv")})
    plain = {name.removesuffix(".png"): score for name, score in found[0].items()}
    assert plain == {name.removesuffix(".png"): score for name, score in found[1].items()}
    assert len(set(plain.values())) == 12


def test_a_row_that_holds_no_image_is_left_out_and_the_others_are_not(packed, capsys, tmp_path):
    run(capsys, "predict", packed / "run", packed / "many.lance", "--out", tmp_path / "all.csv")
    run(capsys, "predict", packed / "run", packed / "broken.lance", "--out", tmp_path / "rest.csv")
    rows = read(tmp_path / "all.csv")
    assert read(tmp_path / "rest.csv") == rows[:6] + rows[7:]
    (skipped,) = read(tmp_path / "rest_skipped.csv")
    assert (skipped["path"], skipped["kind"]) == (rows[6]["path"], "broken")


def test_tables_rows_files_and_lists_stand_in_one_order(packed, monkeypatch):
    monkeypatch.chdir(packed)
    names = [one.name for one in sources(["many.lance"])]
    assert [one.name for one in sources(["many"])] == names
    (packed / "list.txt").write_text("many.lance/deep/02.png\nmany.lance/gone.png\nmany.lance\n")
    found = list(sources(["photos/00.png", "many.lance/04.tga"], "list.txt"))
    assert [one.name for one in found] == [
        "photos/00.png",
        "many.lance/04.tga",
        "many.lance/deep/02.png",
        "many.lance/gone.png",
        *(f"many.lance/{name}" for name in names),
    ]
    assert [one.place is None for one in found[:4]] == [True, False, False, True]
    assert found[1].path == str(packed / "many.lance" / "04.tga")
    assert len({id(one.place) for one in found if one.place}) == 1  # opened once
    assert [one.name for one in sources(["many.lance/04.tga"])] == ["many.lance/04.tga"]


def test_a_folder_that_holds_a_table_has_no_images_of_it(packed, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (30, 30)).save(tmp_path / "photos" / "a.png")
    pack_folder(packed / "many", tmp_path / "photos" / "many.lance", classes=False)
    assert [one.name for one in sources([tmp_path / "photos"])] == ["a.png"]


def test_what_is_done_is_gone_on_with_unless_the_table_is_another(packed, capsys, tmp_path, monkeypatch):
    table, out = tmp_path / "many.lance", tmp_path / "scores.csv"
    pack_folder(packed / "many", table, classes=False)
    command = ("predict", packed / "run", table, "--batch-size", 2, "--out")
    run(capsys, *command, tmp_path / "whole.csv")
    with monkeypatch.context() as patched:
        stopping(patched, 3)
        run(capsys, *command, out, code=130)
    lance.dataset(str(table)).add_columns({"other": "height * 2"})  # a version whose images are the same
    done = run(capsys, *command, out, "--resume", "--json")
    assert "6 of 12 images are done already" in done.err
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    out.unlink()
    with monkeypatch.context() as patched:
        stopping(patched, 3)
        run(capsys, *command, out, code=130)
    break_row(table, 11)
    refused = run(capsys, *command, out, "--resume", code=2)
    assert "sources is not as when" in refused.err


def test_two_processes_share_a_table(packed, capsys, tmp_path):
    """Written is what one writes; places go to the others by pickle."""
    command = ("predict", packed / "run", packed / "broken.lance", "--set", "threads=1", "--out")
    alone, together = tmp_path / "1.csv", tmp_path / "2.csv"
    run(capsys, *command, alone)
    code, said = forked(2, *command, together, cwd=packed)
    assert code == 0, said
    assert alone.read_bytes() == together.read_bytes()
    assert (tmp_path / "1_skipped.csv").read_bytes() == (tmp_path / "2_skipped.csv").read_bytes()


def test_an_audit_of_a_table_finds_what_one_of_its_files_finds(packed, capsys, tmp_path):
    found = []
    for source in ("many", "many.lance"):
        done = run(capsys, "audit", packed / "run", packed / source, "--limit", 5, "--out", tmp_path / source, "--json")
        found.append(json.loads(done.out) | {"out": ""})
    assert found[0] == found[1]
    assert (tmp_path / "many" / "scores.jsonl").read_bytes() == (tmp_path / "many.lance" / "scores.jsonl").read_bytes()


def without(*names):
    """Takes columns away."""
    return lambda table: table.drop_columns(list(names))


def with_ids(ids):
    """Gives the rows other ids."""
    return lambda table: table.set_column(0, "id", pa.array(ids))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without("id"), "it has no column 'id', it has image, height"),
        (without("image"), "it has no column 'image'"),
        (with_ids(range(12)), "its column 'id' holds int64, not text"),
        (with_ids(["a", "b", "b", *"cdefghijk"]), "2 of its rows have the id 'b'"),
        (with_ids([None, "", *"abcdefghij"]), "2 of its 12 rows have no id"),
        (lambda table: table[:0], "it has no row"),
    ],
)
def test_a_table_that_names_no_images_is_a_sentence(packed, capsys, tmp_path, change, sentence):
    pack_folder(packed / "many", tmp_path / "many.lance", classes=False)
    table = lance.dataset(str(tmp_path / "many.lance"))
    lance.write_dataset(change(table.to_table()), table.uri, mode="overwrite")
    done = run(capsys, "predict", packed / "run", tmp_path / "many.lance", code=2)
    assert f"the table {tmp_path}/many.lance cannot be taken as images: {sentence}" in done.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["many.lance/gone.png"], "many.lance has no image gone.png; it has 12, such as 00.png"),
        (["xyz://photos/all"], "no plugin reads images at xyz://photos/all; the address of a table ends in its name"),
        (["xyz://photos/all.lance"], "xyz://photos/all.lance: the table could not be had"),
        (["many.lance", "--pictures", "many.lance"], "--pictures many.lance holds the images themselves"),
        (["many.lance", "--pictures", "many.lance/drawn"], "--pictures many.lance/drawn holds the images themselves"),
        (["begun.lance"], "begun.lance is not whole: it is being packed, or that was interrupted"),
    ],
)
def test_mistakes_are_sentences(packed, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(packed)
    if "begun.lance" in arguments:
        pack_folder(packed / "many", packed / "begun.lance", classes=False)
        lance.dataset("begun.lance").update_config({"rankhub.packing": "{}"})
    done = run(capsys, "predict", "run", *arguments, code=2)
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_a_table_that_goes_away_ends_the_work_and_what_is_done_stays(packed, capsys, tmp_path, monkeypatch):
    out = tmp_path / "scores.csv"
    command = ("predict", packed / "run", packed / "many.lance", "--batch-size", 2, "--out", out)
    monkeypatch.setattr("rankhub_pack.place.BLOCK_BYTES", 1)  # a row a block
    monkeypatch.setattr("rankhub_use.reading.cores", lambda: 1)
    asked, plain = [], Store.ask

    def away(store, what, call):
        if what.startswith("rows 8 "):
            asked.append(what)
            call = lambda: lance.dataset(str(tmp_path / "gone"))  # noqa: E731
        return plain(store, what, call)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "ask", away)
        done = run(capsys, *command, code=2)
    assert asked
    assert "many.lance: rows 8 to 8 could not be had" in done.err
    assert done.err.count("error:") == 1
    assert "--resume goes on with them" in done.out + done.err
    run(capsys, *command, "--resume")
    run(capsys, *command[:-1], tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
