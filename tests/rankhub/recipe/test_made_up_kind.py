"""A new kind of component is a row of the table, its protocol and its place; nothing else has to know it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROTOCOL = '''
from abc import ABC, abstractmethod


class Greeter(ABC):
    """Says something."""

    @abstractmethod
    def greet(self):
        """The words."""
'''

COMPONENT = '''
from typing import Annotated

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.options import DataName, Ge
from made_up_kind import Greeter


class Loud(Greeter):
    """Shouts.

    Args:
        times: How often.
        at: Whom.
    """

    def __init__(self, WIRED*, times: Annotated[int, Ge(1)] = 2, at: DataName = "train"):
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

from types import MappingProxyType
from rankhub.interfaces import kinds

row = kinds.Kind(
    "greeter", "Says something.", "made_up_kind:Greeter", tuple(kinds.Wired(name, "x") for name in wired), place
)
kinds.KINDS = MappingProxyType({**kinds.KINDS, "greeter": row})

from helpers import fakes
from helpers.plugins import component, plugin
from helpers.recipes import load_text
import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.errors import UserError
from rankhub.recipe.assembly import Assembly
from rankhub_browse.editor_schema import editor_schema

mine = plugin(component("loud", "made_up_component:Loud", "greeter"))
catalog = Catalog.of({"fakes": fakes, "mine": mine})


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
    "absent": load_text(fakes.RECIPE, [], catalog).resolved()["greeters"],
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
    "shape": said("greeters: 3\\n"),
    "override": said(around("{use: loud}"), ".".join(map(str, [*steps, "times"])) + "=0"),
    "schema": [schema["else"]["properties"]["greeters"], schema["$defs"]["greeter"]["properties"]["use"]["anyOf"][0]],
    "listed": [info.name for info in rankhub.list_components("greeter", catalog)],
    "page": [page.address, [option.name for option in page.options], [wired.name for wired in page.wired]],
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
    whole = {"use": "mine/loud", "times": 3, "at": "train"}
    assert found["resolved"] == around(found, whole)
    assert found["again"]
    assert found["absent"] is None


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
    assert found["override"] == found["range"]
    (shape,) = found["shape"]
    assert shape.startswith("greeters: got 3; expected a")


def test_the_schema_for_editors_and_describe_know_it(found):
    address, use = found["schema"]
    assert "#/$defs/greeter" in json.dumps(address)
    assert use == {"enum": ["loud"]}
    assert found["listed"] == ["loud"]
    assert found["page"] == [found["place"], ["times", "at"], ["features"] if found["wired"] else []]
