"""A new user's afternoon: photos are trained on and searched, scores are learned, audited and taken elsewhere."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from helpers.commands import call
from helpers.papers import SMALL
from PIL import Image


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder with 40 photos, of which the last is a copy of the first."""
    generator = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(40):
        rough = Image.fromarray(generator.integers(0, 256, (6, 7, 3), np.uint8))
        rough.resize((120, 100), Image.Resampling.BILINEAR).save(tmp_path / "photos" / f"{number:02d}.png")
    (tmp_path / "photos" / "39.png").write_bytes((tmp_path / "photos" / "00.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # where caches go
    return tmp_path


def did(capsys, *arguments):
    """What a command that went well says."""
    done = call(capsys, *arguments)
    assert done.code == 0, f"{arguments}: {done.out}{done.err}"
    return done


def looked_at(file):
    """What a browser has to say against a file: errors, and what it asks of a network. Without a browser it is read."""
    text = file.read_text()
    assert "retrieval" in text
    assert text.rstrip().endswith("</html>")
    try:
        from helpers.label_browser import FOUND, launched
    except pytest.skip.Exception:
        return []
    if FOUND is None:
        return []
    said = []
    with launched() as chromium:
        page = chromium.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
        page.on("request", lambda one: None if one.url.startswith(("file:", "data:")) else said.append(one.url))
        page.goto(file.as_uri())
        page.locator(".chart svg.main-svg").first.wait_for()
    return said


def test_photos_are_trained_on_embedded_indexed_and_searched(home, capsys):
    did(capsys, "run", "s2r2_folder", "data.photos.root=photos", *SMALL["s2r2_folder"], "--out", "runs/photos")
    did(capsys, "report", "runs/photos", "--out", "report.html")
    assert looked_at(home / "report.html") == []
    did(capsys, "embed", "runs/photos", "photos", "--out", "vectors")
    vectors = np.load("vectors/embeddings.npy")
    assert len(vectors) == 40
    assert np.array_equal(vectors[0], vectors[39])
    did(capsys, "index", "runs/photos", "photos", "--out", "photos.index")
    found = did(capsys, "search", "photos.index", "photos/07.png", "-k", 3, "--sheet", "found.png", "--json")
    first = json.loads(found.out)[0]
    assert (first["similarity"], first["path"]) == (1.0, str(home / "photos" / "07.png"))
    with Image.open("found.png") as sheet:
        sheet.verify()
    groups = json.loads(did(capsys, "duplicates", "photos.index", "--above", 1, "--json").out)
    assert [(row["group"], row["path"]) for row in groups] == [
        (1, str(home / "photos" / "00.png")),
        (1, str(home / "photos" / "39.png")),
    ]


def test_scores_are_learned_predicted_audited_and_the_same_without_rankhub(home, capsys):
    small = [*SMALL["quality_quickstart"], "predict={use: center, size: 64}"]
    did(capsys, "run", "quality_quickstart", *small, "--out", "runs/quality")
    did(capsys, "predict", "runs/quality", "photos", "--out", "scores.csv")
    did(capsys, "audit", "runs/quality", "photos", "--out", "audit", "--limit", 2)
    assert json.loads((home / "audit" / "audit.json").read_text())["images"] == 2
    did(capsys, "export", "runs/quality", "--to", "onnx", "--out", "quality.onnx")
    with (home / "scores.csv").open(newline="") as file:
        ours = {row["path"]: float(row["score"]) for row in csv.DictReader(file)}
    assert len(ours) == 40
    import onnxruntime

    session = onnxruntime.InferenceSession("quality.onnx/model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for name, score in ours.items():
        pixels = np.asarray(Image.open(f"photos/{name}").convert("RGB")).transpose(2, 0, 1)[None]
        answers = session.run(None, {session.get_inputs()[0].name: pixels})
        theirs = float(answers[names.index("score")].ravel()[0])
        assert theirs == pytest.approx(score, abs=2e-4)  # 1e-4 of the labels' range, which is 2
