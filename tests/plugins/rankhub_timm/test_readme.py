"""What the plugin's README shows is what it says; that its blocks run is tested with all papers."""

import re
import shlex

import pytest
import yaml
from helpers.commands import call

import rankhub


@pytest.fixture(scope="module")
def text(repo):
    return (repo / "plugins" / "rankhub_timm" / "README.md").read_text()


def block(text, language):
    (found,) = re.findall(rf"```{language}\n(.*?)\n```", text, re.DOTALL)
    return found


def test_the_options_are_there(text, lite0):
    (_, options), *others = yaml.safe_load(block(text, "yaml")).items()
    assert not others
    assert rankhub.build("backbone", options).spec.map_stride == 16


def test_the_command_runs(text, lite0, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, *arguments = shlex.split(block(text, "bash"))
    said = call(capsys, *arguments)
    assert said.code == 0, said.err
    assert "expected" in said.out
    assert "batch norm" not in said.out
