"""The project holds together: packages are shipped, the printed commands are those that CI runs, files are small."""

from __future__ import annotations

import ast
import re
import tomllib
from typing import get_args

import pytest

from rankhub.interfaces.data import LabelKind
from rankhub.interfaces.model import OutputKind


@pytest.fixture(scope="module")
def pyproject(repo):
    return tomllib.loads((repo / "pyproject.toml").read_text())


def test_every_package_is_shipped_and_every_plugin_has_its_entry_point(repo, pyproject):
    packages = set(pyproject["tool"]["setuptools"]["packages"])
    on_disk = {".".join(path.parent.relative_to(repo).parts) for path in (repo / "rankhub").rglob("__init__.py")}
    plugins = {path.parent.name for path in (repo / "plugins").glob("*/__init__.py")}
    nested = {
        ".".join(path.parent.relative_to(repo / "plugins").parts) for path in repo.glob("plugins/*/*/**/__init__.py")
    }
    assert packages == on_disk | plugins | nested | {"rankhub_recipes"}
    entered = plugins - {"rankhub_tables"}  # which brings no component: others build on it
    assert pyproject["project"]["entry-points"]["rankhub.plugins"] == {name: name for name in entered}
    assert set(pyproject["tool"]["setuptools"]["package-dir"]) == {"rankhub", "rankhub_recipes"} | plugins
    assert set(pyproject["tool"]["importlinter"]["root_packages"]) == {"rankhub"} | plugins


def test_what_plugins_may_import_is_held_for_every_plugin_and_every_part_of_the_core(repo, pyproject):
    contracts = {one["type"]: one for one in pyproject["tool"]["importlinter"]["contracts"][1:]}
    independent, *bases, core = contracts["layers"]["layers"]
    plugins = {path.parent.name for path in (repo / "plugins").glob("*/__init__.py")}
    assert {name.strip() for name in independent.split("|")} | set(bases) == plugins
    assert (bases, core) == (["rankhub_ranking", "rankhub_data", "rankhub_tables"], "rankhub")
    parts = {f"rankhub.{path.parent.name}" for path in (repo / "rankhub").glob("*/__init__.py")}
    parts |= {f"rankhub.{path.stem}" for path in (repo / "rankhub").glob("*.py") if not path.stem.startswith("_")}
    assert set(contracts["protected"]["protected_modules"]) == parts - {"rankhub.interfaces"}


def test_the_version_is_stated_once_in_effect(pyproject):
    import rankhub

    assert rankhub.__version__ == pyproject["project"]["version"]


def test_no_file_is_long(repo):
    folders = ("rankhub", "plugins", "tools", "tests")
    long = {
        str(path.relative_to(repo)): lines
        for folder in folders
        for path in (repo / folder).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_top_level_is_fixed(repo):
    expected = {"pyproject.toml", "rankhub", "plugins", "recipes", "tests", "tools", "README.md", "LICENSE"}
    expected |= {"CONTRIBUTING.md", "CHANGELOG.md"}
    hidden_or_made = {"runs", "data", "build", "dist", "venv"}
    found = {path.name for path in repo.iterdir() if not path.name.startswith(".") and "egg-info" not in path.name}
    assert expected <= found
    assert found - expected <= hidden_or_made


def test_ci_runs_the_test_command_of_the_readme(repo):
    readme = (repo / "README.md").read_text()
    first, second = re.findall(r"```bash\n(.+?)\n```", readme, re.DOTALL)[:2]
    assert "rankhub run quickstart" in first
    assert "pytest" in second
    assert second in (repo / ".ci" / "run").read_text()
    assert re.search(r"\d+(\.\d+)? GB", readme.split("##")[0]), "the first screen says how big the installation is"


def test_the_engine_names_no_component(repo):
    from rankhub.catalog.catalog import Catalog

    names = {
        entry.component.name
        for kind in ("loss", "head", "generator", "dataset", "evaluator", "predict")
        for entry in Catalog.discover().entries(kind)
    }
    names -= {*get_args(OutputKind), *get_args(LabelKind)}  # the interface's own words
    for path in (repo / "rankhub").rglob("*.py"):
        tree = ast.parse(path.read_text())
        literals = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not literals & names, f"{path} compares or names a component"
