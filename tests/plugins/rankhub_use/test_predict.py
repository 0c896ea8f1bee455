"""`rankhub predict` as a user calls it, on a run made by `rankhub run`."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.commands import call, call_outside, stopping
from helpers.tiny_recipes import QUICK
from PIL import Image

import rankhub
from rankhub import Run

RECIPE = """
name: tiny
data:
  scored: {{use: scored_csv, root: {root}/scored, higher_is_better: false, unit: DMOS}}
backbone: {{use: timm, model: test_resnet, stem: small}}
heads:
  score: {{use: score}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  labeled:
    data: scored
    batch_size: 6
    generator:
    - {{use: random_crops, size: 24}}
    objectives:
    - {{use: mse, head: score}}
steps: 3
predict: {{use: crops, count: 3, size: 24}}
evaluate:
- {{use: quality, data: scored}}
"""


def photo(path, seed, side=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side + 5, 3), np.uint8)).save(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on eight scored images, and three photos that it has never seen."""
    root = tmp_path_factory.mktemp("predict")
    for number in range(8):
        photo(root / "scored" / f"{number}.png", number)
    rows = [f"{number}.png,{10 * number}" for number in range(8)]
    (root / "scored" / "labels.csv").write_text("\n".join(["path,score", *rows]) + "\n")
    for number, name in enumerate(("b.png", "a.png", "deep/c.png")):
        photo(root / "photos" / name, 100 + number, 30 + number)
    (root / "tiny.yaml").write_text(RECIPE.format(root=root))
    return root


@pytest.fixture(scope="module")
def trained(run):
    from rankhub_cli.main import execute

    assert execute(["run", str(run / "tiny.yaml"), f"loader.cache={run}/cache", "--out", str(run / "out")]) == 0
    return run


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_folder_gets_one_score_an_image_and_the_same_again(trained, capsys):
    out = trained / "scores.csv"
    done = call(capsys, "predict", trained / "out", trained / "photos", "--out", out)
    assert done.code == 0, done.err
    rows = read(out.read_text())
    assert [row["path"] for row in rows] == ["a.png", "b.png", "deep/c.png"]
    assert "score: DMOS, lower is better" in done.out
    assert "3 images" in done.out
    # On the data set's own scale: labels are 0 to 70, while inside they are negative.
    assert all(-100 < float(row["score"]) < 200 and float(row["score"]) > -35 for row in rows)
    printed = call(capsys, "predict", trained / "out", trained / "photos")
    assert read(printed.out) == rows
    # Alone in another folder, an image gets the same score to the last bit.
    alone = trained / "alone"
    photo(alone / "x.png", 101, 31)
    assert read(call(capsys, "predict", trained / "out", alone).out)[0]["score"] == rows[0]["score"]


def test_images_that_are_skipped_are_named(trained, capsys, tmp_path):
    photo(tmp_path / "photos" / "good.png", 1)
    (tmp_path / "photos" / "broken.jpg").write_text("no image")
    done = call(capsys, "predict", trained / "out", tmp_path / "photos", "--out", tmp_path / "scores.csv")
    assert done.code == 0
    assert [row["path"] for row in read((tmp_path / "scores.csv").read_text())] == ["good.png"]
    (table,) = tmp_path.glob("scores_*.csv")
    assert "broken.jpg" in table.read_text()
    assert str(table) in done.out  # on one line, to be copied
    assert "broken.jpg" in call(capsys, "predict", trained / "out", tmp_path / "photos").err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "photos"), "is no run's folder"),
        (("out", "nothing"), "there is no file or folder nothing"),
        (("out", "photos", "--out", "tiny.yaml"), "is there already"),
        (("out", "photos", "--out", "no/where.csv"), "there is no folder"),
        (("out", "photos", "--set", "predict.size=64"), "3 of 3 images"),
        (("out", "photos", "--out", "photos", "--force"), "is a folder"),
        (("out", "photos", "--out", "/proc/x.csv"), "/proc/x.csv cannot be written"),
        (("out", "photos", "--out", "scores.new", "--pictures", "tiny.yaml"), "--pictures tiny.yaml cannot be written"),
        (("out", "photos", "--out", f"{'a' * 256}.csv"), "File name too long"),
        (("out", "photos", "--out", "scores.new", "--pictures", "photos"), "--pictures photos holds the images"),
        (("out", "photos", "--out", "scores.new", "--pictures", "photos/."), "holds the images themselves"),
        (("out", "photos/a.png", "--out", "scores.new", "--pictures", "photos"), "holds the images themselves"),
        (("out", "photos", "--set", "predict.size=64", "--pictures", "drawn"), "3 of 3 images"),
        (("out", "photos", "--batch-size", "many"), "--batch-size many is not a whole number, at least 1"),
        (("out", "photos", "--set", "predict.count=no"), "predict.count"),
        (("out", "photos", "--set", "heads.score.hidden=7"), "do not fit"),
    ],
)
def test_mistakes_are_sentences(trained, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(trained)
    if "/proc/x.csv" in arguments or "tiny.yaml" in arguments[-1:]:
        monkeypatch.setattr(Run, "answers", None)  # nothing is computed before
    there = sorted(trained.iterdir())
    done = call(capsys, "predict", *arguments)
    assert done.code == 2
    assert sorted(trained.iterdir()) == there
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_one_image_that_does_not_suit_is_listed_and_the_others_are_answered(trained, capsys, tmp_path):
    photo(tmp_path / "photos" / "a.png", 1)
    photo(tmp_path / "photos" / "icon.png", 2, 16)
    alone = tmp_path / "alone"
    photo(alone / "a.png", 1)
    done = call(capsys, "predict", trained / "out", tmp_path / "photos", "--out", tmp_path / "scores.csv")
    assert done.code == 0, done.err
    (row,) = read((tmp_path / "scores.csv").read_text())
    assert [row] == read(call(capsys, "predict", trained / "out", alone).out)
    (skipped,) = read((tmp_path / "scores_skipped.csv").read_text())
    assert (skipped["path"], skipped["kind"]) == ("icon.png", "unsuited")
    assert "21 x 16 pixels" in skipped["reason"]
    assert "enlarge" in skipped["remedy"]
    with rankhub.load_run(trained / "out") as opened:
        (answer,) = opened.predict(tmp_path / "photos")  # a folder, which is read as the verb does
        assert answer.path == "a.png"
        with pytest.raises(rankhub.UserError, match="smaller than the crop"):
            opened.predict([np.zeros((16, 16, 3), np.uint8)])  # given, and not passed over without a word


ODD = [b"caf\xe9.png", "größe.png".encode(), b"price_$5^_$.png", b"=1+1.png", b"a" * 251 + b".png", b"two\nlines.png"]


@pytest.mark.parametrize("locale", [None, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_names_of_any_bytes_stand_in_a_table_in_utf8_whatever_the_locale(trained, capsys, tmp_path, locale):
    (tmp_path / "photos").mkdir()
    for name in ODD:
        with open(os.path.join(os.fsencode(tmp_path), b"photos", name), "wb") as file:
            Image.new("RGB", (40, 40)).save(file, "PNG")
    out = tmp_path / ("b" * 251 + ".csv")

    def called(*arguments):
        return call(capsys, *arguments) if locale is None else call_outside(*arguments, cwd=tmp_path, **locale)

    done = called("predict", trained / "out", tmp_path / "photos", "--out", out)
    assert done.code == 0, done.err
    expected = {name.decode("utf-8", "backslashreplace") for name in ODD}
    assert {
        row["path"] for row in csv.DictReader(io.StringIO(out.read_bytes().decode("utf-8"), newline=""))
    } == expected
    printed = called("predict", trained / "out", tmp_path / "photos")
    assert printed.code == 0, printed.err
    assert "caf\\xe9.png" in printed.out
    assert "größe.png" in printed.out


def test_what_is_done_is_kept_and_gone_on_with(trained, capsys, tmp_path, monkeypatch):
    photos, whole, out = tmp_path / "photos", tmp_path / "whole.csv", tmp_path / "scores.csv"
    for number in range(9):
        photo(photos / f"{number}.png", 200 + number, 30)
    (photos / "2.png").write_text("no image")
    (photos / "8.png").write_text("no image")
    command = ("predict", trained / "out", photos, "--batch-size", 2, "--out")
    assert call(capsys, *command, whole).code == 0
    with monkeypatch.context() as patched:
        stopping(patched, 3)
        done = call(capsys, *command, out)
    assert done.code == 130
    partial = tmp_path / "scores.csv.partial"
    assert not out.exists()
    assert f"the first 5 rows are in {partial}; --resume goes on" in done.out
    refused = call(capsys, *command, out)
    assert refused.code == 2
    assert "--resume goes on with it, --force begins anew" in refused.err
    other = call(capsys, *command, out, "--resume", "--set", "predict.count=2")
    assert other.code == 2
    assert "changes, predict are not as when" in other.err
    with partial.open("ab") as file:
        file.write(b"6.png,0.12")  # a kill amid a row
    resumed = call(capsys, *command, out, "--resume", "--json")
    assert resumed.code == 0, resumed.err
    assert "6 of 9 images are done already" in resumed.err
    summary = json.loads(resumed.out)
    assert (summary["images"], summary["skipped"]) == (7, 2)
    assert out.read_bytes() == whole.read_bytes()
    assert (tmp_path / "scores_skipped.csv").read_bytes() == (tmp_path / "whole_skipped.csv").read_bytes()
    assert not list(tmp_path.glob("*.partial"))
    assert call(capsys, *command, out, "--resume").code == 2  # it is complete


def test_what_was_there_stays_until_another_is_complete(trained, capsys, tmp_path, monkeypatch):
    out = tmp_path / "scores.csv"
    command = ("predict", trained / "out", trained / "photos", "--out", out, "--batch-size", 1)
    assert call(capsys, *command).code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with monkeypatch.context() as patched:
        stopping(patched, 1)
        assert call(capsys, *command, "--force").code == 130
    assert {path: path.read_bytes() for path in before} == before
    assert call(capsys, *command, "--force").code == 0
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_full_disk_leaves_no_half_table(trained, capsys, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, hard))
    try:
        done = call(capsys, "predict", trained / "out", trained / "photos", "--out", tmp_path / "scores.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.code == 2
    assert "make room and try again" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_beside_says_what_a_score_means(trained, capsys, tmp_path):
    command = ("predict", trained / "out", trained / "photos", "--set", "device=cpu", "--out")
    assert call(capsys, *command, tmp_path / "s.jsonl").code == 0
    found = json.loads((tmp_path / "s.jsonl.json").read_text())
    (meaning,) = found["columns"].values()
    assert (meaning["unit"], meaning["direction"]) == ("DMOS", "lower is better")
    assert meaning["mean"] == pytest.approx(35)  # of 0, 10 ... 70, on the data set's own scale
    assert meaning["std"] == pytest.approx(np.std(np.arange(0, 80, 10)))
    assert (found["images"], found["recipe"], found["changes"]) == (3, "tiny", ["device=cpu"])
    assert found["predict"]["count"] == 3
    assert found["weights"]["file"].endswith((".safetensors", ".pt"))
    assert call(capsys, *command, tmp_path / "s.csv").code == 0
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [(one["path"], str(one["score"])) for one in rows] == [
        (one["path"], one["score"]) for one in read((tmp_path / "s.csv").read_text())
    ]


def test_files_lists_and_overrides_in_one_call_keep_their_order(trained, capsys, tmp_path):
    photo(tmp_path / "a=b.png", 7)
    names = [tmp_path / "a=b.png", trained / "photos" / "b.png", tmp_path / "gone.png", trained / "photos" / "a.png"]
    (tmp_path / "list.txt").write_text("\n".join(map(str, names[1:])))
    done = call(capsys, "predict", trained / "out", names[0], "--from", tmp_path / "list.txt", "--set", "device=cpu")
    assert done.code == 0, done.err
    assert [row["path"] for row in read(done.out)] == [str(names[0]), str(names[1]), str(names[3])]
    assert "gone.png, unreadable, no such file or directory" in done.err


def test_names_that_a_spreadsheet_would_compute_can_be_disarmed(trained, capsys, tmp_path):
    names = ["=1+1.png", "+a.png", "-a.png", "@a.png", "plain.png"]
    for name in names:
        photo(tmp_path / "photos" / name, 1)
    plain = call(capsys, "predict", trained / "out", tmp_path / "photos")
    assert sorted(row["path"] for row in read(plain.out)) == sorted(names)
    safe = call(capsys, "predict", trained / "out", tmp_path / "photos", "--safe-csv")
    assert {row["path"] for row in read(safe.out)} == {*(f"'{name}" for name in names[:4]), "plain.png"}
    assert [row["score"] for row in read(safe.out)] == [row["score"] for row in read(plain.out)]  # numbers stay


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("use: rankhub_quality/quality", "use: gone_plugin/judge"),
        ("use: rankhub_ranking/mse", "use: gone_plugin/loss"),
        ("use: rankhub_optim/adamw", "use: gone_plugin/moves"),
        ("use: rankhub_ranking/random_crops", "use: gone_plugin/views"),
        ("use: rankhub_quality/scored_csv", "use: gone_plugin/data"),
        ("callbacks: []", "callbacks: [{use: gone_plugin/watch}]"),
    ],
)
def test_a_plugin_that_is_gone_and_that_answers_do_without_is_no_reason_to_refuse(trained, capsys, tmp_path, old, new):
    run = tmp_path / "run"
    shutil.copytree(trained / "out", run)
    text = (run / "recipe.resolved.yaml").read_text()
    assert old in text
    (run / "recipe.resolved.yaml").write_text(text.replace(old, new))
    done = call(capsys, "predict", run, trained / "photos")
    assert done.code == 0, done.err
    assert "no plugin is called 'gone_plugin'" in done.err
    assert "answers do without it" in done.err
    assert done.out == call(capsys, "predict", trained / "out", trained / "photos").out
    for needed in ("use: rankhub_timm/timm", "use: rankhub_quality/score", "use: rankhub_views/crops"):
        (run / "recipe.resolved.yaml").write_text(text.replace(needed, "use: gone_plugin/part"))
        assert call(capsys, "predict", run, trained / "photos").code == 2


def test_another_test_time_leaves_the_defaults_of_the_one_before_behind(trained, capsys):
    done = call(capsys, "predict", trained / "out", trained / "photos", "--set", "predict.use=whole")
    assert done.code == 2
    assert "predict={use: whole}" in done.err  # count and size were set by hand, and whole has neither
    run = rankhub.load_run(trained / "out", overrides=["predict={use: whole}"])
    text = run.recipe.resolved_text()
    again = rankhub.load_recipe(text, ["predict.use=crops", "predict.size=24"]).resolved()["predict"]
    assert (again["use"], again["size"]) == ("rankhub_views/crops", 24)
    assert "max_side" not in again
    with pytest.raises(rankhub.UserError, match="unknown option 'max_side'"):  # set by hand
        rankhub.load_recipe(text, ["predict.use=crops", "predict.size=24", "predict.max_side=null"])


def test_a_network_without_a_score_says_so(tmp_path, capsys):
    quick = ["steps=1", "evaluate=[]", *QUICK]
    assert call(capsys, "run", "quickstart", *quick, "--out", tmp_path / "run").code == 0
    photo(tmp_path / "photos" / "a.png", 1)
    done = call(capsys, "predict", tmp_path / "run", tmp_path / "photos")
    assert done.code == 2
    assert "no head of this run gives one number an image" in done.err
    assert ").embed(images)" in done.err


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_that_is_no_number_is_listed_and_not_written(trained, capsys, tmp_path, monkeypatch, value):
    real = Run.answers

    def broken(run, *given):
        for answer in real(run, *given):
            outputs = {name: tensor * (value if answer.index == 1 else 1) for name, tensor in answer.outputs.items()}
            yield replace(answer, outputs=outputs)

    monkeypatch.setattr(Run, "answers", broken)
    out = tmp_path / "scores.csv"
    done = call(capsys, "predict", trained / "out", trained / "photos", "--out", out)
    assert done.code == 0, done.err
    assert [row["path"] for row in read(out.read_text())] == ["a.png", "deep/c.png"]
    (row,) = read((tmp_path / "scores_skipped.csv").read_text())
    assert row["path"] == "b.png"
    assert f"the network gives it the backbone {value}" in row["reason"]
    both = (trained / "photos" / "b.png", trained / "photos" / "deep" / "c.png")
    assert call(capsys, "embed", trained / "out", *both[::-1], "--out", tmp_path / "vectors").code == 0
    assert len(np.load(tmp_path / "vectors" / "embeddings.npy")) == 1
