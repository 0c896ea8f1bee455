"""The race of pairs: each method's gradient is what it says, random pairs mean what all pairs mean, the tool as run."""

from __future__ import annotations

import copy
import csv
import json
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from pairs_comparison.held_out import HeldOutScore
from pairs_comparison.methods import TITLES
from pairs_comparison.pool import PairDraws, target_of_pairs
from pairs_comparison.race import Ground, Point, Rules, load, racers, run
from pairs_comparison.report import reaches
from PIL import Image

import rankhub
from rankhub.interfaces.generator import ViewSpec

KINDS, LEVELS = 2, 3
RECIPE = """
seed: 0
data:
  photos: {use: image_folder, root: ROOT/train}
  test: {use: image_folder, root: ROOT/test}
backbone: {use: timm, model: test_resnet, args: {norm_layer: groupnorm1}}
heads: {score: {use: score}}
optimizer: {use: sgd, lr: 0.01, momentum: 0.0}
streams:
  ranked:
    data: photos
    batch_size: 2
    generator:
    - use: distortions
      set: [{kind: gaussian_noise, levels: [0.001, 0.1]}, {kind: gaussian_blur, levels: [1, 4]}]
    - {use: random_crops, size: 32}
    objectives:
    - {use: margin_ranking, head: score, pairs: same_kind, margin: 0.5}
steps: 1
predict: {use: center, size: 32}
"""


OBJECTIVE = '{"use": "margin_ranking", "head": "score"}'


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory):
    root = tmp_path_factory.mktemp("pairs")
    for number in range(5):
        folder = root / ("train" if number < 3 else "test")
        folder.mkdir(exist_ok=True)
        rough = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(rough).resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    path = root / "tiny.yaml"
    path.write_text(RECIPE.replace("ROOT", str(root)))
    return path


@pytest.fixture(scope="module")
def rules(recipe_file):
    return Rules(load(recipe_file, []), (0.05, 0.1), 0.05, 3)


@pytest.fixture(scope="module")
def ground(rules):
    return Ground.of(rules, lambda done, total, what: None)


@pytest.fixture
def field(rules, ground):
    return {racer.name: racer for racer in racers(rules, ground, 0, list(TITLES))}


def test_versions_are_made_once_and_every_crop_of_them_is_another(ground):
    pool = ground.train
    assert (pool.photos, len(pool.views)) == (3, 3 * KINDS * LEVELS)
    assert Counter(pool.group.tolist()) == dict.fromkeys(range(3 * KINDS), LEVELS)
    rows = np.array([4, 4, 4, 4])
    crops = pool.crops(rows, 7)
    assert crops.shape == (4, 3, 32, 32)
    assert len({crop.numpy().tobytes() for crop in crops}) > 1
    torch.testing.assert_close(pool.crops(rows[:2], 8), crops[1:3], rtol=0, atol=0)


def all_pairs_of(pool, photos):
    rows = pool.of_photos(np.array(photos))
    return [(a, b) for a in rows for b in rows if pool.kind[a] == pool.kind[b] and pool.level[a, 0] > pool.level[b, 0]]


def test_random_pairs_are_as_likely_as_in_batches_of_all_pairs(ground):
    pool = ground.train
    expected = Counter()
    for photos in ([0, 1], [0, 2], [1, 2]):
        expected.update(all_pairs_of(pool, photos))
    total = sum(expected.values())
    draws = PairDraws(pool, 1 / 2, np.random.default_rng(0))
    upper, lower = draws.draw(40_000)
    found = Counter(zip(upper.tolist(), lower.tolist(), strict=True))
    assert found.keys() == expected.keys()
    deviation = [(found[pair] - 40_000 * n / total) / (40_000 * n / total) ** 0.5 for pair, n in expected.items()]
    assert max(map(abs, deviation)) < 5
    within = PairDraws(pool, 1.0, np.random.default_rng(0)).draw(50)
    assert (pool.index[within[0]] == pool.index[within[1]]).all()


def gradient(network):
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


def hinge(network, pool, pairs, images):
    """Slowly, one pair after the other; ``images`` gives the crop of a member."""
    network.zero_grad()
    total = 0.0
    for a, b in pairs:
        above, below = (network([images[row][None]], ["score"])["score.score"][0] for row in (a, b))
        total = total + (0.5 - (above - below)).clamp(min=0)
    (total / len(pairs)).backward()
    return gradient(network)


