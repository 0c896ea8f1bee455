"""Wrong recipes through the command line: sentences with file, line and path, no traceback, exit code 2."""

from __future__ import annotations

import pytest
from helpers.commands import call, call_outside

GOOD = """\
name: mine
data:
  photos: {use: placed_digits, part: train}
  test: {use: placed_digits, part: test}
backbone: {use: timm, model: test_resnet, stem: small}
heads:
  embedding: {use: projection, dim: 128}
optimizer: {use: adamw, lr: 2.0e-3}
schedule: {use: cosine, warmup_epochs: 2}
streams:
  views:
    data: photos
    batch_size: 64
    generator:
    - {use: random_views, views: 4, size: 32}
    objectives:
    - {use: smooth_ap, head: embedding, tau: 0.05}
phases:
- name: pretrain
  streams: [views]
  epochs: 40
predict: {use: center, size: 32}
evaluate:
- {use: knn, train: photos, test: test, k: 20}
"""
LOSS = "streams.views.objectives.0"

# name: (text in the good recipe, what stands there instead, overrides, lines that must be among the errors)
WRONG = {
    "a key misspelled at the top": (
        "name: mine",
        "nmae: mine",
        [],
        ["F:1  nmae: unknown key 'nmae'; did you mean 'name'?"],
    ),
    "a key misspelled deep inside": (
        "epochs: 40",
        "epoch: 40",
        [],
        [
            "F:21  phases.0.epoch: unknown key 'epoch'; did you mean 'epochs'?",
            "F:19  phases.0: nothing says how long the phase is; expected `epochs: NUMBER` or `steps: NUMBER`",
        ],
    ),
    "an option misspelled": (
        "tau: 0.05",
        "tua: 0.05",
        [],
        [f"F:17  {LOSS}.tua: unknown option 'tua'; did you mean 'tau'? [rankhub_s2r2]"],
    ),
    "a wrong type": (
        "batch_size: 64",
        "batch_size: many",
        [],
        ['F:13  streams.views.batch_size: got "many"; expected a whole number of at least 1'],
    ),
    "a number in quotes": ("lr: 2.0e-3", "lr: '2.0e-3'", [], ['F:8  optimizer.lr: got "2.0e-3"; expected a number']),
    "yes for true": ("name: mine", "channels_last: yes", [], ['F:1  channels_last: got "yes"; expected true or false']),
    "an option out of range": (
        "tau: 0.05",
        "tau: -1",
        [],
        [f"F:17  {LOSS}.tau: got -1; expected a number above 0 [rankhub_s2r2]"],
    ),
    "a key out of range": (
        "epochs: 40",
        "epochs: 0",
        [],
        ["F:21  phases.0.epochs: got 0; expected a whole number of at least 1 or null"],
    ),
    "an unknown component": (
        "smooth_ap",
        "smoth_ap",
        [],
        [f"F:17  {LOSS}.use: no loss is called 'smoth_ap'; did you mean 'smooth_ap' of rankhub_s2r2?"],
    ),
    "an unknown plugin": (
        "use: smooth_ap",
        "use: rankhub_s2r/smooth_ap",
        [],
        [f"F:17  {LOSS}.use: no plugin is called 'rankhub_s2r'; did you mean 'rankhub_s2r2'?"],
    ),
    "a component of another kind": (
        "use: projection",
        "use: smooth_ap",
        [],
        [
            (
                "F:7  heads.embedding.use: no head is called 'smooth_ap' (it is the loss 'smooth_ap' "
                "of plugin rankhub_s2r2); expected one of classifier, density, dino, projection"
            )
        ],
    ),
    "use left out": (
        "{use: timm, model",
        "{model",
        [],
        ["F:5  backbone.use: missing; expected the name of a backbone"],
    ),
    "a scalar for a mapping": (
        "{use: center, size: 32}",
        "center",
        [],
        ['F:22  predict: got "center"; expected a predict, {use: NAME, ...} (write {use: center})'],
    ),
    "a mapping for a list": (
        "phases:\n- name",
        "phases:\n  name",
        [],
        ["F:18  phases: got {", "expected a list of at least 1, each a mapping"],
    ),
    "a part left out": (
        "predict: {use: center, size: 32}\n",
        "",
        [],
        ["F:1  predict: missing; expected a predict, {use: NAME, ...}"],
    ),
    "an unknown head": (
        "head: embedding",
        "head: embeding",
        [],
        [f"F:17  {LOSS}.head: no head is called 'embeding'; did you mean 'embedding'?"],
    ),
    "unknown data": (
        "data: photos",
        "data: phots",
        [],
        ["F:12  streams.views.data: no data set is called 'phots'; did you mean 'photos'?"],
    ),
    "unknown data in an evaluator": (
        "test: test",
        "test: tset",
        [],
        ["F:24  evaluate.0.test: no data set is called 'tset'; did you mean 'test'? [rankhub_retrieval]"],
    ),
    "epochs and steps both": (
        "epochs: 40",
        "epochs: 40\n  steps: 3",
        [],
        ["F:19  phases.0: `epochs` and `steps` both say how long the phase is; keep one of them"],
    ),
    "an unknown clock": (
        "epochs: 40",
        "epochs: 40\n  clock: view",
        [],
        ["F:22  phases.0.clock: no stream is called 'view' in this phase; did you mean 'views'?"],
    ),
    "an unknown output": (
        "head: embedding,",
        "head: embedding, output: embeding,",
        [],
        [f"F:17  {LOSS}.output: head 'embedding' has no output 'embeding'; did you mean 'embedding'?"],
    ),
    "like a data set that is not there": (
        "test: {use: placed_digits, part: test}",
        "test: {like: phots}",
        [],
        ["F:4  data.test.like: no data set is called 'phots'; did you mean 'photos'?"],
    ),
    "like and use": (
        "test: {use",
        "test: {like: photos, use",
        [],
        ["F:4  data.test.like: `use` and `like` stand together; an entry takes `use` from the one it is like"],
    ),
    "like of a like": (
        "backbone:",
        "  more: {like: test2}\n  test2: {like: photos}\nbackbone:",
        [],
        [
            (
                "F:5  data.more.like: 'test2' is itself like another; name an entry that has `use`; "
                "expected one of photos, test"
            )
        ],
    ),
    "syntax": ("heads:\n", "heads: {\n", [], ["F:6  this is not YAML: a `{` is not closed, or a comma is missing"]),
    "indentation": (
        "  epochs: 40",
        " epochs: 40",
        [],
        ["F:21  this is not YAML: the indentation does not fit the lines above"],
    ),
    "a tab": ("  epochs: 40", "\tepochs: 40", [], ["F:21  this is not YAML: a tab; YAML indents with spaces only"]),
    "a key twice": (
        "epochs: 40",
        "epochs: 40\n  epochs: 3",
        [],
        ["F:22  phases.0.epochs: the key 'epochs' stands here twice, first in line 21"],
    ),
    "an empty file": (GOOD, "", [], ["F:1  the file is empty; expected a mapping with data, backbone, streams ..."]),
    "a list": (GOOD, "- 1\n", [], ["F:1  this is no recipe; expected a mapping with data, backbone, streams ..."]),
    "an override without a value": (
        "",
        "",
        ["seed"],
        ["override 'seed'  this is no override; expected the form a.b.c=value"],
    ),
    "an override of an unknown path": (
        "",
        "",
        ["optimzer.lr=3"],
        ["override 'optimzer.lr=3'  optimzer: a recipe has no 'optimzer'; did you mean 'optimizer'?"],
    ),
    "an override of unknown data": (
        "",
        "",
        ["data.phots.part=x"],
        ["override 'data.phots.part=x'  data.phots: data has no 'phots'; did you mean 'photos'?"],
    ),
    "an override out of range": (
        "",
        "",
        ["optimizer.lr=-3"],
        ["override 'optimizer.lr=-3'  optimizer.lr: got -3; expected a number above 0"],
    ),
    "an override of a list that is too short": (
        "",
        "",
        ["phases.1.epochs=3"],
        ["override 'phases.1.epochs=3'  phases: phases is a list, '1' is no item of it; it has 0 to 0"],
    ),
    "one view for a loss that ranks views": ("views: 4", "views: 1", [], [f"F:17  {LOSS}: ", "[rankhub_s2r2]"]),
    "a batch that cannot be cut": (
        "batch_size: 64",
        "batch_size: 64\n    accumulate: 3",
        [],
        [
            "F:14  streams.views.accumulate: batch_size 64 cannot be cut into 3 equal micro-batches; "
            "streams.views.accumulate=2 would do"
        ],
    ),
    "a pattern that matches nothing": (
        "epochs: 40",
        "epochs: 40\n  freeze: [bakbone.*]",
        [],
        [
            (
                "F:22  phases.0.freeze.0: the pattern 'bakbone.*' matches no parameter of the "
                "network; did you mean 'backbone.*'?"
            )
        ],
    ),
    "an unknown model": (
        "model: test_resnet",
        "model: test_resnt",
        [],
        ["F:5  backbone", "test_resnt", "[rankhub_timm]"],
    ),
    "labels that are not there": (
        "{use: placed_digits, part: test}",
        "{use: image_folder, root: nowhere}",
        [],
        ["F:24  evaluate.0: ", "'test'", "[rankhub_retrieval]"],
    ),
    "missing data": (
        "{use: placed_digits, part: train}",
        "{use: stl10, root: nowhere, split: train}",
        ["--data"],
        ["F:3  data.photos: STL-10 is not in ", "rankhub data fetch stl10"],
    ),
    "five errors": (
        "lr: 2.0e-3",
        "lr: -1",
        ["sed=3", "phases.0.epochs=0", "heads.embedding.dmi=3", "data.test.use=placed_digit"],
        [
            "F:8  optimizer.lr: got -1; expected a number above 0",
            "override 'sed=3'  sed: unknown key 'sed'; did you mean 'seed'?",
            "override 'phases.0.epochs=0'  phases.0.epochs: got 0; expected a whole number of at least 1 or null",
            (
                "override 'heads.embedding.dmi=3'  heads.embedding.dmi: unknown option 'dmi'; did you "
                "mean 'dim'? [rankhub_timm]"
            ),
            (
                "override 'data.test.use=placed_digit'  data.test.use: no dataset is called "
                "'placed_digit'; did you mean 'placed_digits' of rankhub_data?"
            ),
            "5 errors in F",
        ],
    ),
}


