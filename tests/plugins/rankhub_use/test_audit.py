"""`rankhub audit`: scorers of which it is known what must come out, against a slow count of pairs."""

from __future__ import annotations

import csv
import json
from itertools import combinations

import numpy as np
import pytest
from helpers.commands import call
from helpers.counted import COUNTED
from PIL import Image

import rankhub
from rankhub_use.findings import Findings
from rankhub_use.ordered import judged, orders_of

METRICS = """
import numpy as np
calls = []

def sharpness(image):
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    calls.append(1)
    grey = image.astype(float).mean(2)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())

def reversed_sharpness(image):
    return -sharpness(image)

def constant(image):
    return 3

def left_half(image):
    return float(image[:, : image.shape[1] // 2].mean())

def nothing(image):
    return float("nan")
"""

BLUR = ("--generator", "distortions", "--option", "set=[{kind: gaussian_blur, levels: [0.6, 1.2, 2.4]}]")

NESTED = ("--option", "size=24", "--option", "crops=3", "--option", "smallest=8")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a module of scorers and five photos, one of which is none."""
    monkeypatch.chdir(tmp_path)
    name = f"metrics_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(METRICS)
    (tmp_path / "photos").mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 48 + number, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "photos" / "broken.png").write_text("no image")
    return name


def write_onnx(path, operator, shape=("n", 3, "h", "w"), domain="", **options):
    """A file of one operator on an image."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto
    nodes = [helper.make_node(operator, ["image"], ["said"], domain=domain, **options)]
    given = helper.make_tensor_value_info("image", kind.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [given], [helper.make_tensor_value_info("said", kind.FLOAT, None)])
    domains = {domain: 1, "": 13}
    imports = [helper.make_opsetid(*one) for one in domains.items()]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)


