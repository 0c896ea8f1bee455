"""Counting as a user does it: `rankhub run` on annotated photos, then `rankhub predict` with pictures."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from helpers.commands import call
from PIL import Image

RECIPE = """
name: tiny_counting
data:
  labeled: {{use: points, root: {root}/photos, annotations: points.csv, part: train, labels: 4, unit: beans}}
  unlabeled: {{like: labeled, part: unlabeled}}
  test: {{like: labeled, part: held_out}}
backbone: {{use: timm, model: test_resnet, stride: 8}}
heads:
  density: {{use: density}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  labeled:
    data: labeled
    batch_size: 4
    generator:
    - {{use: scaled_crops, size: 32, smallest: 24, largest: 48, flip: 0.5}}
    objectives:
    - {{use: density_mse, head: density, output: map, sigma: 4}}
    - {{use: l1, head: density, output: count, weight: 0.1}}
  ranked:
    data: unlabeled
    batch_size: 2
    generator:
    - {{use: nested_crops, size: 32, smallest: 8, crops: 3}}
    objectives:
    - {{use: margin_ranking, head: density, output: count, margin: 0}}
steps: 3
predict: {{use: tiles, size: 64}}
evaluate:
- {{use: counting, data: test, pictures: 1}}
- {{use: ranking_accuracy, stream: ranked, data: test, output: density.count}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Ten photos of some beans each, and a run on four of them."""
    from rankhub_cli.main import execute

    root = tmp_path_factory.mktemp("counting")
    (root / "photos").mkdir()
    rng = np.random.default_rng(0)
    rows = ["path,x,y"]
    for number in range(10):
        pixels = rng.integers(0, 60, (90, 120, 3), np.uint8)
        beans = rng.integers(4, 86, (3 + number, 2))
        for y, x in beans:
            pixels[y - 2 : y + 3, x - 2 : x + 3] = 220
        rows += [f"{number}.png,{x + 0.5},{y + 0.5}" for y, x in beans]
        Image.fromarray(pixels).save(root / "photos" / f"{number}.png")
    (root / "photos" / "points.csv").write_text("\n".join(rows) + "\n")
    (root / "tiny.yaml").write_text(RECIPE.format(root=root))
    assert execute(["run", str(root / "tiny.yaml"), "--out", str(root / "out")]) == 0
    return root


def test_the_run_reports_counts_and_draws_them(run):
    metrics = json.loads((run / "out/evaluation/after_training/metrics.json").read_text())
    counting = metrics["counting"]["metrics"]
    assert {"mae", "rmse", "relative_error", "game1", "game2", "game3"} <= set(counting)
    assert counting["game1"] >= counting["mae"]
    names = {path.name for path in (run / "out/evaluation/after_training").glob("counting_*")}
    assert {"counting_images.csv", "counting_scatter.png", "counting_overlay_worst.png"} <= names
    assert 0 <= metrics["ranking_accuracy"]["metrics"]["accuracy"] <= 1
    labels = json.loads((run / "out/labels.json").read_text())["labeled"]
    assert labels["unit"] == "beans"
    assert labels["density"] == pytest.approx(labels["mean"] / (90 * 120))


def test_a_folder_gets_counts_and_pictures(run, capsys, tmp_path):
    out, drawn = tmp_path / "counts.csv", tmp_path / "drawn"
    done = call(capsys, "predict", run / "out", run / "photos", "--out", out, "--pictures", drawn)
    assert done.code == 0
    rows = list(csv.DictReader(out.open()))
    assert [row["path"] for row in rows] == [f"{number}.png" for number in range(10)]
    assert "count: number of beans" in done.out
    assert "10 pictures" in done.out
    assert {path.name for path in drawn.iterdir()} == {f"{number}.png.png" for number in range(10)}
    with Image.open(drawn / "0.png.png") as picture:
        assert min(picture.size) > 90
    # By the whole image at once the counts are the same: this network sees no further than the halo.
    whole = call(capsys, "predict", run / "out", run / "photos", "--set", "predict={use: whole}")
    others = list(csv.DictReader(whole.out.splitlines()))
    for row, other in zip(rows, others, strict=True):
        assert float(row["count"]) == pytest.approx(float(other["count"]), rel=1e-4)


def test_another_way_to_predict_must_see_all_of_an_image(run, capsys):
    done = call(capsys, "predict", run / "out", run / "photos", "--set", "predict={use: crops, size: 32}")
    assert done.code == 2
    assert "density.count counts all of it; use predict: whole or tiles" in done.err


def test_ranking_alone_with_margin_0_is_refused_before_data_are_read(run, capsys):
    changed = (run / "tiny.yaml").read_text()
    start, end = changed.index("  labeled:\n    data: labeled"), changed.index("  ranked:")
    alone = run / "alone.yaml"
    alone.write_text((changed[:start] + changed[end:]).replace(str(run / "photos"), "/nowhere"))
    done = call(capsys, "validate", alone)
    assert done.code == 2
    assert "margin_ranking with margin 0 is least where the network answers every view alike" in done.err
    with_margin = run / "margin.yaml"
    with_margin.write_text(alone.read_text().replace("margin: 0", "margin: 0.1"))
    assert call(capsys, "validate", with_margin).code == 0
