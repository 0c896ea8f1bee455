"""The key `acquire` of a recipe, which a plugin brings with the kind of its components."""

from __future__ import annotations

import json
from typing import Annotated

import pytest
import yaml
from helpers import fakes
from helpers.plugins import component, plugin
from helpers.recipes import load_text

import rankhub_active
import rankhub_guards
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.discovery import BrokenPlugin
from rankhub.interfaces.options import Ge, OutputName, StreamName
from rankhub.recipe.report import RecipeErrors
from rankhub_active.acquire import Acquirer
from rankhub_browse.editor_schema import editor_schema

TOLD = []


class Picky(Acquirer):
    """Takes one stream.

    Args:
        stream: Which.
        output: Of which head.
        draws: How often.
        broken: Whether its check fails.
    """

    def __init__(
        self,
        *,
        stream: StreamName | None = None,
        output: OutputName = "backbone",
        draws: Annotated[int, Ge(1)] = 3,
        broken: bool = False,
    ):
        self.stream, self.output, self.draws, self.broken = stream, output, draws, broken

    def check(self, streams, numbers):
        if self.broken:
            raise ZeroDivisionError("oh")
        TOLD.append((streams, numbers))
        if self.draws == 7:
            yield "seven draws are unlucky"

    def __call__(self, source, labeled, candidates, count):
        raise NotImplementedError


CATALOG = Catalog.of(
    {
        "fakes": fakes,
        "rankhub_active": rankhub_active,
        "rankhub_guards": rankhub_guards,
        "mine": plugin(component("picky", f"{__name__}:Picky", "acquirer")),
    }
)


def load(*overrides, text=fakes.RECIPE):
    return load_text(text, overrides, CATALOG, file="f")


def problems(*overrides, text=fakes.RECIPE):
    with pytest.raises(RecipeErrors) as caught:
        load(*overrides, text=text)
    return [str(problem) for problem in caught.value.problems]


def test_the_resolved_recipe_has_all_its_options():
    assert load().recipe.acquire is None
    assert "acquire" not in load().resolved()
    resolved = load("acquire={use: picky, draws: 5}")
    written = yaml.safe_load(resolved.resolved_text())["acquire"]
    assert written == {"use": "mine/picky", "stream": None, "output": "backbone", "draws": 5, "broken": False}
    assert load(text=resolved.resolved_text()).recipe == resolved.recipe
    assert load("acquire.use=picky").recipe.acquire.options["draws"] == 3


def test_an_acquirer_is_told_what_the_streams_train_and_what_is_a_number():
    TOLD.clear()
    load("acquire.use=picky")
    ((streams, numbers),) = TOLD
    assert numbers == {"main.rating": 1.0}
    assert list(streams) == ["views"]
    assert streams["views"].views.views == 2
    assert streams["views"].outputs == ("main.arrow", "main.rating")
    TOLD.clear()
    load("acquire.use=picky", "streams.views.objectives.0.output=arrow")
    assert TOLD[0][0]["views"].outputs == ("main.arrow",)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("acquire={use: piky}", "acquire.use: no acquirer is called 'piky'; did you mean 'picky'"),
        ("acquire={use: picky, drws: 2}", "acquire.drws: unknown option"),
        ("acquire={use: picky, draws: 0}", "acquire.draws: "),
        ("acquire={use: picky, stream: vews}", "acquire.stream: "),
        ("acquire={use: picky, output: main.ratng}", "acquire.output: no output is called 'main.ratng'"),
        ("acquire={use: picky, draws: 7}", "acquire: seven draws are unlucky [mine]"),
        (
            "acquire={use: picky, broken: true}",
            "acquire: acquirer 'picky' of plugin mine 0 failed in check: ZeroDivisionError: oh",
        ),
        ("acquire={use: pull}", "acquire.use: "),
        ("acquire={draws: 2}", "acquire"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(override, sentence):
    (problem,) = problems(override)
    assert sentence in problem


def test_a_mistake_in_the_file_is_named_by_its_line():
    text = fakes.RECIPE + "acquire:\n  use: picky\n  draws: 0\n"
    (problem,) = problems(text=text)
    assert f"f:{len(text.splitlines())}" in problem


def test_an_acquirer_is_not_asked_of_a_recipe_that_is_wrong_elsewhere():
    TOLD.clear()
    (problem,) = problems("acquire={use: picky, draws: 7}", "heads.main.dim=0")
    assert "heads.main.dim" in problem
    assert not TOLD


def test_editors_know_it():
    schema = editor_schema(CATALOG)
    for recipe in (schema["else"], schema["$defs"]["partial.recipe"]):
        entry = recipe["properties"]["acquire"]
        assert "Which images of a pool" in entry["description"]
        assert "acquirer" in str(entry["anyOf"][0])
    acquirers = json.dumps(schema["$defs"]["acquirer"])
    for known in ('"picky"', '"draws"', "How often.", '"minimum": 1'):
        assert known in acquirers


def test_without_the_plugin_of_the_kind_its_key_is_unknown_and_who_might_bring_it_is_said():
    off = BrokenPlugin("rankhub_active", "rankhub", "1", "it is switched off", off=True)
    alone = Catalog([*Catalog.of({"fakes": fakes}).plugins, off])
    with pytest.raises(RecipeErrors) as caught:
        load_text(fakes.RECIPE + "acquire: {use: picky}\n", [], alone, file="f")
    (problem,) = caught.value.problems
    assert "unknown key 'acquire'" in problem.text
    assert "or is it in plugin rankhub_active, which cannot be used: it is switched off" in problem.text
    resolved = load().resolved_text()
    assert load_text(resolved, [], alone, file="f").resolved() == load().resolved()
