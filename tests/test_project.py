"""The project holds together: packages are shipped, the printed commands are those that CI runs, files are small."""

from __future__ import annotations

import ast
import re
import tomllib
from typing import get_args

import pytest

import rankhub
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
    others = {
        "rankhub_tables",
        "rankhub_points",
        "rankhub_tracking",
        "rankhub_listing",
        "rankhub_lance",
    }  # no hook: others build on them
    others |= {"rankhub_cli", *pyproject["project"]["entry-points"]["rankhub.askers"]}
    entered = {*plugins, "rankhub_recipes"} - others
    assert pyproject["project"]["entry-points"]["rankhub.plugins"] == {name: name for name in entered}
    assert set(pyproject["tool"]["setuptools"]["package-dir"]) == {"rankhub", "rankhub_recipes"} | plugins
    assert set(pyproject["tool"]["importlinter"]["root_packages"]) == {"rankhub"} | plugins


def test_what_plugins_may_import_is_held_for_every_plugin_and_every_part_of_the_core(repo, pyproject):
    own, among, protected, *_ = pyproject["tool"]["importlinter"]["contracts"]
    assert (own["type"], among["type"], protected["type"]) == ("layers", "layers", "protected")
    plugins = {path.parent.name for path in (repo / "plugins").glob("*/__init__.py")}
    top, independent, *bases, core = among["layers"]
    named = {name.strip(" \\\n") for name in independent.split("|")}
    assert named | {top} | set(bases) == plugins
    assert (top, bases, core) == (
        "rankhub_study",
        [
            "rankhub_active",
            "rankhub_find",
            "rankhub_use",
            "rankhub_tracking",
            "rankhub_ranking",
            "rankhub_data",
            "rankhub_lance",
            "rankhub_listing",
            "rankhub_points",
            "rankhub_tables",
            "rankhub_lock",
            "rankhub_train",
            "rankhub_console",
        ],
        "rankhub",
    )
    parts = {f"rankhub.{path.parent.name}" for path in (repo / "rankhub").glob("*/__init__.py")}
    parts |= {f"rankhub.{path.stem}" for path in (repo / "rankhub").glob("*.py") if not path.stem.startswith("_")}
    assert set(protected["protected_modules"]) == parts - {"rankhub.interfaces"}


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


HOMONYMS = {
    "random": ("engine/checkpoint.py",),  # what a checkpoint calls the states of random numbers
    "step": ("engine/checkpoint.py", "engine/folder.py", "engine/learner.py", "engine/training.py"),  # of training
    "timm": ("engine/folder.py",),  # a library whose version is locked
}
"""Words that are a component's name as well -> the files of the core that mean something else by them."""


def test_the_core_names_no_component(repo):
    """Of no kind: neither as it is nor with its plugin, and no plugin either."""
    from rankhub.catalog import hookspecs
    from rankhub.catalog.catalog import Catalog

    catalog = Catalog.discover()
    entries = [entry for kind in catalog.kinds for entry in catalog.entries(kind)]
    assert len({entry.component.kind for entry in entries}) >= len(catalog.kinds) - 1
    names = {entry.component.name for entry in entries} | {entry.full_name for entry in entries}
    names |= {plugin.owner for plugin in catalog.plugins}
    names |= {kind.name for plugin in catalog.plugins for kind in plugin.kinds}
    names -= {*get_args(OutputKind), *get_args(LabelKind), *vars(hookspecs)}  # the interface's own words
    found = []
    for path in (repo / "rankhub").rglob("*.py"):
        file = path.relative_to(repo / "rankhub").as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            word = node.value if isinstance(node, ast.Constant) else None
            if word in names and file not in HOMONYMS.get(word, ()):
                found.append(f"{file}:{node.lineno} {word!r}")
    assert not found, "the core compares or names a component"


def test_no_function_of_the_core_takes_more_than_six_parameters(repo):
    counted, long = 0, []
    for path in (repo / "rankhub").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            given = node.args
            all_of_them = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            named = [one.arg for one in all_of_them if one is not None]
            count = len(named) - (named[:1] in (["self"], ["cls"]))
            name = f"{path.relative_to(repo).as_posix()}:{getattr(node, 'name', 'lambda')}"
            counted += 1
            if count > 6:
                long.append(f"{name} takes {count}")
    assert counted > 500
    assert not long


def test_the_quickstart_fits_on_a_screen(repo):
    lines = (repo / "recipes" / "quickstart.yaml").read_text().splitlines()
    code = [re.sub(r"\s#.*", "", line) for line in lines if not line.startswith("#")]
    assert "epochs: 7" in code
    assert len(code) <= 30, f"{len(code)} lines"
    assert not [line for line in code if len(line) > 100]


def test_a_class_is_told_apart_by_its_name_alone(repo):
    found: dict[str, list[str]] = {}
    for path in sorted(path for folder in ("rankhub", "plugins", "tools") for path in (repo / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(f"{path.relative_to(repo)}:{node.lineno}")
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_what_tools_and_plugins_take_from_the_package_is_there(repo):
    used, missing = 0, []
    for path in sorted(path for folder in ("plugins", "tools") for path in (repo / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "rankhub":
                used += 1
                if not hasattr(rankhub, node.attr):
                    missing.append(f"{path.relative_to(repo)}:{node.lineno} rankhub.{node.attr}")
    assert used > 100
    assert not missing