def doubled(racer, monkeypatch):
    """The racer in float64, and what it cut: row by row."""
    racer.network.double()
    cut, original = [], racer.pool.crops
    monkeypatch.setattr(
        type(racer.pool),
        "crops",
        lambda pool, rows, first: cut.append((rows, original(rows, first).double())) or cut[-1][1],
    )
    return cut


def test_the_gradient_of_all_pairs_is_that_of_an_explicit_siamese_network(field, monkeypatch):
    racer = field["all_pairs"]
    cut = doubled(racer, monkeypatch)
    racer.gradient()
    ((rows, images),) = cut
    assert len(rows) == 2 * KINDS * LEVELS == racer.views
    pairs = all_pairs_of(racer.pool, sorted(set(racer.pool.index[rows].tolist())))
    assert len(pairs) == KINDS * 3 * 4
    expected = hinge(copy.deepcopy(racer.network), racer.pool, pairs, dict(zip(rows, images, strict=True)))
    torch.testing.assert_close(gradient(racer.network), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["random_pairs", "hard_pairs"])
def test_the_gradient_of_pairs_is_that_of_two_branches(name, field, monkeypatch):
    racer = field[name]
    cut = doubled(racer, monkeypatch)
    racer.gradient()
    ((rows, images),) = cut
    looked = racer.pairs * (racer.mining if name == "hard_pairs" else 1)
    assert len(rows) == 2 * looked
    assert racer.views == 2 * looked + (2 * racer.pairs if name == "hard_pairs" else 0)
    assert racer.pool.above(*np.split(rows, 2)).all()
    with torch.no_grad():
        better, worse = racer.network([images], ["score"])["score.score"].chunk(2)
    hardest = (better - worse).argsort()[: racer.pairs].tolist()
    pairs = [(number, looked + number) for number in hardest]
    expected = hinge(copy.deepcopy(racer.network), racer.pool, pairs, images)
    torch.testing.assert_close(gradient(racer.network), expected, rtol=1e-9, atol=1e-12)


def test_every_method_starts_with_the_weights_of_the_seed_and_as_many_views_have_a_gradient(field, rules, ground):
    one, *others = [torch.cat([p.flatten() for p in racer.network.parameters()]) for racer in field.values()]
    assert all(torch.equal(one, other) for other in others)
    (again,) = racers(rules, ground, 1, ["all_pairs"])
    assert not torch.equal(one, torch.cat([p.flatten() for p in again.network.parameters()]))
    assert {2 * racer.pairs for racer in field.values()} == {2 * KINDS * LEVELS}


def test_pairs_have_no_order_among_themselves():
    target = target_of_pairs(3)
    assert target.index.tolist() == target.group.tolist() == target.kind.tolist() == [0, 1, 2, 0, 1, 2]
    assert target.level.tolist() == [1, 1, 1, 0, 0, 0]


def test_held_out_photos_are_ranked_within_each_photo(ground, field):
    objective, held_out = field["all_pairs"].objective, ground.held_out
    target = held_out.target

    class Known(torch.nn.Module):
        def forward(self, images, heads):
            number = [
                next(i for i, own in enumerate(held_out.images) if torch.equal(own, image)) for image in images[0]
            ]
            level = target.level[number, 0]
            return {"score.score": torch.where(target.kind[number] == 0, level, -level)}

    found = held_out.score(Known(), objective)
    assert held_out.kinds == ("gaussian_noise", "gaussian_blur")
    assert found.accuracy_by_kind == {"gaussian_noise": 1.0, "gaussian_blur": 0.0}
    assert found.accuracy == 0.5
    # Levels 1, 1/2, 0: each pair in order keeps a margin of 0.5; in the wrong order it lacks 1, 1 and 1.5.
    assert found.loss_by_kind == pytest.approx({"gaussian_noise": 0.0, "gaussian_blur": 3.5 / 3})
    assert found.loss == pytest.approx(3.5 / 6)


def test_methods_are_judged_at_their_own_seconds_and_the_clock_stands_still_meanwhile(field, ground, rules):
    marks = list(run(rules, ground, list(field.values())))
    assert [mark for mark, _ in marks] == [0.0, 0.05, 0.1]
    start = marks[0][1]
    assert {(p.seconds, p.views, p.steps) for p in start.values()} == {(0.0, 0, 0)}
    assert len({p.score.loss for p in start.values()}) == 1
    for mark, points in marks[1:]:
        assert all(point.seconds >= mark and point.steps > 0 for point in points.values())
    for name, racer in field.items():
        assert racer.views == racer.steps * 2 * racer.pairs * (1 + (rules.mining if name == "hard_pairs" else 0))
        assert racer.seconds == marks[-1][1][name].seconds


