"""`rankhub schema`."""

from __future__ import annotations

import json

from helpers.commands import call


def test_prints_or_writes_the_schema_with_the_official_components(tmp_path, capsys):
    printed = json.loads(call(capsys, "schema").out)
    assert "smooth_ap" in printed["$defs"]["loss"]["properties"]["use"]["anyOf"][0]["enum"]
    called = call(capsys, "schema", "--out", tmp_path / "recipe.json")
    assert called.code == 0
    assert f"yaml-language-server: $schema={tmp_path / 'recipe.json'}" in called.out
    assert json.loads((tmp_path / "recipe.json").read_text()) == printed


def test_a_file_that_cannot_be_written(tmp_path, capsys):
    called = call(capsys, "schema", "--out", tmp_path / "no" / "recipe.json")
    assert called.code == 2
    assert "cannot be written: No such file or directory" in called.err
