"""How acquirers see a run's network and the images of a pool."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import yaml
from helpers import fakes
from helpers.training import catalog, objective, parts_of, recipe, streams, train

from rankhub import Run, UserError
from rankhub.engine import checkpoint, folder
from rankhub.engine.parts import evaluation_chains
from rankhub.engine.source import NetworkSource, ViewOutputs
from rankhub.interfaces.data import OpenContext
from rankhub.interfaces.files import write_text
from rankhub.interfaces.generator import ViewSpec
from rankhub_active.acquirers import network_pool
from rankhub_active.acquirers.network_pool import NetworkPool

COUNT = 23
KEPT = (8, 10, 12)
"""Steps whose checkpoints the run keeps: every fifth, and the end of each epoch; of those, three."""
QUIET = lambda done, total, what: None  # noqa: E731
STREAMS = streams(
    ranked={"generator": [{"use": "dimmer", "levels": 3}], "objectives": [{**objective("fit"), "output": "rating"}]},
    views={"generator": [{"use": "jitter", "views": 2}], "objectives": [objective("pull")]},
)


def finished(path, phases=({"name": "both", "steps": 12, "streams": list(STREAMS)},), **changes):
    backbone, heads = {"use": "flat", **changes}, {"main": {"use": "arrow"}}
    ours = recipe(streams=STREAMS, phases=list(phases), backbone=backbone, heads=heads)
    parts = parts_of(ours)
    path.mkdir()
    train(parts, path)
    write_text(path / folder.RESOLVED, yaml.safe_dump(ours.model_dump(mode="json")))
    folder.write_labels(path, {name: dataset.label for name, dataset in parts.datasets.items()})
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with BatchNorm and dropout."""
    torch.set_num_threads(1)
    return finished(tmp_path_factory.mktemp("acquire") / "run", norm=True, dropout=0.5)


class Images(fakes.Patches):
    """A pool that notes which images are read."""

    def __init__(self):
        super().__init__(count=COUNT, labeled=False)
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


@pytest.fixture
def images():
    pool = Images()
    pool.open(OpenContext(None, 0, QUIET))
    return pool


@pytest.fixture
def pool(run, images):
    return NetworkPool(Run(run, catalog()), images, 7, QUIET)


def by_row(tables):
    """(row, draw) -> level and output of its views, in the order of the views; draws are told apart by their order."""
    found, seen = {}, {}
    for table in tables:
        for row in table.target.index.unique().tolist():
            mine = table.target.index == row
            draw = seen[row] = seen.get(row, -1) + 1
            order = table.target.view[mine].argsort()
            found[row, draw] = (table.target.level[mine][order], table.values[mine][order])
    return found


def alike(one, other):
    assert one.keys() == other.keys()
    for key, (levels, values) in one.items():
        assert torch.equal(levels, other[key][0])
        torch.testing.assert_close(values, other[key][1], rtol=1e-5, atol=1e-6)  # another batch: other last bits


def rows(*numbers):
    return np.array(numbers, dtype=np.int64)


ALL = np.arange(COUNT)


def test_what_an_acquirer_is_told_of_the_recipe(pool):
    assert len(pool) == COUNT
    assert pool.device == torch.device("cpu")
    assert pool.numbers == {"main.rating": 1.0}
    assert list(pool.streams) == ["ranked", "views"]
    assert pool.streams["ranked"].outputs == ("main.rating",)
    assert pool.streams["ranked"].views == ViewSpec(3, 1, "ordered", ((3, None),))
    assert pool.streams["views"].outputs == ("main.arrow", "main.rating")


@pytest.mark.parametrize("output", ["backbone", "main.arrow", "main.rating"])
def test_outputs_are_those_of_the_report_row_by_row(pool, images, output):
    run = pool.run
    source = NetworkSource("x", run.forward(), {"pool": images}, {}, run.predictor, run.compute, False, QUIET)
    expected = source.outputs("pool", output).values
    images.read.clear()
    for asked in (rows(5, 2, 19), rows(2, 3, 5, 0), ALL[::-1].copy(), rows(22, 1)):
        table = pool.outputs(output, asked)
        torch.testing.assert_close(table.values, expected[torch.from_numpy(asked)], rtol=1e-5, atol=1e-6)
        assert table.target is None
    assert sorted(images.read) == ALL.tolist()


def test_another_output_of_known_images_costs_nothing(pool, images):
    pool.outputs("main.rating", ALL)
    images.read.clear()
    assert pool.outputs("backbone", rows(4, 4, 0)).values.shape == (3, 8)
    assert images.read == []


