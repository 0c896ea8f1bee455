"""A new kind of component is a record of a plugin, its protocol and its place; nothing else has to know it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from helpers import fakes
from helpers.plugins import catalog_of, component, plugin

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.discovery import BrokenPlugin
from rankhub.interfaces.kinds import KINDS, Kind
from rankhub.recipe.schema import Recipe, shape_of

PROTOCOL = '''
from abc import ABC, abstractmethod


class Greeter(ABC):
    """Says something."""

    @abstractmethod
    def greet(self):
        """The words."""

    def check(self, streams, numbers):
        """Sentences against the streams and the outputs that are one number."""
        return [f"{self.times} at {sorted(streams)} for {sorted(numbers)}"] if self.times == 11 else []
'''

COMPONENT = '''
from typing import Annotated

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.options import DataName, Ge, OutputName
from made_up_kind import Greeter


class Loud(Greeter):
    """Shouts.

    Args:
        times: How often.
        at: Whom.
        of: What.
    """

    def __init__(
        self, WIRED*, times: Annotated[int, Ge(1)] = 2, at: DataName = "train", of: OutputName = "backbone"
    ):
        if times == 13:
            raise Objection("thirteen is unlucky")
        self.times, self.at, self.width = times, at, WIDTH

    def greet(self):
        return self.times * f"hello {self.at}! "
'''

PROGRAM = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
place, wired = sys.argv[2], json.loads(sys.argv[3])

from rankhub.interfaces.kinds import Kind

row = Kind("greeter", "Says something.", "made_up_kind:Greeter", place, wired=tuple(wired), told=("streams", "numbers"))

from helpers import fakes
from helpers.plugins import component, plugin
from helpers.recipes import load_text
import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.errors import UserError
from rankhub.recipe.assembly import Assembly
from rankhub_browse.editor_schema import editor_schema

mine = plugin(component("loud", "made_up_component:Loud", "greeter"))
catalog = Catalog.of({"fakes": fakes, "mine": mine, "other": plugin(kinds=[row])})


def said(written, *overrides):
    try:
        load_text(fakes.RECIPE + written, list(overrides), catalog, file="f")
    except UserError as error:
        return [line.partition("  ")[2].partition("  ")[2] for line in str(error).splitlines()[1:-1]]


def around(spec):
    shapes = {"greeters[]": f"greeters: [{spec}]", "greeters.*": f"greeters: {{hall: {spec}}}"}
    return shapes.get(place, f"greeters: {spec}") + "\\n"


loaded = load_text(fakes.RECIPE + around("{use: loud, times: 3}"), [], catalog)
resolved = loaded.resolved()
assembly = Assembly.of(loaded.recipe, catalog)
(steps,) = [steps for steps, kind in assembly.sites.items() if kind == "greeter"]
made = assembly.get(*steps)
schema = editor_schema(catalog)
page = rankhub.describe("greeter", "loud", catalog)
print(json.dumps({
    "absent": "greeters" in load_text(fakes.RECIPE, [], catalog).resolved(),
    "resolved": resolved["greeters"],
    "again": load_text(loaded.resolved_text(), [], catalog).resolved() == resolved,
    "steps": steps,
    "greets": made.greet(),
    "width": made.width,
    "unknown": said(around("{use: lound}")),
    "options": said(around("{use: loud, tims: 3}")),
    "range": said(around("{use: loud, times: 0}")),
    "data": said(around("{use: loud, at: trian}")),
    "meaning": said(around("{use: loud, times: 13}")),
    "told": said(around("{use: loud, times: 11}")),
    "output": said(around("{use: loud, of: main.ratng}")),
    "shape": said("greeters: 3\\n"),
    "override": said(around("{use: loud}"), ".".join(map(str, [*steps, "times"])) + "=0"),
    "schema": [schema["else"]["properties"]["greeters"], schema["$defs"]["greeter"]["properties"]["use"]["anyOf"][0]],
    "listed": [info.name for info in rankhub.list_components("greeter", catalog)],
    "page": [page.address, [option.name for option in page.options], [*page.wired]],
}))
"""


