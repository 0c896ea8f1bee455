"""Every code block of the README runs. Trainings are shortened; what installs is run by CI itself."""

from __future__ import annotations

import csv
import importlib.util
import re
import shlex
import tomllib

import numpy as np
import pytest
from PIL import Image

from rankhub.cli.main import execute

SHORT = ["steps=2", "streams.views.batch_size=8"]
SMALL = {
    "quickstart": SHORT,
    "s2r2_folder": ["backbone.model=test_resnet", *SHORT],
    "counting_quickstart": ["steps=2", "data.labeled.images=40", "data.test.images=4"],
    "quality_quickstart": ["steps=2", "data.labeled.per_photo=8", "data.test.per_photo=4", "predict.count=2"],
}


@pytest.fixture(scope="module")
def blocks(repo):
    """Language -> the blocks of that language, in order."""
    found = re.findall(r"```(\w*)\n(.*?)\n```", (repo / "README.md").read_text(), re.DOTALL)
    by_language = {}
    for language, text in found:
        by_language.setdefault(language, []).append(text)
    return by_language


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder with the photos that the README speaks of."""
    generator = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(40):
        pixels = generator.integers(0, 256, (100, 120, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # where caches go
    return tmp_path


def commands(text):
    """The rankhub commands of a block, as argument lists, with trainings shortened."""
    for line in re.split(r"\n|&&", text):
        words = shlex.split(line, comments=True)
        if words[:1] == ["rankhub"]:
            arguments = words[1:]
            if arguments[0] == "run":
                arguments += SMALL[arguments[1]]
            elif arguments[:2] == ["label", "train"]:
                arguments += ["steps=2", "streams.labeled.batch_size=4", "predict.count=2"]
            yield arguments


def answer(form):
    """Fill in a form for scores, as people do."""
    with form.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with form.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "score": number / len(rows)} for number, row in enumerate(rows))


def test_every_language_is_known(blocks):
    assert set(blocks) <= {"bash", "yaml", "python", "toml", "text", "console"}


def test_commands_run_in_order(blocks, home, capfd):
    done = []
    for text in blocks["bash"]:
        for arguments in commands(text):
            if arguments[:2] == ["label", "ingest"]:
                answer(home / arguments[2])
            code = execute(arguments)
            out, err = capfd.readouterr()
            assert code == 0, f"rankhub {shlex.join(arguments)}: {out}{err}"
            done.append(arguments[0])
    assert {"run", "predict", "show", "label", "recipes", "validate", "describe", "schema", "plugins"} <= set(done)


def test_commands_that_need_a_download_say_so(blocks, home, capfd, repo):
    lines = [shlex.split(line) for text in blocks["console"] for line in text.splitlines()]
    fetches = 0
    for words in lines:
        if words[:2] == ["python", words[1]] and words[1].startswith("tools/"):  # these take longer than a test may
            named = [word for word in words if word.startswith("tools/")]
            assert all((repo / word).is_file() for word in named), words
            continue
        arguments = words[words.index("rankhub") + 1 :]
        if arguments[0] == "data":
            fetches += 1
            assert execute([*arguments, "--mirror", "http://127.0.0.1:9/none.tar.gz"]) == 2
            assert "127.0.0.1:9" in capfd.readouterr().err
        else:
            assert execute(arguments) == 2
            said = capfd.readouterr().err
            assert any(part in said for part in ("rankhub data fetch stl10", "set `root` to", "rankhub label init")), (
                said
            )
    assert fetches == 1


def test_the_recipe_runs(blocks, home, capfd):
    (text,) = blocks["yaml"]
    (home / "mine.yaml").write_text(text)
    assert execute(["run", "mine.yaml", *SHORT, "--out", str(home / "run")]) == 0, capfd.readouterr().err
    assert (home / "run" / "results.csv").exists()


def test_the_python_blocks_run(blocks, home, capfd):
    ours = [block for block in blocks["python"] if "hookimpl" not in block]
    assert ours
    for block in ours:
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert "(2, " in capfd.readouterr().out


def test_the_plugin_works(blocks, home, capfd, monkeypatch):
    from rankhub.catalog.catalog import Catalog
    from rankhub.catalog.discovery import installed

    (text,) = (block for block in blocks["python"] if "hookimpl" in block)
    (home / "my_plugin.py").write_text(text)
    monkeypatch.syspath_prepend(home)
    spec = importlib.util.find_spec("my_plugin")
    assert spec is not None
    official = {source.owner: source.load() for source in installed()}
    import my_plugin

    catalog = Catalog.of({**official, "my_plugin": my_plugin})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: catalog))
    (recipe,) = blocks["yaml"]
    (home / "mine.yaml").write_text(
        recipe.replace("use: smooth_ap, head: embedding, tau: 0.05", "use: pull, head: embedding, strength: 0.5")
    )
    assert execute(["run", "mine.yaml", *SHORT, "--out", str(home / "run")]) == 0, capfd.readouterr().err


def test_the_entry_point_is_that_of_the_group(blocks):
    (text,) = blocks["toml"]
    assert tomllib.loads(text)["project"]["entry-points"] == {"rankhub.plugins": {"my_plugin": "my_plugin"}}
