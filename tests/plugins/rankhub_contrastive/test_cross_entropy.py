"""Cross-entropy against its definition; its head, and sentences against labels that are no classes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from helpers.commands import call
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import rankhub
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import Features, FeatureSpec, OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.classifier import Classifier
from rankhub_contrastive.cross_entropy import CrossEntropy

LOGITS = {"logits": OutputSpec("logits", 4)}
DIGITS = LabelSpec("class", classes=tuple("abcd"))


def target_of(labels) -> RankTarget:
    index = torch.arange(len(labels))
    return RankTarget(index, torch.zeros_like(index), index, torch.ones(len(labels)), torch.as_tensor(labels))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=9), st.integers(0, 99))
def test_equals_the_definition(labels, seed):
    logits = 3 * torch.randn(len(labels), 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    logits.requires_grad_()
    loss, target = CrossEntropy(LOGITS), target_of(labels)
    expected, right = 0.0, []
    for row, label in zip(logits.tolist(), labels, strict=True):
        if label >= 0:
            expected += math.log(sum(map(math.exp, row))) - row[label]
            right.append(max(range(4), key=row.__getitem__) == label)
    result = loss({"logits": logits}, target, LossContext(log=True))
    assert loss.count(target) == len(right)
    assert result.total.item() == pytest.approx(expected)
    assert result.parts == ({"accuracy": pytest.approx(sum(right) / len(right))} if right else {})
    (gradient,) = torch.autograd.grad(result.total, logits)
    wanted = logits.softmax(1).detach() - torch.eye(5, dtype=torch.float64)[labels][:, :4]
    torch.testing.assert_close(gradient, wanted * (torch.tensor(labels) >= 0)[:, None])


def test_no_log_no_parts_and_half_precision_is_raised():
    logits = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).to(torch.bfloat16)
    result = CrossEntropy(LOGITS)({"logits": logits}, target_of([0]), LossContext())
    assert result.parts == {}
    assert result.total.dtype == torch.float32


@pytest.mark.parametrize("label", [torch.tensor([0.5, 0.1]), None])
def test_labels_that_are_no_classes_are_refused(label):
    index = torch.arange(2)
    with pytest.raises(UserError, match="name a data set with classes"):
        CrossEntropy(LOGITS).count(RankTarget(index, index, index, torch.ones(2), label))


def test_sentences_of_the_check():
    loss = CrossEntropy(LOGITS)
    assert list(loss.check(ViewSpec(), DIGITS)) == []
    assert list(loss.check(ViewSpec(), LabelSpec("class"))) == []
    (sentence,) = loss.check(ViewSpec(), LabelSpec("score"))
    assert "are of kind score" in sentence
    (sentence,) = loss.check(ViewSpec(), LabelSpec())
    assert "have no labels" in sentence
    (sentence,) = loss.check(ViewSpec(), LabelSpec("class", classes=tuple("abcde")))
    assert "have 5 classes" in sentence
    with pytest.raises(Objection, match="output of kind logits"):
        CrossEntropy({"embedding": OutputSpec("embedding", 4)})


def test_the_head_has_a_logit_for_each_class():
    head = Classifier(FeatureSpec(3), DIGITS)
    assert head.outputs == LOGITS
    pooled = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    logits = head(Features(pooled))["logits"]
    torch.testing.assert_close(logits, pooled @ head.linear.weight.T + head.linear.bias)
    for kind, words in (("points", "labels of kind points"), (None, "no labels")):
        with pytest.raises(Objection, match=f"classifier tells classes apart.* has {words}"):
            Classifier(FeatureSpec(3), LabelSpec(kind))


RECIPE = """
name: folders
data:
  photos: {use: image_folder, root: ROOT, labels: folder, held_out: 0.25}
  test: {like: photos, part: held_out}
backbone: {use: timm, model: test_resnet}
heads: {class: {use: classifier}}
optimizer: {use: adamw, lr: 1.0e-3}
streams:
  views:
    data: photos
    batch_size: 8
    generator: [{use: random_views, views: 2, size: 32}]
    objectives: [{use: cross_entropy, head: class}]
steps: 2
loader: {workers: 0}
predict: {use: center, size: 32}
evaluate: [{use: knn, train: photos, test: test, k: 3}]
"""


def test_a_folders_classes_are_known_once_it_is_open(tmp_path, capsys):
    generator = np.random.default_rng(0)
    for number in range(36):
        place = tmp_path / "photos" / f"class{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (32, 32, 3), np.uint8)).save(place / f"{number}.png")
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("ROOT", str(tmp_path / "photos")))
    done = call(capsys, "run", tmp_path / "recipe.yaml", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    run = rankhub.load_run(tmp_path / "run")
    assert run.network.heads["class"].outputs == {"logits": OutputSpec("logits", 3)}
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert 0 <= lines[0]["views/cross_entropy/accuracy"] <= 1
    assert lines[0]["views/cross_entropy"] == pytest.approx(math.log(3), abs=1)
