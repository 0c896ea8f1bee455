"""Streams stand at the top, phases name them; each may be like another."""

from __future__ import annotations

import re

import pytest
import yaml
from helpers import fakes
from helpers.plugins import component, plugin
from helpers.recipes import TWO, load_text, problems_of

import rankhub
import rankhub_active
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.options import StreamName
from rankhub.recipe.schema import phase_streams
from rankhub_active.acquire import Acquirer


class Looks(fakes.Spread):
    """Names a stream."""

    def __init__(self, *, stream: StreamName):
        super().__init__(data="photos")


class Takes(Acquirer):
    """Names a stream."""

    def __init__(self, *, stream: StreamName):
        self.stream = stream

    def __call__(self, source, labeled, candidates, count):
        raise NotImplementedError


MINE = plugin(component("looks", f"{__name__}:Looks", "evaluator"), component("takes", f"{__name__}:Takes", "acquirer"))
CATALOG = Catalog.of({"fakes": fakes, "mine": MINE, "rankhub_active": rankhub_active})
ALONE = "phases=[{name: one, streams: [labeled], steps: 2}]"


def load(*overrides, text=TWO):
    return load_text(text, overrides, CATALOG, file="f")


def problems(*overrides, text=TWO):
    return problems_of(text, overrides, CATALOG, file="f")


def sentences(*overrides, text=TWO):
    return [problem.partition("  ")[2] for problem in problems(*overrides, text=text)]


def test_a_list_and_a_mapping_of_streams_are_the_same():
    written = [
        load(f"phases.ranking.streams={streams}").recipe
        for streams in ("[ranked]", "{ranked: {}}", "{ranked: null}", "{ranked: {weight: 1.0}}")
    ]
    assert all(recipe == written[0] for recipe in written)


@pytest.mark.parametrize("names", [("labeled", "ranked"), ("ranked", "labeled")])
def test_their_order_is_the_order_of_turns_however_they_are_written(names):
    for streams in ("[A, B]", "{A: {}, B: {}}", "{A: , B: {weight: 2}}"):
        text = streams.replace("A", names[0]).replace("B", names[1])
        loaded = load(f"phases.multitask.streams={text}")
        assert tuple(loaded.recipe.phases[1].streams) == names
        assert tuple(load(text=loaded.resolved_text()).recipe.phases[1].streams) == names


def test_what_a_phase_says_of_a_stream_holds_in_that_phase():
    changes = ["phases.multitask.streams.ranked.accumulate=2", "phases.multitask.streams.ranked.statistics=false"]
    found = [(stream.batch_size, stream.accumulate, stream.statistics) for _, _, stream in phase_streams(load().recipe)]
    assert found == [(6, 1, True), (4, 1, True), (2, 1, True)]
    found = [(s.batch_size, s.accumulate, s.statistics) for _, _, s in phase_streams(load(*changes).recipe)]
    assert found == [(6, 1, True), (4, 1, True), (2, 2, False)]