def test_views_are_a_pure_function_of_seed_row_and_draw(pool, monkeypatch):
    whole = by_row(pool.views("ranked", "main.rating", ALL, 3))
    assert whole.keys() == {(row, draw) for row in range(COUNT) for draw in range(3)}
    assert all(len(values) == 3 for _, values in whole.values())
    monkeypatch.setattr(network_pool, "VIEWED", 4)
    alike(whole, by_row(pool.views("ranked", "main.rating", ALL, 3)))
    alike(whole, by_row(pool.views("ranked", "main.rating", ALL[::-1].copy(), 3)))
    few = by_row(pool.views("ranked", "main.rating", rows(20, 3, 11), 2))
    alike({key: whole[key] for key in few}, few)
    twin = dataclasses.replace(pool)
    alike(few, by_row(twin.views("ranked", "main.rating", rows(3, 11, 20), 2)))


def test_views_differ_between_draws_and_seeds_and_from_those_of_training(pool, images):
    asked = rows(0, 1, 2, 3, 4, 5)
    first, second = list(pool.views("ranked", "main.rating", asked, 2))
    other = next(dataclasses.replace(pool, seed=8).views("ranked", "main.rating", asked, 1))
    chain = evaluation_chains(pool.run.recipe.recipe, pool.run.assembly)["ranked"]
    for epoch in (0, 1):
        for seed in (chain.seed, pool.seed):
            its = dataclasses.replace(chain, seed=seed)
            trained, _ = ViewOutputs(pool.run.forward(), its, images, pool.device, "x")(asked.tolist(), epoch)
            assert not torch.allclose(trained["main.rating"], (first, second)[epoch].values)
    assert not torch.allclose(first.values, second.values)
    assert not torch.allclose(first.values, other.values)


def test_a_table_says_which_row_of_the_pool_each_view_is_of_and_ranks_it(pool, monkeypatch):
    monkeypatch.setattr(network_pool, "VIEWED", 2)
    tables = list(pool.views("ranked", "main.rating", rows(21, 4, 9), 2))
    assert [sorted(set(table.target.index.tolist())) for table in tables] == [[4, 21], [4, 21], [9], [9]]
    for table in tables:
        assert table.values.shape == table.target.index.shape
        assert torch.equal(table.target.group, table.target.index)  # one group an image
        for row in table.target.index.unique():
            assert sorted(table.target.level[table.target.index == row].tolist()) == pytest.approx([1 / 3, 2 / 3, 1])


def test_a_stream_of_the_device_is_seen_too(pool):
    (table,) = pool.views("views", "main.arrow", rows(2, 8), 1)
    assert table.values.shape == (4, 4)
    assert sorted(table.target.index.tolist()) == [2, 2, 8, 8]
    assert not torch.allclose(table.values[0], table.values[1])


def test_a_stream_draws_at_the_address_of_the_first_phase_that_uses_it(tmp_path, images):
    uses = {"a": ["ranked"], "b": ["views", "ranked"]}
    phases = [{"name": name, "steps": 1, "streams": streams} for name, streams in uses.items()]
    run = Run(finished(tmp_path / "run", phases), catalog())
    pool = NetworkPool(run, images, 7, QUIET)
    assert list(pool.streams) == ["ranked", "views"]
    for stream, address in (("ranked", "acquire/a/ranked"), ("views", "acquire/b/views")):
        (table,) = pool.views(stream, "main.rating", rows(4, 0), 1)
        chain = evaluation_chains(run.recipe.recipe, run.assembly)[stream]
        chain = dataclasses.replace(chain, seed=7, address=address)
        seen, target = ViewOutputs(run.forward(), chain, images, pool.device, "x")([4, 0], 0)
        assert torch.equal(table.values, seen["main.rating"])
        assert torch.equal(table.target.index, target.index)


def test_members_are_the_kept_checkpoints_the_oldest_first(run, pool):
    members = pool.members()
    assert members[-1] is pool
    assert [member.run.weights.parent.name for member in members] == [f"step_{step:09d}" for step in KEPT]
    ratings = [member.outputs("main.rating", ALL).values for member in members]
    for step, member, values in zip(KEPT, members, ratings, strict=True):
        weights, _ = checkpoint.read_weights(run / "checkpoints" / f"step_{step:09d}", average=False)
        assert torch.equal(weights["backbone.conv.weight"], member.run.network.backbone.conv.weight)
        assert sum(torch.equal(values, other) for other in ratings) == 1
    # Of a run that is opened at an earlier checkpoint, that one is the last.
    early = dataclasses.replace(pool, run=Run(run / "checkpoints" / f"step_{KEPT[0]:09d}", catalog()))
    assert [one.run.weights.parent.name[-2:] for one in early.members()] == ["10", "12", "08"]


def test_members_see_by_the_same_changes_of_the_recipe(run, images):
    pool = NetworkPool(Run(run, catalog(), ["name=changed"]), images, 7, QUIET)
    assert {member.run.recipe.name for member in pool.members()} == {"changed"}