@pytest.fixture(scope="module", params=["greeters", "greeters[]", "greeters.*"])
def found(request, tmp_path_factory, repo):
    """What is said of a recipe with a component of the new kind, at one of the three places that it may have."""
    folder = tmp_path_factory.mktemp("made_up")
    wired = request.param == "greeters[]"
    source = COMPONENT.replace("WIRED", "features, /, " if wired else "").replace(
        "WIDTH", "features.width" if wired else "0"
    )
    (folder / "made_up_kind.py").write_text(PROTOCOL)
    (folder / "made_up_component.py").write_text(source)
    paths = json.dumps([str(folder), str(repo), str(repo / "tests")])
    command = [sys.executable, "-c", PROGRAM, paths, request.param, json.dumps(["features"] if wired else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    steps = {"greeters": ["greeters"], "greeters[]": ["greeters", 0], "greeters.*": ["greeters", "hall"]}[request.param]
    return {**json.loads(done.stdout), "place": request.param, "expected": steps, "wired": wired}


def around(found, one):
    return {"greeters": one, "greeters[]": [one], "greeters.*": {"hall": one}}[found["place"]]


def test_the_recipe_has_its_place_and_resolves(found):
    whole = {"use": "mine/loud", "times": 3, "at": "train", "of": "backbone"}
    assert found["resolved"] == around(found, whole)
    assert found["again"]
    assert not found["absent"]


def test_the_assembly_makes_it_and_hands_it_what_is_wired_in(found):
    assert found["steps"] == found["expected"]
    assert found["greets"] == "hello train! hello train! hello train! "
    assert found["width"] == (8 if found["wired"] else 0)


def test_the_check_knows_it(found):
    at = ".".join(map(str, found["expected"]))
    assert found["unknown"] == [f"{at}.use: no greeter is called 'lound'; did you mean 'loud' of mine?"]
    assert found["options"] == [f"{at}.tims: unknown option 'tims'; did you mean 'times'? [mine]"]
    assert found["range"] == [f"{at}.times: got 0; expected a whole number of at least 1 [mine]"]
    assert found["data"] == [f"{at}.at: no data set is called 'trian'; did you mean 'train'? [mine]"]
    assert found["meaning"] == [f"{at}: thirteen is unlucky [mine]"]
    assert found["told"] == [f"{at}: 11 at ['views'] for ['main.rating'] [mine]"]
    assert found["output"] == [f"{at}.of: no output is called 'main.ratng'; did you mean 'main.rating'? [mine]"]
    assert found["override"] == found["range"]
    (shape,) = found["shape"]
    assert shape.startswith("greeters: got 3; expected a")


def test_the_schema_for_editors_and_describe_know_it(found):
    address, use = found["schema"]
    assert "#/$defs/greeter" in json.dumps(address)
    assert use == {"enum": ["loud"]}
    assert found["listed"] == ["loud"]
    assert found["page"] == [found["place"], ["times", "at", "of"], ["features"] if found["wired"] else []]


GREETER = Kind("greeter", "Says something.", "made_up_kind:Greeter", "greeters")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (3, "its rankhub_kinds returned 3 in place of an item of a list of rankhub.interfaces.kinds.Kind"),
        (replace(GREETER, address="streams.*.x"), "its kind 'greeter' has the place 'streams.*.x'; expected NAME, "),
        (replace(GREETER, wired=("outputs",)), "its kind 'greeter' is handed 'outputs'; expected some of features, "),
        (replace(GREETER, told=("label",)), "its kind 'greeter' is handed 'label'; expected some of features, "),
        (replace(GREETER, name="loss"), "another plugin, or rankhub itself, has the kind 'loss' that it brings"),
    ],
)
def test_a_plugin_whose_kind_cannot_be_used_is_broken(kind, reason):
    catalog = Catalog.of({"fakes": fakes, "mine": plugin(kinds=[kind])})
    (broken,) = catalog.broken
    assert broken.reason.startswith(reason)
    assert dict(catalog.kinds) == dict(KINDS)


def test_a_record_of_another_form_is_refused():
    with pytest.raises(ValueError, match="target 'greeter' of kind 'greeter' must be 'module:attribute'"):
        replace(GREETER, protocol="greeter")
    with pytest.raises(ValueError, match="kind name 'Greeter' must be lower case"):
        replace(GREETER, name="Greeter")


def test_of_two_kinds_of_one_name_that_of_the_official_plugin_counts():
    other = replace(GREETER, summary="Is silent.")
    official = plugin(component("loud", kind="greeter"), kinds=[GREETER])
    catalog = catalog_of(("a", "a", plugin(kinds=[other])), ("b", "rankhub", official), ("c", "c", official))
    assert [one.owner for one in catalog.broken] == ["a"]
    assert catalog.kinds["greeter"] == GREETER
    assert [info.full_name for info in catalog.entries("greeter")] == ["b/loud", "c/loud"]


def test_a_component_of_an_unknown_kind_says_who_might_bring_it():
    off = BrokenPlugin("b", "b", "1", "it is off", off=True)
    catalog = Catalog([*Catalog.of({"mine": plugin(component("loud", kind="greetr"))}).broken, off])
    assert catalog.broken[0].reason.startswith("its component 'loud' is of the unknown kind 'greetr'; expected one of ")
    mine = catalog_of(("mine", "mine", plugin(component("a", kind="los"))), ("good", "good", plugin(component("b"))))
    assert [one.owner for one in mine.plugins] == ["good"]
    assert mine.broken[0].reason == "its component 'a' is of the unknown kind 'los'; did you mean 'loss'?"


def test_a_kind_has_no_place_in_a_recipe_or_cannot_have_that_of_another_key():
    nowhere = Catalog.of({"fakes": fakes, "mine": plugin(kinds=[replace(GREETER, address="")])})
    assert shape_of(nowhere.kinds) is Recipe
    for key in ("seed", "epochs", "extends"):
        taken = Catalog.of({"fakes": fakes, "mine": plugin(kinds=[replace(GREETER, address=key)])})
        with pytest.warns(RuntimeWarning, match=f"recipes have a key '{key}' already, so none can name a component of"):
            assert shape_of(taken.kinds) is Recipe
