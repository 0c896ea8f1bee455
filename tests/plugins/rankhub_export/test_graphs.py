"""ONNX and torch.export: one graph from pixels to answers, the same as the run's."""

from __future__ import annotations

import json
import os
import re
import shutil

import numpy as np
import onnx
import pytest
import torch
from helpers.commands import call
from PIL import Image

import rankhub
from rankhub import UserError
from rankhub_export import export, exporting, graphs

CENTER = "{use: center, size: 48, resize: 52}"
CROPS = "{use: crops, size: 48, count: 3}"


@pytest.fixture(scope="module")
def centered(scored, photos, tmp_path_factory):
    """A run whose predict is center, and its ONNX."""
    out = tmp_path_factory.mktemp("centered") / "out"
    export(scored(CENTER), "onnx", out, images=photos)
    return scored(CENTER), out


def process():
    """What belongs to the whole process."""
    return (torch.random.get_rng_state().tolist(), torch.is_grad_enabled(), torch.get_num_threads())


def said_by_card(folder, photo, tmp_path, capsys):
    """What the Python in a card prints, run where the file and a photo.jpg are."""
    (code,) = re.findall(r"```python\n(.+?)```", (folder / "MODEL_CARD.md").read_text(), re.DOTALL)
    assert "rankhub" not in code
    shutil.copytree(folder, tmp_path / "card")
    shutil.copy(photo, tmp_path / "card" / "photo.jpg")
    before = os.getcwd()
    try:
        os.chdir(tmp_path / "card")
        capsys.readouterr()
        exec(compile(code, "card", "exec"), {})
    finally:
        os.chdir(before)
    return capsys.readouterr().out


def test_ten_lines_without_rankhub_score_the_same(centered, photos):
    run, out = centered
    wanted = rankhub.load_run(run).predict([str(photos / "coffee.png")])[0].value
    # ten lines
    import onnxruntime

    image = np.asarray(Image.open(photos / "coffee.png").convert("RGB")).transpose(2, 0, 1)
    session = onnxruntime.InferenceSession(str(out / "model.onnx"))
    answer = session.run(["score"], {"images": image[None]})[0]

    assert answer.shape == (1,)
    assert float(answer[0]) == pytest.approx(wanted, abs=60e-4)  # 1e-4 of the labels, from 0 to 60


def test_the_python_in_a_card_scores_the_same(centered, photos, tmp_path, capsys):
    run, out = centered
    wanted = rankhub.load_run(run).predict([str(photos / "chelsea.png")])[0].value
    assert float(said_by_card(out, photos / "chelsea.png", tmp_path, capsys)) == pytest.approx(wanted, abs=60e-4)


def test_a_graph_takes_any_number_of_images_of_any_size_and_says_what_it_gives(centered):
    _, out = centered
    ask = graphs.read_onnx(out / "model.onnx")
    for shape in ((1, 3, 49, 70), (5, 3, 200, 33)):
        images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        whole = ask(images)
        assert whole["score"].shape == shape[:1]
        assert whole["backbone"].shape == (shape[0], 96)
        one = ask(images[-1:])["score"]
        np.testing.assert_allclose(whole["score"][-1:], one, atol=1e-4)
    notes = {prop.key: prop.value for prop in onnx.load(out / "model.onnx").metadata_props}
    assert notes["rankhub.takes"] == "image [n, 3, H, W] uint8"
    assert json.loads(notes["rankhub.outputs"])[0] == {
        "name": "score",
        "kind": "score",
        "unit": "DMOS",
        "direction": "lower is better",
    }