def test_dropout_differs_by_its_number_and_repeats(pool):
    plain = pool.outputs("main.rating", ALL).values
    one, other, again = (pool.dropped(number).outputs("main.rating", ALL).values for number in (0, 1, 0))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one, plain)
    assert torch.equal(pool.outputs("main.rating", ALL).values, plain)
    seeded = dataclasses.replace(pool, seed=8).dropped(0).outputs("main.rating", ALL).values
    assert not torch.equal(one, seeded)


def test_dropout_leaves_everything_else_as_it_is(pool):
    network = pool.run.network
    state = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(3)
    before = torch.get_rng_state()
    dropped = pool.dropped(0)
    features = dropped.outputs("backbone", ALL).values
    list(dropped.views("ranked", "main.rating", rows(0, 1), 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module.training for module in network.modules())
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name]), name
    # Whatever is not dropped is twice the feature without dropout: BatchNorm has used its stored statistics.
    plain = pool.outputs("backbone", ALL).values
    kept = features != 0
    assert 0.3 < kept.float().mean() < 0.7
    torch.testing.assert_close(features[kept], 2 * plain[kept], rtol=1e-5, atol=1e-6)


def test_views_too_are_seen_with_dropout_at_work(pool):
    plain = by_row(pool.views("ranked", "main.rating", ALL, 2))
    one, other, again = (by_row(pool.dropped(n).views("ranked", "main.rating", ALL, 2)) for n in (0, 1, 0))
    alike(one, again)
    for found in (other, plain):
        assert any(not torch.equal(one[key][1], found[key][1]) for key in one)
    # The views themselves are those of the network without dropout: only the network is another.
    assert all(torch.equal(one[key][0], plain[key][0]) for key in one)


def test_a_network_without_dropout_drops_nothing(tmp_path, images):
    run = finished(tmp_path / "plain")
    pool = NetworkPool(Run(run, catalog()), images, 7, QUIET)
    assert pool.dropped(0) is None


@pytest.mark.parametrize(
    ("module", "counts"),
    [
        (torch.nn.Dropout(0.1), True),
        (torch.nn.Dropout2d(0.1), True),
        (torch.nn.AlphaDropout(0.1), True),
        (torch.nn.Dropout(0.0), False),
        (torch.nn.BatchNorm2d(3), False),
    ],
)
def test_what_counts_as_dropout(module, counts):
    assert list(network_pool.drops(torch.nn.Sequential(module))) == ([module] if counts else [])


def test_drop_path_of_timm_counts_as_dropout():
    from timm.layers import DropPath

    paths = [DropPath(0.2), DropPath(0.0)]
    assert list(network_pool.drops(torch.nn.ModuleList(paths))) == paths[:1]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda pool: pool.outputs("main.ratng", rows(0)), "output 'main.ratng' is not there, or is a map; there are"),
        (lambda pool: next(pool.views("rank", "main.rating", rows(0), 1)), "no stream 'rank'; there are ranked, views"),
        (lambda pool: next(pool.views("ranked", "main.x", rows(0), 1)), "output 'main.x' is not there"),
    ],
)
def test_what_is_not_there_is_a_sentence(pool, ask, sentence):
    with pytest.raises(UserError, match=sentence):
        ask(pool)


def test_images_that_cannot_be_taken_are_named_before_any_is_read(run, images, monkeypatch):
    sizes = np.array([[8, 8]] * (COUNT - 1) + [[4, 9]])
    monkeypatch.setattr(Images, "sizes", lambda self: sizes)
    monkeypatch.setattr(fakes.Dimmer, "check_images", lambda self, sizes: ("are too small", (sizes < 5).any(1)))
    pool = NetworkPool(Run(run, catalog()), images, 7, QUIET)
    with pytest.raises(UserError, match=r"'ranked' on the pool: 1 of 23 images are too small; the first is number 22"):
        next(pool.views("ranked", "main.rating", ALL, 1))
    monkeypatch.setattr(fakes.Whole, "check_images", lambda self, sizes: ("are too small", (sizes < 5).any(1)))
    with pytest.raises(UserError, match="predict on the pool: 1 of 23 images are too small"):
        dataclasses.replace(pool)


def test_progress_is_told(run, images, monkeypatch):
    monkeypatch.setattr(network_pool, "VIEWED", 10)
    monkeypatch.setattr(network_pool, "BLOCK", 10)
    told = []
    pool = NetworkPool(Run(run, catalog()), images, 7, lambda *call: told.append(call))
    pool.outputs("main.rating", ALL)
    list(pool.views("ranked", "main.rating", ALL, 2))
    done = [10, 20, 23]
    assert told == [*((n, 23, "pool: predict") for n in done), *((n, 23, "pool: views of ranked") for n in done)]