def audited(capsys, *arguments):
    done = call(capsys, "audit", *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_blur_is_ranked_right_by_sharpness_wrong_by_its_negative_and_not_by_a_constant(here, capsys):
    for name, expected in (("sharpness", (1, 0, 0)), ("reversed_sharpness", (0, 0, 1)), ("constant", (0, 1, 0))):
        found = audited(capsys, f"{here}:{name}", "photos", *BLUR)
        kind, every = found["kinds"]
        assert (kind["kind"], every["kind"]) == ("gaussian_blur", "all")
        assert (kind["right"], kind["ties"], kind["wrong"]) == expected
        assert kind["pairs"] == 4 * 6  # four photos, each with 4 levels
    turned = audited(capsys, f"{here}:reversed_sharpness", "photos", *BLUR, "--lower-is-better")
    assert turned["kinds"][0]["right"] == 1
    assert "lower is better: 100.0 %" in turned["verdict"]
    assert "other way" in audited(capsys, f"{here}:reversed_sharpness", "photos", *BLUR)["verdict"]


def test_what_moves_a_score_is_told_and_what_does_not(here, capsys):
    moved = {row["change"]: row for row in audited(capsys, f"{here}:left_half", "photos", *BLUR)["invariance"]}
    assert moved["flip"]["mean"] > moved["jpeg95"]["mean"] > moved["batch"]["most"] == 0
    still = audited(capsys, f"{here}:constant", "photos", *BLUR)["invariance"]
    assert all(row["most"] == row["mean_of_spread"] == 0 for row in still)


def test_folder_page_figure_and_tables_agree_and_are_the_same_again(here, capsys, tmp_path):
    command = ("audit", f"{here}:left_half", "photos", "--generator", "distortions", "--option", "set=live")
    assert call(capsys, *command, "--out", "found").code == 0
    with (tmp_path / "found" / "kinds.csv").open(newline="") as file:
        kinds = {row["kind"]: float(row["right"]) for row in csv.DictReader(file)}
    assert set(kinds) == {"gaussian_blur", "gaussian_noise", "jpeg", "jpeg2000", "all"}
    report = json.loads((tmp_path / "found" / "audit.json").read_text())
    assert {row["kind"]: row["right"] for row in report["kinds"]} == pytest.approx(kinds)
    for kind in kinds.keys() - {"all"}:
        own = [row for row in report["levels"] if row["kind"] == kind]
        mean = sum(row["right"] * row["pairs"] for row in own) / sum(row["pairs"] for row in own)
        assert mean == pytest.approx(kinds[kind])
    assert "gaussian_noise" in (tmp_path / "found" / "audit.md").read_text()
    assert Image.open(tmp_path / "found" / "audit.png").size[0] > 500
    assert "broken.png" in (tmp_path / "found" / "scores_skipped.csv").read_text()
    assert call(capsys, *command, "--out", "again").code == 0
    for path in (tmp_path / "found").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name
    assert call(capsys, *command, "--out", "other", "--seed", 1).code == 0  # noise is drawn anew
    name = "scores.jsonl"
    assert (tmp_path / "found" / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_one_goes_on_where_one_stopped(here, capsys, tmp_path, monkeypatch):
    command = ("audit", f"{here}:sharpness", "photos", *BLUR, "--out")
    assert call(capsys, *command, "whole").code == 0
    metrics = __import__(here)
    plain, seen = metrics.sharpness, []

    def stopped(image):
        seen.append(1)
        if len(seen) == 20:
            raise KeyboardInterrupt
        return plain(image)

    with monkeypatch.context() as patched:
        patched.setattr(metrics, "sharpness", stopped)
        assert call(capsys, *command, "part").code == 130
    assert (tmp_path / "part" / "scores.jsonl.partial").read_text().count("\n") == 2
    before = len(metrics.calls)
    assert call(capsys, *command, "part", "--resume").code == 0
    assert len(metrics.calls) - before == 2 * 8  # of two photos: 1 + 3 + 4 versions
    for name in ("scores.jsonl", "kinds.csv", "levels.csv", "audit.png"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_run_is_audited_by_its_recipes_own_generator_and_direction(place, capsys):
    found = audited(capsys, place / "run", place / "photos", "--limit", 3)
    assert [row["kind"] for row in found["kinds"]] == ["gaussian_blur", "all"]
    assert found["images"] == 3
    assert [step["use"] for step in found["generator"]] == ["rankhub_quality/distortions"]  # crops make no order
    assert found["direction"] == "higher is better"
    more = audited(capsys, place / "run", place / "photos", "--generator", "nested_crops", *NESTED)
    assert [row["kind"] for row in more["kinds"]] == ["nested", "all"]


def test_an_onnx_file_scores_as_the_function_that_it_is(here, capsys, tmp_path):
    write_onnx(tmp_path / "mean.onnx", "ReduceMean", axes=[1, 2, 3], keepdims=0)
    (tmp_path / f"{here}2.py").write_text("def mean(image):\n    return (image / 255.0).mean()\n")
    options = ("photos", "--generator", "distortions", "--option", "set=[{kind: gaussian_noise, levels: [9, 30, 60]}]")
    found, same = audited(capsys, "mean.onnx", *options), audited(capsys, f"{here}2:mean", *options)
    assert found["kinds"] == same["kinds"]
    assert found["images"] == same["images"] == 4
    flip = {row["change"]: row["most"] for row in found["invariance"]}["flip"]
    assert flip < 1e-6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "photos"), "is no scorer"),
        (("{here}:gone", "photos"), "cannot be imported"),
        (("{here}:nothing", "photos"), "must give a finite number"),
        (("{here}:sharpness", "nowhere"), "there is no file or folder nowhere"),
        (("{here}:sharpness", "photos/broken.png"), "1 of 1 images have no answer"),
        (("{here}:sharpness", "photos", "--generator", "random_views", "--option", "size=9"), "puts no order"),
        (("{here}:sharpness", "photos", "--option", "set=live"), "--option goes with --generator"),
        (("{here}:sharpness", "photos", "--set", "device=cpu"), "go with a run's folder"),
        (("gone.onnx", "photos"), "there is no file gone.onnx"),
        (("{here}:sharpness", "photos", "--out", "photos"), "--out photos holds other things, such as 0.png"),
        (("{here}:sharpness", "photos", "--limit", "0"), "--limit 0 is not a whole number, at least 1"),
        (("{here}:sharpness", "photos", "--seed", "x"), "--seed x is not a whole number"),
    ],
)
def test_mistakes_are_sentences(here, capsys, arguments, sentence):
    done = call(capsys, "audit", *(argument.format(here=here) for argument in arguments))
    assert done.code == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1


