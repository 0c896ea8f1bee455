from __future__ import annotations

import resource
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub import UserError
from rankhub_active.labeling.labels import read_points
from rankhub_active.labeling.pool import FILE, Pool
from rankhub_active.labeling.settings import Settings

SETTINGS = Settings(images="/images", takes="score", low=1, high=5, unit="MOS", seed=3)
PATHS = ["c.png", "a.png", "b/a.png", "b/b.png", "d.png", "e.png"]


@pytest.fixture
def pool(tmp_path):
    return Pool.create(tmp_path, SETTINGS, PATHS, test=["d.png"])


def states(pool):
    return "".join(row.state[0] for row in pool.rows())


def test_a_new_table_has_every_image_once_in_the_order_of_the_paths(pool, tmp_path):
    rows = Pool(tmp_path).rows()
    assert [(row.id, row.path) for row in rows] == list(enumerate(sorted(PATHS)))
    assert {row.path for row in rows if row.part == "test"} == {"d.png"}
    assert {(row.state, row.label, row.round, row.score) for row in rows} == {("unlabeled", None, None, None)}
    assert pool.ids() == {row.path: row.id for row in rows}
    assert pool.counts() == {("pool", "unlabeled"): 5, ("test", "unlabeled"): 1}
    assert [(each.number, each.asked) for each in pool.rounds()] == [(0, 0)]
    assert Pool(tmp_path).settings == SETTINGS


def test_a_table_is_not_made_twice(pool, tmp_path):
    pool.answer({0: "1.0"}, "x")
    with pytest.raises(UserError, match="holds a pool already"):
        Pool.create(tmp_path, SETTINGS, PATHS)
    assert states(pool) == "luuuuu"


def test_what_a_killed_init_left_does_not_matter(tmp_path):
    (tmp_path / f"{FILE}.partial").write_bytes(b"half a table")
    (tmp_path / f"{FILE}.partial-journal").write_bytes(b"half a journal")
    Pool.create(tmp_path, SETTINGS, PATHS)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_images_named_twice_make_no_table(tmp_path):
    with pytest.raises(sqlite3.IntegrityError):
        Pool.create(tmp_path, SETTINGS, ["a.png", "a.png"])
    assert not (tmp_path / FILE).exists()