def write(folder, old, new):
    assert old in GOOD
    (folder / "mine.yaml").write_text(GOOD.replace(old, new, 1) if old else GOOD)


def is_right(called, said):
    assert called.code == 2
    assert called.out == ""
    assert called.err.startswith("error: mine.yaml cannot be used:\n  ")
    assert "Traceback" not in called.err
    for sentence in said:
        assert sentence.replace("F:", "mine.yaml:").replace(" in F", " in mine.yaml") in called.err
    lines = called.err.splitlines()
    count = len(lines) - 2
    assert lines[-1] == f"{count} error{'s' if count > 1 else ''} in mine.yaml"


def test_the_recipe_they_start_from_is_right(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "", "")
    called = call(capsys, "validate", "mine.yaml")
    assert (called.code, called.out, called.err) == (0, "mine.yaml is fine.\n", "")


@pytest.mark.parametrize("name", WRONG)
def test_wrong_recipe(name, tmp_path, monkeypatch, capsys):
    old, new, overrides, said = WRONG[name]
    monkeypatch.chdir(tmp_path)
    write(tmp_path, old, new)
    is_right(call(capsys, "validate", "mine.yaml", *overrides), said)


@pytest.mark.parametrize("name", ["a tab", "five errors"])
def test_wrong_recipe_as_a_user_meets_it(name, tmp_path):
    old, new, overrides, said = WRONG[name]
    write(tmp_path, old, new)
    is_right(call_outside("validate", "mine.yaml", *overrides, cwd=tmp_path), said)


def test_a_run_says_the_same_before_it_does_anything(tmp_path):
    old, new, overrides, said = WRONG["five errors"]
    write(tmp_path, old, new)
    is_right(call_outside("run", "mine.yaml", *overrides, cwd=tmp_path), said)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_there_are_at_least_25():
    assert len(WRONG) >= 25
