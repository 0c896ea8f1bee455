"""The verb: what is in the file, whatever is damaged, gone or foreign in a run's folder."""

from __future__ import annotations

import json
import re
import shutil
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.commands import call
from PIL import Image

from rankhub_report import verb
from rankhub_report.charts import apart, spread
from rankhub_report.kept import read_run, step_of
from rankhub_report.seen import laid_out, lowest_precision
from rankhub_report.worst import guesses, largest_errors

from .conftest import HOSTILE

pytest.importorskip("plotly", reason="plotly, which draws the charts, is not installed")


class Elements(HTMLParser):
    """Counts what stands in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def charts_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_a_run_with_its_data_has_every_part(capsys, run, tmp_path):
    out = tmp_path / "report.html"
    done = call(capsys, "report", run, "--out", out, "--json")
    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert summary["bytes"] == out.stat().st_size <= verb.LIMIT
    assert summary["notes"] == []
    text = out.read_text()
    for part in ("what", "results", "curves", "answers", "worst", "map", "sheets", "views", "recipes"):
        assert f'<section id="{part}">' in text or part == "sheets", part  # the only sheet is a scatter
    found = charts_of(text)
    landscape = next(chart for chart in found["charts"].values() if chart["kind"] == "map")
    assert len(landscape["thumbs"]) == 8
    assert landscape["lines"][0]["value"] == [10.0 * number for number in range(8)]
    loss = next(chart for chart in found["charts"].values() if chart["kind"] == "lines")
    assert loss["lines"][0]["x"] == [1, 2]
    elsewhere = [
        value for _, given in Elements(text).tags for key, value in given.items()
        if key in ("src", "href") and not value.startswith(("data:", "#"))
    ]  # fmt: skip
    assert elsewhere == []


def test_runs_stand_side_by_side_under_names_of_their_own(capsys, run, tmp_path):
    out = tmp_path / "two.html"
    assert call(capsys, "report", run, run, "--out", out, "--no-data").code == 0
    text = out.read_text()
    assert len(charts_of(text)["charts"]["c0"]["lines"]) == 2
    assert "copy [1]" in text
    assert "copy [2]" in text


def test_a_run_whose_data_are_gone_says_so_and_the_rest_stands(capsys, run, tmp_path):
    resolved = run / "recipe.resolved.yaml"
    resolved.write_text(re.sub(r"root: .*", f"root: {tmp_path}/gone", resolved.read_text()))
    done = call(capsys, "report", run, "--out", tmp_path / "report.html")
    assert done.code == 0
    assert "What needs the data and the network is left out" in done.out
    text = (tmp_path / "report.html").read_text()
    assert '<section id="map">' not in text
    assert '<section id="worst">' in text
    assert "no picture" in text


def test_an_interrupted_run_shows_what_it_measured(capsys, run, tmp_path):
    (run / "results.csv").unlink()
    shutil.rmtree(run / "evaluation" / "after_training")
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text(lines[0] + "\n" + lines[1][:20])
    assert call(capsys, "report", run, "--out", tmp_path / "report.html", "--no-data").code == 0
    text = (tmp_path / "report.html").read_text()
    assert "stopped after step 1 of 2" in text
    assert "before training" in text
    assert "1 lines of metrics.jsonl are damaged" in text


def hostile(run) -> None:
    """Put a stranger's text wherever a run's folder has text."""
    with (run / "recipe.resolved.yaml").open("a") as file:
        file.write(f"# {HOSTILE}\n")
    start = json.loads((run / "start.json").read_text())
    start["recipe"] |= {"name": HOSTILE + "\ud800", "description": HOSTILE, "backbone": {"use": HOSTILE}}
    (run / "start.json").write_text(json.dumps(start))
    (run / "lock.json").write_text(
        json.dumps({"overrides": [HOSTILE], "libraries": {HOSTILE: HOSTILE}, "python": HOSTILE})
    )
    (run / "metrics.jsonl").write_text(json.dumps({"step": 1, HOSTILE: 1.0, "loss": 1e999}) + "\n")
    quoted = HOSTILE.replace('"', '""')
    (run / "results.csv").write_text(f'"","{quoted}"\n"{quoted}","{quoted}"\n')
    table = run / "evaluation" / "after_training" / "quality_images.csv"
    table.write_text(f'image,kind,score,predicted\n"{quoted}","{quoted}",1,2\n"{quoted}",b,1,nan\n')
    (run / "evaluation" / "after_training" / "metrics.json").write_text(
        json.dumps(
            {HOSTILE: {"metrics": {HOSTILE: 1.0}, "notes": [HOSTILE, 3]}, "b": [], "c": {"metrics": [], "notes": 1}}
        )
    )
    name = HOSTILE.replace("/", "")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(run / "pictures" / name)
    (run / "pictures" / "broken.png").write_bytes(b"\x89PNG no")


def test_nothing_that_a_stranger_wrote_becomes_part_of_the_page(capsys, run, tmp_path):
    hostile(run)
    odd = run.rename(run.with_name("<script>boom()<.script>"))
    assert call(capsys, "report", odd, "--out", tmp_path / "report.html", "--no-data").code == 0
    text = (tmp_path / "report.html").read_text()
    tags = Elements(text).tags
    assert sum(tag == "script" for tag, _ in tags) == 3
    assert not [given for _, given in tags if any(key.startswith("on") for key in given)]
    assert "boom()" in text  # it is there, as text
    assert "<" not in re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1]
    drawn = json.dumps(charts_of(text)["charts"])
    assert "<img" not in drawn  # plotly would read it
    assert "script-src 'sha256-" in text


def test_links_that_lead_out_of_the_folder_are_not_followed(run, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("image,score,predicted\nsecret,1,2\n")
    (run / "evaluation" / "after_training" / "z.csv").symlink_to(secret)
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").symlink_to(secret)
    found = read_run(run)
    assert "z" not in found.tables
    assert found.curves == {}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{tmp}"], "is no run's folder"),
        (["{run}", "--out", "{tmp}"], "is a folder; name a file"),
        (["{run}", "--out", "{tmp}/there.html"], "is there already"),
        (["{run}", "--map", "umap"], "is not one of pca, tsne, none"),
        (["{run}", "--images", "2"], "--images 2 is not a whole number from 3 to 5,000"),
    ],
)
def test_bad_input_is_one_sentence(capsys, run, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.html").write_text("mine")
    done = call(capsys, "report", *(text.format(run=run, tmp=tmp_path) for text in arguments))
    assert done.code == 2
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1
    assert (tmp_path / "there.html").read_text() == "mine"


def test_without_the_charting_library_the_extra_is_named(capsys, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    done = call(capsys, "report", run, "--out", tmp_path / "report.html")
    assert done.code == 2
    assert "pip install 'rankhub[report]'" in done.err
    assert not (tmp_path / "report.html").exists()


def test_ctrl_c_leaves_no_file(capsys, run, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rankhub_report.seen.see", interrupted)
    assert call(capsys, "report", run, "--out", tmp_path / "report.html").code == 130
    assert not (tmp_path / "report.html").exists()


def test_a_file_over_the_limit_loses_detail_and_says_which(capsys, run, tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    Image.fromarray(pixels).save(run / "pictures" / "noise.png")
    out = tmp_path / "report.html"
    assert call(capsys, "report", run, "--out", out, "--no-data").code == 0
    monkeypatch.setattr(verb, "LIMIT", out.stat().st_size - 1)
    done = call(capsys, "report", run, "--out", out, "--no-data", "--force")
    assert done.code == 0
    assert "at most 720 pixels wide" in done.out
    assert out.stat().st_size <= verb.LIMIT
    monkeypatch.setattr(verb, "LIMIT", 1000)
    assert call(capsys, "report", run, "--out", out, "--force", "--no-data").code == 2


def test_the_worst_are_those_of_the_largest_error():
    rows = [{"image": str(n), "score": "0", "predicted": str((-1) ** n * n)} for n in range(30)]
    found = largest_errors(guesses({"t": [*rows, {"image": "x", "score": "nan", "predicted": "1"}]})["t"])
    assert [one.image for one in found] == [str(n) for n in range(29, 9, -1)]


def test_average_precision_agrees_with_its_definition():
    draw = np.random.default_rng(0)
    table, labels = draw.normal(size=(12, 4)), np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, -1])
    found = {bad.image: bad.words for bad in lowest_precision(table, labels, [str(n) for n in range(12)])}
    assert set(found) == {str(n) for n in range(10)}  # neither the single one nor that without a class
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    for query in range(10):
        order = sorted((n for n in range(12) if n != query), key=lambda n: -unit[query] @ unit[n])
        hits = [place for place, n in enumerate(order, 1) if labels[n] == labels[query]]
        value = np.mean([number / place for number, place in enumerate(hits, 1)])
        assert found[str(query)] == f"average precision {value:.3f}"


@pytest.mark.parametrize("how", ["pca", "tsne"])
def test_a_map_is_the_same_every_time_and_takes_features_that_are_all_equal(how):
    table = np.random.default_rng(1).normal(size=(20, 6))
    first, second = laid_out(table, how)[0], laid_out(table, how)[0]
    assert first.shape == (20, 2)
    assert np.array_equal(first, second)
    assert "one place" in laid_out(np.ones((5, 3)), how)[1]


def test_curves_keep_their_ends_and_pictures_their_distance():
    kept = spread(10_001, 1500)
    assert len(kept) <= 1500
    assert (kept[0], kept[-1]) == (0, 10_000)
    assert spread(3, 1500) == [0, 1, 2]
    assert [at for *_, at in apart([[0, 0], [0, 0], [1, 1]])] == [0, 2]
    assert sorted(["after_training", "step_10", "step_9", "before_training"], key=step_of)[1:] == [
        "step_9", "step_10", "after_training",
    ]  # fmt: skip