def test_a_folder_without_a_table_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"holds no pool: pool\.db is not in it; make one: rankhub label init"):
        Pool(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no table at all, but long enough to be read as one" * 40])
def test_another_file_is_no_pool(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"is no(t a)? pool"):
        Pool(tmp_path)


def test_a_table_of_another_version_is_refused(pool, tmp_path):
    table = sqlite3.connect(tmp_path / FILE)
    table.execute("PRAGMA user_version = 99")
    table.close()
    with pytest.raises(UserError, match="is not a pool of this version of rankhub"):
        Pool(tmp_path)


def test_a_table_that_is_gone_is_not_made_anew(pool, tmp_path):
    (tmp_path / FILE).unlink()
    with pytest.raises(UserError, match="cannot be used"):
        pool.rows()
    assert not (tmp_path / FILE).exists()


def test_a_folder_of_any_name(tmp_path):
    folder = tmp_path / "50% of é? #1"
    folder.mkdir()
    Pool.create(folder, SETTINGS, PATHS).answer({0: "1.0"}, "x")
    assert states(Pool(folder)) == "luuuuu"


def test_a_round_keeps_the_order_and_the_scores(pool):
    number = pool.ask([4, 1, 0], "ranking_uncertainty", "runs/a", {0: 0.5, 1: 0.5, 2: 0.125, 4: 0.75})
    assert number == 1
    assert [(row.id, row.position, row.state, row.score) for row in pool.rows(round=1)] == [
        (4, 0, "asked", 0.75),
        (1, 1, "asked", 0.5),
        (0, 2, "asked", 0.5),
    ]
    assert pool.row(2).score == 0.125
    assert pool.row(2).state == "unlabeled"
    last = pool.rounds()[-1]
    home = pool.folder.absolute()
    assert (last.number, last.asked, last.by, last.trained) == (1, 3, "ranking_uncertainty", None)
    assert last.run == str(home / "runs/a")
    pool.trained(1, "runs/b")
    assert [each.trained for each in pool.rounds()] == [None, str(home / "runs/b")]


def test_rows_are_filtered(pool):
    pool.ask([5, 2], "random", None, {})
    pool.answer({2: "3.0", 3: "1.0"}, "x")
    assert [row.id for row in pool.rows(state="labeled")] == [2, 3]
    assert [row.id for row in pool.rows(state="labeled", round=1)] == [2, 3]
    assert [row.id for row in pool.rows(part="test")] == [4]
    assert [row.id for row in pool.rows(state="asked", part="pool")] == [5]
    assert pool.row(99) is None


def test_an_image_that_was_not_asked_for_counts_to_the_last_round(pool):
    pool.answer({0: "1.0"}, "x")
    pool.ask([1], "random", None, {})
    pool.answer({2: "1.0", 1: "2.0"}, "x")
    assert [(row.id, row.round) for row in pool.rows(state="labeled")] == [(0, 0), (1, 1), (2, 1)]


@pytest.mark.parametrize("chosen", [[0, 1], [2, 1], [3, 1], [1, 1], [1, 99]])
def test_a_round_of_images_that_are_not_free_changes_nothing(pool, chosen):
    pool.ask([0], "random", None, {})
    pool.answer({2: "1.0"}, "x")
    pool.skip(3, "x")
    before = pool.rows(), pool.rounds()
    with pytest.raises(UserError, match="1 of the chosen images are no longer free; choose again"):
        pool.ask(chosen, "random", None, {1: 0.5})
    assert (pool.rows(), pool.rounds()) == before


@pytest.mark.parametrize(("answers", "skipped"), [({0: "2.0", 1: "2.0"}, []), ({1: "2.0"}, [0]), ({99: "2.0"}, [1])])
def test_answers_that_cannot_all_be_taken_change_nothing(pool, answers, skipped):
    pool.answer({0: "1.0"}, "x")
    before = pool.rows()
    with pytest.raises(UserError, match="1 of 2 images are not in the pool or have a label already; nothing was"):
        pool.answer(answers, "y", skipped=skipped)
    assert pool.rows() == before


def test_amending(pool):
    pool.answer({0: "1.0", 1: "1.0"}, "x", skipped=[2])
    pool.answer({0: "4.0"}, "y", amend=True, skipped=[1])
    assert [(row.state, row.label, row.source) for row in pool.rows()[:3]] == [
        ("labeled", "4.0", "y"),
        ("skipped", None, "y"),
        ("skipped", None, "x"),
    ]
    pool.answer({2: "5.0"}, "z")  # whoever can say after all needs no leave
    assert pool.row(2).label == "5.0"


def test_skipping_an_image_that_is_not_there(pool):
    with pytest.raises(UserError, match="there is no image 99"):
        pool.skip(99, "x")


def test_a_change_that_is_broken_off_changes_nothing(pool):
    def scores():
        yield 0, 0.5
        raise KeyboardInterrupt

    class Broken(dict):
        def items(self):
            return scores()

    before = pool.rows(), pool.rounds()
    with pytest.raises(KeyboardInterrupt):
        pool.ask([0], "random", None, Broken())
    assert (pool.rows(), pool.rounds()) == before


def test_threads_answer_side_by_side(pool, tmp_path):
    errors = []

    def work(id):
        try:
            for number in range(10):
                Pool(tmp_path).answer({id: f"{number}.0"}, "page", amend=True)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(id,)) for id in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [row.label for row in pool.rows(state="labeled")] == ["9.0"] * 4