def test_the_proof_and_the_card_say_what_was_compared(centered):
    run, out = centered
    assert sorted(path.name for path in out.iterdir()) == ["MODEL_CARD.md", "model.onnx", "proof.json"]
    proof = json.loads((out / "proof.json").read_text())
    assert (proof["equal"], proof["tolerance"], len(proof["images"])) == (True, 1e-4, 3)
    rows = {(row["output"], row["compared"]): row for row in proof["differences"]}
    assert set(rows) == {(o, c) for o in ("score", "backbone") for c in ("the image", "in a batch of 2")}
    score = rows["score", "the image"]
    assert score["values"] == 3
    assert score["scale"] == pytest.approx(4 * np.std([0, 20, 40, 60]))
    assert 0 <= score["worst"] <= 1e-4 * score["scale"]
    card = (out / "MODEL_CARD.md").read_text()
    for text in ("DMOS | lower is better", "rankhub_timm/timm", "scored_csv", "The weights are yours", "quality.srocc"):
        assert text in card
    assert str(run.parent) not in card  # where data lie is nobody's business


@pytest.mark.parametrize("pixels", ["uint8", "float"])
def test_crops_are_looped_over_outside(scored, photos, tmp_path, capsys, pixels):
    run, to = scored(CROPS), "onnx" if pixels == "float" else "torch-export"
    done = call(capsys, "export", run, "--to", to, "--out", tmp_path / "out", "--images", photos, "--input", pixels)
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "out" / "proof.json").read_text())["differences"]
    assert {row["compared"] for row in rows} == {"each view", "in a batch of 2", "the image, mean over its views"}
    with Image.open(photos / "astronaut.png") as photo:
        photo.resize((48, 48)).save(tmp_path / "square.png")  # of which every crop is the whole
    wanted = rankhub.load_run(run).predict([str(tmp_path / "square.png")])[0].value
    found = said_by_card(tmp_path / "out", tmp_path / "square.png", tmp_path, capsys)
    assert float(found) == pytest.approx(wanted, abs=60e-4)


def test_a_map_and_its_count_are_those_of_the_whole_image(counted, photos, tmp_path, capsys):
    done = call(
        capsys, "export", counted, "--to", "torch-export", "--out", tmp_path / "out", "--images", photos, "--json"
    )
    assert done.code == 0, done.err
    proof = json.loads(done.out)
    assert {row["output"] for row in proof["differences"]} >= {"count", "density.map", "backbone"}
    found = graphs.read_torch(tmp_path / "out" / "model.pt2", exporting.outputs_of(rankhub.load_run(counted)))
    pixels = np.asarray(Image.open(photos / "coffee.png")).transpose(2, 0, 1)
    wanted = rankhub.load_run(counted).predict([str(photos / "coffee.png")])[0].value
    assert float(found(pixels[None])["count"][0]) == pytest.approx(wanted, rel=1e-3)


def test_what_answers_otherwise_is_not_written(scored, photos, tmp_path, monkeypatch):
    honest = exporting.read_torch

    def wrong(path, outputs):
        ask = honest(path, outputs)
        return lambda images: {name: value * 1.01 + 0.1 for name, value in ask(images).items()}

    monkeypatch.setattr(exporting, "read_torch", wrong)
    before = process()
    with pytest.raises(UserError, match=r"does not answer as the run does: score .* nothing was written"):
        export(scored(CENTER), "torch-export", tmp_path / "out", images=photos)
    assert list(tmp_path.iterdir()) == []
    assert process() == before


def test_without_the_extra_it_is_named(scored, photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(graphs, "find_spec", lambda name: None if name == "onnxscript" else name)
    done = call(capsys, "export", scored(CENTER), "--to", "onnx", "--out", tmp_path / "out", "--images", photos)
    assert done.code == 2
    assert "pip install 'rankhub[export]'" in done.err
    assert done.err.count("\n") == 1


def test_images_that_a_graph_does_not_take_prove_nothing(counted, tmp_path):
    (tmp_path / "small").mkdir()
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "small" / "a.png")
    with pytest.raises(UserError, match="no image to compare on"):
        export(counted, "torch-export", tmp_path / "out", images=tmp_path / "small")


def test_what_the_exporters_say_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"^ONNX cannot hold this network: .*; export it as torch-export$"):
        graphs.write_onnx(None, tmp_path / "x.onnx", None, [])
    (tmp_path / "x.onnx").write_bytes(b"xx")
    with pytest.raises(UserError, match=r"^the written x\.onnx cannot be loaded: No graph was found in the protobuf"):
        graphs.read_onnx(tmp_path / "x.onnx")