def slow(kinds, levels, scores):
    """Every two versions, one after the other."""
    found = {}
    for a, b in combinations(range(len(kinds)), 2):
        if kinds[a] != kinds[b]:
            continue
        over = all(x >= y for x, y in zip(levels[a], levels[b], strict=True))
        under = all(x <= y for x, y in zip(levels[a], levels[b], strict=True))
        if over == under:  # equal, or neither
            continue
        above, below = (a, b) if over else (b, a)
        share = found.setdefault((kinds[a], levels[above], levels[below]), [0, 0, 0])
        share[0] += 1
        share[1] += scores[above] > scores[below]
        share[2] += scores[above] == scores[below]
    return found


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_those_of_a_slow_count(columns, seed):
    draw = np.random.default_rng(seed)
    kinds = draw.integers(0, 3, 14).tolist()
    levels = [tuple(row) for row in draw.integers(0, 4, (14, columns)).astype(float).tolist()]
    scores = draw.integers(0, 5, 14).astype(float).tolist()
    row = {"kinds": kinds, "levels": levels, "scores": scores, "plain": 0.0, "flip": 1.0, "jpeg95": -2.0, "batch": 0.0}
    found = Findings.of([row], True)
    assert {pair: [one.pairs, one.right, one.ties] for pair, one in found.pairs.items()} == slow(kinds, levels, scores)
    assert found.spread == pytest.approx(np.std([0.0, *scores]))
    turned = [-verdict for _, verdict in judged(kinds, levels, scores, higher_is_better=False)]
    assert turned == [verdict for _, verdict in judged(kinds, levels, scores)]


def test_versions_of_an_image_follow_from_image_name_and_seed():
    orders = orders_of([{"use": "distortions", "set": "live"}, {"use": "random_crops", "size": 16}])
    assert len(orders.steps) == 1
    image = np.random.default_rng(0).integers(0, 256, (3, 40, 40), np.uint8)
    kept = image.copy()
    first, again, other = (orders.views(image, name, 0) for name in ("a", "a", "b"))
    assert all(np.array_equal(x[2], y[2]) for x, y in zip(first, again, strict=True))
    assert not all(np.array_equal(x[2], y[2]) for x, y in zip(first, other, strict=True))
    assert np.array_equal(image, kept)
    assert rankhub.list_components("generator")


def test_a_name_may_be_of_any_bytes(here, capsys, tmp_path):
    (tmp_path / "photos" / "0.png").rename(tmp_path / "photos" / b"\xff=\n.png".decode("utf-8", "surrogateescape"))
    done = call(capsys, "audit", f"{here}:sharpness", "photos", *BLUR, "--out", "found")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "found" / "scores.jsonl").read_text().splitlines()]
    assert rows[-1]["path"] == "\\xff=\n.png"


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (None, "cannot be loaded: No graph was found in the protobuf; write it anew"),
        ({"operator": "Unknown", "domain": "elsewhere"}, "cannot be loaded: elsewhere:Unknown(-1) is not a registered"),
        ({"operator": "Identity"}, "gives [1, 3, 40, 48] for 1 images; it must give one number an image"),
        ({"operator": "Reshape", "shape": (3, 3, "h", "w")}, "cannot be loaded"),
        ({"operator": "Identity", "shape": (3, 3, "h", "w")}, "takes exactly 3 images at a time"),
        ({"operator": "Identity", "shape": ("n", 1, "h", "w")}, "it takes image, tensor(float) ['n', 1, 'h', 'w']"),
        ({"operator": "DepthToSpace", "blocksize": 2}, "cannot compute with pixels [1, 3, 40, 48]: DepthToSpace: "),
    ],
)
def test_what_onnxruntime_objects_to_is_a_sentence(here, capfd, tmp_path, model, sentence):
    if model is None:
        (tmp_path / "x.onnx").write_bytes(b"xx")
    else:
        write_onnx(tmp_path / "x.onnx", **model)
    done = call(capfd, "audit", "x.onnx", "photos", *BLUR)
    assert done.code == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert "[ONNXRuntimeError]" not in done.err


def test_a_count_is_not_called_better(here, capsys, tmp_path):
    run = tmp_path / "run"
    rankhub.train(COUNTED, out=run, progress=False)
    found = audited(capsys, run, "photos", "--generator", "nested_crops", *NESTED)
    assert found["direction"] == "higher is more"
    assert found["verdict"].startswith("higher is more: ")
    assert "better" not in json.dumps({**found, "generator": None})
    turned = call(capsys, "audit", run, tmp_path / "photos", "--lower-is-better")
    assert "a run knows which way its numbers run" in turned.err


def test_what_is_infinite_is_null_in_json(here, capsys, tmp_path):
    (tmp_path / f"{here}3.py").write_text("def corner(image):\n    return float(image[0, 0, 0] > image[0, -1, 0])\n")
    Image.fromarray(np.tile(np.arange(48, dtype=np.uint8)[None, :, None], (40, 1, 3)) * 5).save(tmp_path / "ramp.png")
    found = audited(capsys, f"{here}3:corner", "ramp.png", *BLUR)
    assert {row["change"]: (row["most"], row["most_of_spread"]) for row in found["invariance"]}["flip"] == (1, None)
