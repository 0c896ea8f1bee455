"""`rankhub recipes`."""

from __future__ import annotations

from helpers.commands import call

from rankhub.recipe import shipped


def test_lists_every_recipe_with_its_description(capsys):
    for arguments in (("recipes",), ("recipes", "list")):
        called = call(capsys, *arguments)
        assert called.code == 0
        for name in shipped.names():
            assert name in called.out
        assert "S2R2 on placed digits" in called.out


def test_copies_comments_and_all_and_never_overwrites(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(capsys, "recipes", "copy", "quickstart").out == (
        "wrote quickstart.yaml; run it with: rankhub run quickstart.yaml\n"
    )
    assert (tmp_path / "quickstart.yaml").read_text() == shipped.path_of("quickstart").read_text()
    (tmp_path / "quickstart.yaml").write_text("mine")
    called = call(capsys, "recipes", "copy", "quickstart")
    assert (called.code, called.err) == (
        2,
        "error: quickstart.yaml is there already and stays as it is; choose another file with --to\n",
    )
    assert (tmp_path / "quickstart.yaml").read_text() == "mine"


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
