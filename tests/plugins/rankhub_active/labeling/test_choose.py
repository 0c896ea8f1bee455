"""Which images are labeled next."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from helpers.labeling import QUIET, VIEWS, answer_round, photos, quiet, set_up_in

import rankhub
from rankhub import UserError
from rankhub.catalog.catalog import Catalog
from rankhub_active.acquirers.network_pool import NoNetwork
from rankhub_active.labeling import choose as module
from rankhub_active.labeling.choose import Request, choose, open_round
from rankhub_active.labeling.pool import Pool

CHANCE = ["acquire.use=random"]
"""What chooses where it does not matter, in no time."""


@pytest.fixture
def pool(learned, tmp_path):
    """A copy of it, to be changed."""
    shutil.copytree(learned[0].folder, tmp_path / "labeling")
    return Pool(tmp_path / "labeling")


@pytest.fixture
def fresh(tmp_path):
    return set_up_in(tmp_path, test=2)


def paths(chosen, part="pool"):
    return [row.path for row in chosen.rows if row.part == part]


def test_the_first_round_is_drawn_at_random_with_all_test_images(fresh):
    chosen = choose(fresh, Request(5), quiet)
    assert (chosen.round.number, chosen.round.asked, chosen.round.by, chosen.round.run) == (1, 7, "random", None)
    assert not chosen.resumed
    tests = {row.path for row in fresh.rows(part="test")}
    assert len(paths(chosen)) == 5
    assert set(paths(chosen, "test")) == tests
    assert not tests & set(paths(chosen))
    assert [row.position for row in chosen.rows] == list(range(7))
    assert [row.part for row in chosen.rows] == ["pool"] * 5 + ["test"] * 2
    scores = [row.score for row in chosen.rows if row.part == "pool"]
    assert scores == sorted(scores, reverse=True)
    assert "test images among them, which are never trained on: 2" in chosen.notes
    assert "no network has been trained yet, so they were drawn at random" in chosen.notes
    assert {row.path for row in fresh.rows(state="asked")} == {row.path for row in chosen.rows}
    assert all(chosen.images[chosen.position[row.path]].path.name == row.path.rpartition("/")[2] for row in chosen.rows)


def test_a_first_round_is_the_same_for_the_same_seed(tmp_path):
    drawn = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        drawn.append(paths(choose(set_up_in(tmp_path / name, seed=seed), Request(5), quiet)))
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_then_the_network_chooses_by_the_order_of_views(pool):
    (run,) = (one.trained for one in pool.rounds() if one.trained)
    chosen = choose(pool, Request(3), quiet)
    assert chosen.round.by == "ranking_uncertainty"
    assert chosen.round.run == run
    assert any("pairs of views are in the wrong order" in note for note in chosen.notes)
    # All free images were looked at: those that were not chosen keep what the acquirer gave them.
    free = pool.rows(state="unlabeled", part="pool")
    assert len(free) == 14 - 6 - 3
    assert all(0 <= row.score <= 1 for row in free)
    assert min(row.score for row in chosen.rows) >= max(row.score for row in free)
    assert paths(chosen, "test") == []


def test_the_same_round_is_shown_again_while_it_is_open(pool):
    first = choose(pool, Request(3, changes=CHANCE), quiet)
    again = choose(pool, Request(50, changes=CHANCE), quiet)
    assert again.resumed
    assert again.round == first.round
    assert again.rows == first.rows
    answer_round(pool, leave=1)
    assert choose(pool, Request(3, changes=CHANCE), quiet).round.number == 2
    answer_round(pool)
    assert open_round(pool) is None
    assert choose(pool, Request(2, changes=CHANCE), quiet).round.number == 3


def test_more_begins_another_round_of_other_images(pool):
    first = choose(pool, Request(3, changes=CHANCE), quiet)
    second = choose(pool, Request(3, changes=CHANCE, more=True), quiet)
    assert second.round.number == 3
    assert not second.resumed
    assert not set(paths(first)) & set(paths(second))
    assert open_round(pool) == 3


def test_among_looks_at_so_many_only(pool):
    before = {row.id: row.score for row in pool.rows()}
    chosen = choose(pool, Request(2, changes=CHANCE, among=4), quiet)
    looked = {row.id for row in pool.rows() if row.score != before[row.id]}
    assert len(looked) == 4
    assert {row.id for row in chosen.rows} < looked
    assert len(choose(pool, Request(2, changes=CHANCE, among=1000, more=True), quiet).rows) == 2


def test_a_count_larger_than_what_is_left_takes_the_rest(pool):
    chosen = choose(pool, Request(50, changes=CHANCE), quiet)
    assert len(chosen.rows) == 8
    assert "only 8 of the 50 images that were wanted were left" in chosen.notes
    answer_round(pool)
    with pytest.raises(UserError, match="nothing is left to choose"):
        choose(pool, Request(1, changes=CHANCE), quiet)


def test_test_images_alone_are_a_round_too(fresh):
    for row in fresh.rows(part="pool"):
        fresh.answer({row.id: "1.0"}, "known")
    chosen = choose(fresh, Request(5), quiet)
    assert (paths(chosen), len(paths(chosen, "test"))) == ([], 2)


def test_new_images_of_the_folder_are_taken_in_and_vanished_ones_named(fresh, tmp_path):
    gone = next(row.path for row in fresh.rows(part="pool"))
    (tmp_path / "images" / gone).unlink()
    photos(tmp_path / "images", {"new/99.png": 99})
    chosen = choose(fresh, Request(50), quiet)
    assert f"1 images of the pool cannot be found or read any more, such as {gone}" in chosen.notes
    assert "1 new images of the folder were taken into the pool, such as new/99.png" in chosen.notes
    assert "new/99.png" in paths(chosen)
    assert gone not in paths(chosen)
    assert {row.path: row.part for row in fresh.rows()}["new/99.png"] == "pool"


def test_an_acquirer_may_be_named_with_its_options(pool):
    chosen = choose(pool, Request(2, changes=["acquire={use: coreset, metric: euclidean}"]), quiet)
    assert set(chosen.round.by.split()) == {"coreset", "embedding=backbone", "metric=euclidean"}
    other = choose(pool, Request(2, changes=["acquire.use=ensemble_variance"], more=True), quiet)
    assert other.round.by.startswith("ensemble_variance members=checkpoints")


def test_options_alone_change_what_chooses_anyway(pool):
    assert choose(pool, Request(2, changes=["acquire.draws=2"]), quiet).round.by.startswith(
        "ranking_uncertainty draws=2"
    )
    both = ["acquire.use=coreset", "acquire.metric=euclidean"]
    assert choose(pool, Request(2, changes=both, more=True), quiet).round.by.startswith("coreset")


def test_coreset_is_told_what_is_labeled_or_asked_for_but_not_the_test_images(pool, monkeypatch):
    first = choose(pool, Request(2, changes=CHANCE), quiet)
    told = {}
    build = Catalog.build

    def spied(self, kind, *arguments, **options):
        made = build(self, kind, *arguments, **options)
        if kind != "acquirer":
            return made

        class Spy(type(made)):
            def __call__(self, source, labeled, candidates, count):
                told.update(labeled=labeled, candidates=candidates, count=count)
                return super().__call__(source, labeled, candidates, count)

        made.__class__ = Spy
        return made

    monkeypatch.setattr(Catalog, "build", spied)
    chosen = choose(pool, Request(2, changes=["acquire.use=coreset"], more=True), quiet)
    rows = {chosen.position[row.path]: row for row in pool.rows()}
    assert {rows[n].path for n in told["labeled"]} == {
        *paths(first),
        *(row.path for row in pool.rows(state="labeled", part="pool")),
    }
    assert len(told["candidates"]) == 14 - 6 - 2
    assert {rows[n].part for n in told["candidates"]} == {"pool"}
    assert np.all(np.diff(told["labeled"]) > 0)
    assert np.all(np.diff(told["candidates"]) > 0)


def test_skipped_images_are_not_asked_for_again(pool):
    row = pool.rows(state="unlabeled", part="pool")[0]
    pool.skip(row.id, "page")
    assert row.path not in paths(choose(pool, Request(50, changes=CHANCE), quiet))


def test_a_run_may_be_named(pool):
    (run,) = (one.trained for one in pool.rounds() if one.trained)
    first = sorted((module.Path(run) / "checkpoints").glob("step_*"))[0]
    assert choose(pool, Request(2, first, CHANCE), quiet).round.run == str(first)


@pytest.fixture(scope="module")
def views_run(tmp_path_factory):
    """A run of representation by ranking on the images of a pool."""
    folder = tmp_path_factory.mktemp("views")
    photos(folder / "images", 12)
    rankhub.train(
        rankhub.load_recipe(VIEWS, {"data.photos.root": str(folder / "images")}), folder / "run", progress=QUIET
    )
    return folder


def test_a_run_without_an_ordered_stream_says_so_and_coreset_serves_it(views_run, tmp_path):
    pool = set_up_in(tmp_path, VIEWS, 12, takes="score")
    with pytest.raises(UserError, match=r"no stream whose generator ranks its views.*coreset and random need none"):
        choose(pool, Request(3, views_run / "run"), quiet)
    assert len(pool.rounds()) == 1
    chosen = choose(pool, Request(3, views_run / "run", ["acquire.use=coreset"]), quiet)
    assert len(chosen.rows) == 3
    assert any("no image is labeled yet" in note for note in chosen.notes)


def test_the_recipes_own_acquirer_is_the_one_that_chooses(pool, learned, tmp_path):
    run = tmp_path / "run"
    (trained,) = (one.trained for one in pool.rounds() if one.trained)
    shutil.copytree(trained, run)
    file = run / "recipe.resolved.yaml"
    file.write_text(file.read_text() + "acquire: {use: ranking_uncertainty, draws: 2}\n")
    chosen = choose(pool, Request(2, run, ["acquire.by=margin"]), quiet)
    assert chosen.round.by.startswith("ranking_uncertainty draws=2 by=margin")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["acquire.use=coreset"], "acquire.use=coreset: no network has been trained yet; train one, or name a run"),
        (["acqire.use=coreset"], "acqire"),
    ],
)
def test_changes_without_a_network_are_not_passed_over(fresh, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        choose(fresh, Request(3, changes=changes), quiet)
    assert len(fresh.rounds()) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["acquire.use=rankin_uncertainty"], "rankin_uncertainty"),
        (["acquire={use: ranking_uncertainty, draws: 0}"], "draws"),
        (["acquire={use: coreset, embedding: score.scor}"], "score.scor"),
        (["acquire={use: ranking_uncertainty, stream: labeled}"], "stream 'labeled' does not rank its views"),
        (
            ["acquire={use: ensemble_variance, members: dropout, output: backbone}"],
            "output 'backbone' is not one number",
        ),
    ],
)
def test_a_wrong_acquirer_is_a_sentence_and_begins_no_round(pool, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        choose(pool, Request(3, changes=changes), quiet)
    assert len(pool.rounds()) == 2


def test_a_run_that_is_gone_is_a_sentence(pool, tmp_path):
    pool.trained(1, str(tmp_path / "gone"))
    with pytest.raises(UserError, match="gone is no run's folder"):
        choose(pool, Request(3), quiet)


def test_an_acquirer_that_breaks_its_word_does_not_spoil_the_table(pool, monkeypatch):
    from rankhub_active.acquirers.chance import Random

    whole = Random.__call__
    monkeypatch.setattr(Random, "__call__", lambda self, source, labeled, n, k: whole(self, source, labeled, n, k - 1))
    said = (
        r"^acquirer 'random' of plugin rankhub_active \S+ chose int64 \[2\], it must choose 3 rows .*; tell its author$"
    )
    with pytest.raises(UserError, match=said):
        choose(pool, Request(3, changes=CHANCE), quiet)
    assert len(pool.rounds()) == 2


def test_a_pool_without_a_network_has_nothing_to_say():
    none = NoNetwork(4, 0)
    assert (len(none), none.members(), none.dropped(0)) == (4, [], None)
    for ask in (lambda: none.outputs("x", np.arange(2)), lambda: none.views("s", "x", np.arange(2), 1)):
        with pytest.raises(UserError, match="no network yet"):
            ask()
