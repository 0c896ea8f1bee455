"""`rankhub recipes`."""

from __future__ import annotations

from helpers.commands import call
from helpers.recipes import shipped_names, shipped_text


def test_lists_every_recipe_with_its_description(capsys):
    for arguments in (("recipes",), ("recipes", "list")):
        called = call(capsys, *arguments)
        assert called.code == 0
        for name in shipped_names():
            assert name in called.out
        assert "S2R2 on placed digits" in called.out


def test_copies_comments_and_all_and_never_overwrites(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(capsys, "recipes", "copy", "quickstart").out == (
        "wrote quickstart.yaml; run it with: rankhub run quickstart.yaml\n"
    )
    assert (tmp_path / "quickstart.yaml").read_text() == shipped_text("quickstart")
    (tmp_path / "quickstart.yaml").write_text("mine")
    called = call(capsys, "recipes", "copy", "quickstart")
    assert (called.code, called.err) == (
        2,
        "error: quickstart.yaml is there already and stays as it is; choose another file with --to\n",
    )
    assert (tmp_path / "quickstart.yaml").read_text() == "mine"


def test_lists_overlays_but_no_blocks(capsys):
    said = call(capsys, "recipes").out
    assert "stl10_64px" in said
    assert "The protocol of W-MSE" in said
    whole = " ".join(said.split())
    assert "EfficientNet-Lite0, 3.4 M parameters (less where a recipe cuts the network for a finer map). For" in whole
    first_words = {line.split()[0] for line in said.splitlines() if line}
    assert first_words.isdisjoint(shipped_names("block"))


def test_a_recipe_is_copied_with_the_block_that_it_extends(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    called = call(capsys, "recipes", "copy", "simclr_stl10", "--to", "mine.yaml")
    assert called.out == ("wrote mine.yaml; run it with: rankhub run mine.yaml\nwrote stl10.yaml, which it extends\n")
    assert (tmp_path / "stl10.yaml").read_text() == shipped_text("stl10", "block")
    given = shipped_text("simclr_stl10")
    assert (tmp_path / "mine.yaml").read_text() == given.replace("extends: stl10\n", "extends: stl10.yaml\n")
    (tmp_path / "stl10.yaml").write_text(
        (tmp_path / "stl10.yaml").read_text().replace("epochs: 200", "epochs: none at all")
    )
    line = 1 + (tmp_path / "stl10.yaml").read_text().partition("epochs: none")[0].count("\n")
    assert f"stl10.yaml:{line}  epochs: got" in call(capsys, "validate", "mine.yaml").err
    called = call(capsys, "recipes", "copy", "swav_stl10")
    assert called.code == 0
    assert called.out.endswith("stl10.yaml, which it extends, stays as it is\n")
    assert "none at all" in (tmp_path / "stl10.yaml").read_text()


def test_copies_to_a_file_or_into_a_folder(tmp_path, capsys):
    assert call(capsys, "recipes", "copy", "quickstart", "--to", tmp_path / "a.yaml").code == 0
    assert call(capsys, "recipes", "copy", "quickstart", "--to", tmp_path).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.yaml", "quickstart.yaml"}


def test_what_cannot_be_copied(tmp_path, capsys):
    called = call(capsys, "recipes", "copy", "quikstart")
    assert called.code == 2
    assert "did you mean 'quickstart'?" in called.err
    called = call(capsys, "recipes", "copy", "quickstart", "--to", tmp_path / "no" / "x.yaml")
    assert called.code == 2
    assert "cannot be written: No such file or directory" in called.err