def test_of_two_that_answer_the_same_image_one_is_told(pool, tmp_path):
    barrier, told = threading.Barrier(2), []

    def work(label):
        mine = Pool(tmp_path)
        barrier.wait()
        try:
            mine.answer({0: label}, label)
        except UserError:
            told.append(label)

    threads = [threading.Thread(target=work, args=(label,)) for label in ("1.0", "2.0")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 1
    assert {pool.row(0).label, told[0]} == {"1.0", "2.0"}


IDS = st.integers(0, 6)  # 6 is in no table
ACTIONS = st.one_of(
    st.tuples(st.just("ask"), st.lists(IDS, max_size=3)),
    st.tuples(st.just("answer"), st.sets(IDS, max_size=3), st.sets(IDS, max_size=2), st.booleans()),
    st.tuples(st.just("skip"), IDS),
)


class Model:
    """A table in plain dicts, that does each change on a copy."""

    def __init__(self):
        self.images = dict.fromkeys(range(6), ("unlabeled", None, None))
        self.rounds = 0

    def ask(self, chosen, by, run, scores):
        images = dict(self.images)
        for id in chosen:
            if images.get(id, ("",))[0] != "unlabeled":
                raise UserError("")
            images[id] = ("asked", None, self.rounds + 1)
        self.images, self.rounds = images, self.rounds + 1

    def answer(self, answers, source, *, amend, skipped):
        images = dict(self.images)
        for id in [*answers, *skipped]:
            if id not in images or (images[id][0] == "labeled" and not amend):
                raise UserError("")
        for id, label in answers.items():
            round = images[id][2]
            images[id] = ("labeled", label, self.rounds if round is None else round)
        for id in skipped:
            images[id] = ("skipped", None, images[id][2])
        self.images = images

    def skip(self, id, source):
        if id not in self.images:
            raise UserError("")
        self.images[id] = ("skipped", None, self.images[id][2])


def refused(table, change, *given, **options):
    """Whether the table does not take the change."""
    try:
        getattr(table, change)(*given, **options)
    except UserError:
        return True
    return False


@settings(max_examples=25, deadline=None)
@given(st.lists(ACTIONS, max_size=12))
def test_any_sequence_of_changes_is_what_plain_dicts_make_of_it(actions):
    with TemporaryDirectory() as scratch:
        pool, model = Pool.create(Path(scratch), SETTINGS, PATHS), Model()
        for number, (what, *given) in enumerate(actions):
            options = {}
            if what == "ask":
                change = [given[0], "random", None, {}]
            elif what == "answer":
                change = [dict.fromkeys(given[0], f"{number}.0"), "x"]
                options = {"skipped": given[1] - given[0], "amend": given[2]}
            else:
                change = [given[0], "x"]
            assert refused(pool, what, *change, **options) == refused(model, what, *change, **options)
            rows = pool.rows()
            assert {row.id: (row.state, row.label, row.round) for row in rows} == model.images
            assert all((row.label is not None) == (row.state == "labeled") for row in rows)
            assert pool.counts() == Counter((row.part, row.state) for row in rows)
            assert sum(pool.counts().values()) == len(PATHS)
            assert len(pool.rounds()) == model.rounds + 1


def test_runs_below_the_folder_move_with_it(tmp_path):
    (tmp_path / "here").mkdir()
    pool = Pool.create(tmp_path / "here", Settings(images="images", takes="score"), ["a.png", "b.png"])
    pool.ask([0], "random", None, {})
    pool.trained(1, str(pool.folder.absolute() / "runs/001"))
    pool.ask([1], "coreset", str(tmp_path / "elsewhere/run"), {})
    moved = pool.folder.rename(tmp_path / "moved")
    first, second = Pool(moved).rounds()[1:]
    assert first.trained == str(moved.absolute() / "runs/001")
    assert second.run == str(tmp_path / "elsewhere/run")


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM meta",
        "DELETE FROM rounds",
        "UPDATE meta SET value = ''",
        "UPDATE meta SET value = '{\"images\": 3}'",
        "UPDATE meta SET value = CAST(X'FFFE' AS TEXT)",
        "DROP TABLE images",
    ],
)
def test_a_damaged_table_is_one_sentence(pool, damage):
    with sqlite3.connect(pool.file) as table:
        table.execute(damage)
    with pytest.raises(UserError, match=r"pool\.db") as error:
        Pool(pool.folder).rows()
    assert "\n" not in str(error.value)


def test_a_damaged_file_says_what_helps(pool):
    content = pool.file.read_bytes()
    for broken in (b"", content[:200], b"not a table at all" * 100, content[:100] + bytes(2000) + content[2100:]):
        pool.file.write_bytes(broken)
        with pytest.raises(UserError, match="pool"):
            Pool(pool.folder).rows()


def test_damaged_points_are_one_sentence():
    for label in ("", "[[1]]", '{"x": 1}', "[[1, NaN]]", '[["a", 2]]'):
        with pytest.raises(UserError, match="a label of the pool is damaged"):
            read_points(label)
    assert read_points("[[1, 2.5], [3, 4]]") == [(1.0, 2.5), (3.0, 4.0)]


def test_a_full_disk_makes_no_half_table(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, hard))
    try:
        with pytest.raises(UserError, match=r"pool.db cannot be written: .*; make room, or name another folder"):
            Pool.create(tmp_path, SETTINGS, [f"{number}.png" for number in range(5000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in tmp_path.iterdir() if path.stat().st_size and not path.name.endswith("-journal")]
    Pool.create(tmp_path, SETTINGS, PATHS)