def test_a_batch_of_a_phase_must_be_cut_as_one_of_the_stream():
    assert sentences("phases.multitask.streams.ranked.accumulate=4") == [
        "phases.1.streams.ranked.accumulate: batch_size 2 cannot be cut into 4 equal micro-batches; "
        "phases.1.streams.ranked.accumulate=2 would do"
    ]
    assert sentences("streams.ranked.accumulate=3") == [
        "phases.1.streams.ranked.batch_size: batch_size 2 cannot be cut into 3 equal micro-batches; "
        "phases.1.streams.ranked.accumulate=2 would do"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "phases.ranking.streams=[rankd]",
            "phases.0.streams.rankd: no stream is called 'rankd'; did you mean 'ranked'?",
        ),
        (
            "phases.ranking.streams={rankd: {}}",
            "phases.0.streams.rankd: no stream is called 'rankd'; did you mean 'ranked'?",
        ),
        (
            "phases.ranking.streams=[ranked, ranked]",
            "phases.0.streams: ranked stands more than once; name a stream once",
        ),
        (
            "phases.ranking.streams=[]",
            "phases.0.streams: got []; expected a list of streams, or a mapping from streams to what differs there",
        ),
        (
            "phases.ranking.streams=ranked",
            'phases.0.streams: got "ranked"; expected a list of streams, or a mapping from streams to what differs',
        ),
        (
            "phases.ranking.streams=[{ranked: {weight: 2}}]",
            'phases.0.streams: got [{"ranked": {"weight": 2}}]; expected a list of streams, or a mapping from streams',
        ),
        (
            "phases.ranking.streams.ranked.wieght=2",
            "phases.0.streams.ranked.wieght: unknown key 'wieght'; did you mean 'weight'?",
        ),
        (
            "phases.multitask.clock=labelled",
            "phases.1.clock: no stream is called 'labelled' in this phase; did you mean",
        ),
        (
            "phases.ranking.clock=labeled",
            "phases.0.clock: no stream is called 'labeled' in this phase; expected ranked",
        ),
        ("streams={}", "streams: got {}; expected a mapping of at least 1"),
        (
            "streams.ranked=null",
            "streams.ranked: got null; expected a mapping with the keys data, batch_size, block, generator, objectives",
        ),
        ("streams.ranked.objectives=[]", "streams.ranked.objectives: got []; expected a list of at least 1"),
        ("streams.ranked.data=phots", "streams.ranked.data: no data set is called 'phots'; did you mean 'photos'?"),
    ],
)
def test_what_is_wrong_with_streams_is_one_sentence(change, said):
    (found,) = sentences(change)
    assert found.startswith(said)


def test_a_stream_twice_in_a_list_of_the_file_is_said_at_its_line():
    text = TWO.replace("streams: [ranked]", "streams: [ranked, ranked]")
    line = 1 + text[: text.index("[ranked, ranked]")].count("\n")
    assert problems(text=text) == [f"f:{line}  phases.0.streams: ranked stands more than once; name a stream once"]


def test_a_stream_that_no_phase_uses_is_said_unless_something_names_it():
    (found,) = sentences(ALONE)
    assert found.startswith("streams.ranked: no phase uses this stream, and nothing else names it")
    for used in ("evaluate=[{use: looks, stream: ranked}]", "acquire={use: takes, stream: ranked}"):
        loaded = load(ALONE, used)
        assert loaded.recipe.trained_streams == ["labeled"]


def test_the_data_of_a_stream_that_only_an_evaluator_names_are_not_needed():
    other = ["data.spare={use: patches}", "streams.ranked.data=spare"]
    assert "spare" in load(*other).recipe.used_data
    assert load(*other, ALONE, "evaluate=[{use: looks, stream: ranked}]").recipe.used_data == {"scored"}


def test_a_wrong_name_of_a_phase_or_a_wrong_evaluator_hides_who_uses_a_stream():
    assert len(sentences("phases=[{name: one, streams: [labeled, rankd], steps: 2}]")) == 1
    assert len(sentences(ALONE, "evaluate=[{use: looks, stream: ranked, extra: 1}]")) == 1


COPY = TWO.replace("phases:", "  more: {like: ranked, batch_size: 3}\nphases:").replace("[ranked]", "[ranked, more]")


def test_a_stream_like_another_has_its_keys_and_keeps_its_own():
    streams = load(text=COPY).recipe.streams
    assert streams["more"] == streams["ranked"].model_copy(update={"batch_size": 3})


def test_own_keys_replace_whole():
    text = COPY.replace("batch_size: 3}", "generator: [{use: jitter}], objectives: [{use: fit, head: main}]}")
    more = load(text=text).recipe.streams["more"]
    assert [step.use for step in more.generator] == ["fakes/jitter"]
    assert [(objective.use, objective.weight) for objective in more.objectives] == [("fakes/fit", 1.0)]
    assert more.batch_size == 6


