"""What a bare name means where two plugins give it: components, and files of recipes."""

from __future__ import annotations

import pytest
import yaml
from helpers import fakes
from helpers.plugins import catalog_of, component, package, plugin

from rankhub.interfaces.errors import UserError
from rankhub.recipe.load import load_recipe
from rankhub.recipe.reader import write_yaml
from rankhub.recipe.report import RecipeErrors
from rankhub.recipe.shipped import find, names


class Pull(fakes.Pull):
    """Acme's own.

    Args:
        gentle: An option that the other has not.
    """

    def __init__(self, outputs, /, *, gentle: bool = False):
        super().__init__(outputs)


class Ramp(fakes.Ramp):
    """Acme's own."""


BLOCK = fakes.RECIPE.replace("name: fake\n", "")
BASED = "extends: part\nname: NAME\n"


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    """Two distributions, each with a loss `pull`, a schedule `ramp`, a recipe `mine` and a block `part`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    first = {"mine.yaml": BASED.replace("NAME", "of_fakes"), "blocks/part.yaml": BLOCK}
    second = {
        "mine.yaml": BASED.replace("NAME", "of_acme"),
        "only.yaml": "extends: part\nstreams: {views: {objectives: [{use: pull, head: main, gentle: true}]}}\n",
        "blocks/part.yaml": BLOCK + "seed: 7\n",
        "overlays/gentle.yaml": "streams.views.objectives: [{use: pull, head: main, gentle: true}]\n",
    }
    folders = [
        package(tmp_path, f"names_{tmp_path.name}_{number}", files) for number, files in enumerate((first, second))
    ]
    core = plugin(*fakes.rankhub_components(), recipes=[folders[0]])
    acme = plugin(
        component("pull", f"{__name__}:Pull"),
        component("ramp", f"{__name__}:Ramp", "schedule"),
        recipes=[folders[1]],
    )
    return catalog_of(("fakes", "rankhub", core), ("acme", "acme-ranking", acme))


def loss(loaded):
    return loaded.resolved()["streams"]["views"]["objectives"][0]["use"]


def sentences(catalog, source, *overrides, **options):
    with pytest.raises(RecipeErrors) as caught:
        load_recipe(source, overrides, catalog, **options)
    return [str(problem).partition("  ")[2] for problem in caught.value.problems]


CLASH = "streams.views.objectives.0.use: loss 'pull' is given by fakes and acme; write fakes/pull or acme/pull"
RAMPS = "schedule.use: schedule 'ramp' is given by fakes and acme; write fakes/ramp or acme/ramp"


def test_in_a_shipped_recipe_it_is_that_of_its_own_distribution(catalog):
    ours, theirs = (load_recipe(f"{owner}/mine", [], catalog) for owner in ("fakes", "acme"))
    assert (loss(ours), ours.recipe.schedule.use, ours.name, ours.recipe.seed) == (
        "fakes/pull",
        "fakes/ramp",
        "of_fakes",
        0,
    )
    assert (loss(theirs), theirs.recipe.schedule.use, theirs.name) == ("acme/pull", "acme/ramp", "of_acme")
    assert theirs.recipe.seed == 7  # the block of its own distribution, too
    assert theirs.recipe.data["train"].use == "fakes/patches"  # which only one plugin gives


def test_in_a_user_s_recipe_it_is_refused_and_both_are_named(catalog, tmp_path):
    (tmp_path / "mine.yaml").write_text(fakes.RECIPE)
    assert sentences(catalog, "mine.yaml") == [RAMPS, CLASH]
    text = fakes.RECIPE.replace("use: pull", "use: acme/pull").replace("use: ramp", "use: fakes/ramp")
    (tmp_path / "mine.yaml").write_text(text)
    assert loss(load_recipe("mine.yaml", [], catalog)) == "acme/pull"


def test_a_change_is_the_user_s(catalog):
    objectives = "streams.views.objectives=[{use: pull, head: main}]"
    assert sentences(catalog, "acme/mine", objectives) == [CLASH]
    assert sentences(catalog, "acme/mine", "schedule.use=ramp") == [RAMPS]
    assert sentences(catalog, "acme/mine", "optimizer.lr={use: ramp}") == [
        RAMPS.replace("schedule.use:", "optimizer.lr.use:")
    ]
    assert loss(load_recipe("acme/mine", ["streams.views.objectives.pull.weight=2"], catalog)) == "acme/pull"


def test_a_user_s_recipe_that_extends_a_shipped_one_inherits_its_meaning(catalog, tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: acme/part\nseed: 1\n")
    assert loss(load_recipe("mine.yaml", [], catalog)) == "acme/pull"
    (tmp_path / "mine.yaml").write_text(
        "extends: acme/part\nstreams: {views: {objectives: [{use: pull, head: main}]}}\n"
    )
    assert sentences(catalog, "mine.yaml") == [CLASH]
    both = "streams: {more: {like: views}}\nphases: [{name: first, streams: [views, more], clock: more}]\n"
    (tmp_path / "mine.yaml").write_text(f"extends: acme/part\n{both}")
    streams = load_recipe("mine.yaml", [], catalog).recipe.streams
    assert {stream.objectives[0].use for stream in streams.values()} == {"acme/pull"}


def test_a_shipped_overlay_means_its_own_too(catalog, tmp_path):
    assert loss(load_recipe("fakes/mine", [], catalog, overlays=["gentle"])) == "acme/pull"
    (tmp_path / "mine.yaml").write_text("streams.views.objectives: [{use: pull, head: main}]\n")
    assert sentences(catalog, "fakes/mine", overlays=["mine.yaml"]) == [CLASH]


def test_a_copy_of_a_shipped_recipe_is_the_user_s(catalog, tmp_path):
    (tmp_path / "copy.yaml").write_text(find("only", catalog).text)
    assert "extends: the block or recipe 'part' is brought by acme and fakes" in sentences(catalog, "copy.yaml")[0]


def test_resolved_recipes_have_full_names_and_load_whatever_is_installed_since(catalog, tmp_path):
    loaded = load_recipe("only", ["optimizer.lr={use: fakes/ramp}"], catalog)
    resolved = yaml.safe_load(loaded.resolved_text())
    assert "use: pull" not in loaded.resolved_text()
    assert resolved["optimizer"]["lr"]["use"] == "fakes/ramp"
    assert resolved["streams"]["views"]["objectives"][0]["use"] == "acme/pull"
    (tmp_path / "again.yaml").write_text(write_yaml(resolved))
    assert load_recipe("again.yaml", [], catalog).resolved() == loaded.resolved()


def test_two_plugins_of_one_distribution_are_told_apart_by_their_names_only(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    folder = package(tmp_path, f"twins_{tmp_path.name}", {"mine.yaml": fakes.RECIPE})
    core = plugin(*fakes.rankhub_components(), recipes=[folder])
    catalog = catalog_of(("fakes", "rankhub", core), ("twin", "rankhub", plugin(component("pull"))))
    (said,) = sentences(catalog, "mine")
    assert said == CLASH.replace("acme", "twin")


def test_a_recipe_s_name_that_two_bring(catalog):
    assert names(catalog) == ["acme/mine", "fakes/mine", "only"]
    with pytest.raises(UserError) as caught:
        load_recipe("mine", [], catalog)
    assert str(caught.value) == "the recipe 'mine' is brought by acme and fakes; write acme/mine or fakes/mine"
    assert load_recipe("only", [], catalog).recipe.seed == 7
    with pytest.raises(UserError, match="no recipe that comes along is called 'acme/mien'; did you mean 'acme/mine'"):
        load_recipe("acme/mien", [], catalog)


def test_what_lies_about_hides_no_name_of_a_shipped_recipe_and_a_file_is_a_path(catalog, tmp_path):
    (tmp_path / "part").write_text("not: this")
    assert load_recipe("acme/mine", [], catalog).recipe.seed == 7
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "mine").write_text(fakes.RECIPE.replace("use: pull", "use: fakes/pull"))
    assert load_recipe("./acme/mine", ["schedule=null"], catalog).path.name == "mine"


def test_broken_recipes_of_a_plugin_are_listed_and_spoil_no_other(tmp_path, monkeypatch):
    from rankhub import api

    monkeypatch.syspath_prepend(tmp_path)
    files = {"good.yaml": "description: Good.", "bad.yaml": "a: [", "list.yaml": "- 1"}
    catalog = catalog_of(("mine", "acme", plugin(recipes=[package(tmp_path, f"bad_{tmp_path.name}", files)])))
    found = {info.name: info.description for info in api.list_recipes(catalog=catalog)}
    assert found["good"] == "Good."
    assert "cannot be read" in found["bad"]
    assert "cannot be read" in found["list"]