def test_when_a_loss_is_reached():
    points = [
        Point(s, s, 0, 0, HeldOutScore(loss, 1.0, {}, {}))
        for s, loss in ((0.0, 1.0), (2.0, 0.6), (4.0, 0.7), (6.0, 0.1))
    ]
    assert reaches(points, 0.8) == pytest.approx(1.0)
    assert reaches(points, 0.4) == pytest.approx(5.0)
    assert reaches(points, 1.5) == 0.0
    assert reaches(points, 0.05) is None


@pytest.fixture
def compare(load_tool, monkeypatch, tmp_path, recipe_file):
    tool = load_tool("compare_pairs")

    def run_tool(*arguments, photos=recipe_file.parent, roots=True):
        own = [f"data.photos.root={photos}/train", f"data.test.root={photos}/test"] if roots else []
        common = ["--out", str(tmp_path / "out"), "--recipe", str(recipe_file), "--seconds", "0.02", "--marks", "2"]
        monkeypatch.setattr(sys, "argv", ["compare_pairs", str(photos), *common, *arguments, *own])
        return tool.main()

    run_tool.out = tmp_path / "out"
    return run_tool


def test_the_tool_as_a_user_runs_it_and_nothing_is_done_twice(compare, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    assert compare("--seeds", "2") == 0
    assert "random pairs" in capsys.readouterr().out
    with (compare.out / "points.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert Counter(line["method"] for line in lines) == dict.fromkeys(TITLES, 2 * 3)
    assert {"loss gaussian_blur", "accuracy gaussian_noise"} <= lines[0].keys()
    assert (compare.out / "pairs.png").stat().st_size > 20_000

    before = {path: path.stat().st_mtime_ns for path in compare.out.glob("*.json")}
    assert len(before) == 6
    lost = compare.out / "hard_pairs-1.json"
    lost.unlink()
    (compare.out / "pairs.png").unlink()
    assert compare("--seeds", "2") == 0
    after = {path: path.stat().st_mtime_ns for path in compare.out.glob("*.json")}
    assert {path for path in after if after[path] != before[path]} == {lost}
    (compare.out / "pairs.png").unlink()
    assert compare("--seeds", "2", "--only-report") == 0
    assert (compare.out / "pairs.png").is_file()

    assert compare("--seeds", "2", "--mining", "2", "optimizer.lr=0.5") == 2
    said = capsys.readouterr().err
    assert "made with other settings (mining, recipe.optimizer.lr)" in said
    assert "another --out" in said


def test_the_recipe_beside_the_tool_makes_the_batch_of_the_paper(load_tool, tmp_path):
    tool = load_tool("compare_pairs")
    recipe = load(tool.RECIPE, [f"data.{name}.root={tmp_path}" for name in ("photos", "test")])
    stream = recipe.resolved()["streams"]["ranked"]
    distortions = rankhub.build("generator", stream["generator"][0])
    assert stream["batch_size"] * distortions.plan(ViewSpec()).views == 48


def test_marks_grow_as_squares(load_tool):
    assert load_tool("compare_pairs").marks(8, 4) == (0.5, 2.0, 4.5, 8.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"streams.ranked.objectives=[{OBJECTIVE}, {OBJECTIVE}]", "one stream with one objective"),
        ('data={"photos": {"use": "image_folder", "root": "."}}', "no data set called test"),
        ('streams.ranked.generator=[{"use": "distortions"}]', "at least two steps"),
    ],
)
def test_recipes_that_cannot_be_raced_are_refused(recipe_file, change, said):
    with pytest.raises(rankhub.UserError, match=said):
        load(recipe_file, [change])


@pytest.mark.parametrize(
    ("arguments", "said"), [(("--marks", "0"), "at least 1"), (("--seconds", "0"), "above 0"), ((), "is no folder")]
)
def test_wrong_arguments_are_named(compare, capsys, arguments, said, tmp_path):
    roots = {} if arguments else {"photos": tmp_path / "nowhere"}
    with pytest.raises(SystemExit):
        compare(*arguments, **roots)
    assert said in capsys.readouterr().err


def test_results_are_plain_json(compare):
    assert compare("--seeds", "1") == 0
    stored = json.loads((compare.out / "all_pairs-0.json").read_text())
    assert stored["seed"] == 0
    assert stored["settings"]["marks"] == [0.005, 0.02]
    assert "seed" not in stored["settings"]["recipe"]