def test_a_change_of_the_source_reaches_its_copies_and_not_the_other_way():
    def views(*changes):
        streams = load(*changes, text=COPY).recipe.streams
        return [streams[name].generator[1].options["views"] for name in ("ranked", "more")]

    assert views("streams.ranked.generator.jitter.views=5") == [5, 5]
    assert views("streams.more.generator.jitter.views=5") == [2, 5]
    assert views("streams.more.generator.jitter.views=5", "streams.ranked.generator.jitter.views=3") == [3, 5]
    assert views("streams.*.generator.jitter.views=4") == [4, 4]
    assert views("streams.ranked.generator=[{use: dimmer}, {use: jitter, views: 7}]") == [7, 7]


def test_what_a_copy_inherits_is_wrong_once_and_where_it_is_written():
    text = COPY.replace("views: 2", "views: 0")
    line = 1 + text[: text.index("views: 0")].count("\n")
    assert problems(text=text) == [
        f"f:{line}  streams.ranked.generator.1.views: got 0; expected a whole number of at least 1 [fakes]"
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{like: rankd}", "no stream is called 'rankd'; did you mean 'ranked'?"),
        ("{like: more}", "'more' is like itself; expected one of labeled, ranked"),
        (
            "{like: other}",
            "'other' is itself like another; name an entry that has `data`; expected one of labeled, ranked",
        ),
        ("{like: 3}", "got 3; expected the name of another entry under `streams:`"),
        ("{like: [3]}", "got [3]; expected the name of another entry under `streams:`"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_a_stream_cannot_be_like(entry, said, first):
    lines = [f"  more: {entry}\n", "  other: {like: ranked}\n"]
    text = TWO.replace("phases:", "".join(lines if first else lines[::-1]) + "phases:")
    text = text.replace("[ranked]", "[ranked, more, other]")
    assert sentences(text=text) == [f"streams.more.like: {said}"]


def test_the_resolved_recipe_has_no_like():
    resolved = yaml.safe_load(load(text=COPY).resolved_text())
    assert "like" not in str(resolved)
    assert resolved["streams"]["more"] == {**resolved["streams"]["ranked"], "batch_size": 3}


def test_streams_that_lack_images_are_named_all_at_once_each_with_the_change_to_type(tmp_path):
    few = ["data.scored.count=3", "data.photos.count=5", "phases.ranking.streams.ranked.batch_size=7"]
    with pytest.raises(UserError) as refused:
        rankhub.train(load(*few), tmp_path / "run", progress=False)
    assert str(refused.value).splitlines() == [
        "stream 'ranked' takes 7 images a step, its data have only 5; add images, or set "
        "phases.ranking.streams.ranked.batch_size=5",
        "stream 'labeled' takes 4 images a step, its data have only 3; add images, or set streams.labeled.batch_size=3",
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("count=5", "count: unknown key 'count'; did you mean data.photos.count=5 or data.scored.count=5?"),
        ("views=3", "views: unknown key 'views'; did you mean streams.ranked.generator.jitter.views=3?"),
        ("ranked.accumulate=2", "ranked: a recipe has no 'ranked'; did you mean streams.ranked.accumulate=2?"),
        ("momentum=0.5", "momentum: unknown key 'momentum'; did you mean optimizer.momentum=0.5?"),
        ("head=main", "head: unknown key 'head'; did you mean 'heads'?"),
        ("optimizer.batch_size=2", "; did you mean streams.ranked.batch_size=2 or streams.labeled.batch_size=2"),
        ("optimizer.mometum=2", "optimizer.mometum: unknown option 'mometum'; did you mean 'momentum'?"),
        ("nothing_so=2", "nothing_so: unknown key 'nothing_so'; expected one of acquire, "),
    ],
)
def test_an_unknown_key_is_answered_with_the_paths_that_end_in_it(typed, said):
    (found,) = sentences(typed)
    assert said in found
    for path in re.findall(r"[\w.]+=\w+", found.partition("did you mean")[2]):
        load(path)


def test_so_is_one_in_a_file():
    assert sentences(text=TWO.replace("heads:", "batch_size: 4\nheads:")) == [
        "batch_size: unknown key 'batch_size'; did you mean streams.ranked.batch_size or streams.labeled.batch_size or "
        "phases.multitask.streams.ranked.batch_size?"
    ]
