"""The names of EfficientNet-PyTorch, against their construction the other way round."""

import pytest
import timm
import torch
from timm.models._efficientnet_blocks import DepthwiseSeparableConv

from rankhub_timm.lite import in_timms_names, is_lite, pads_as_tensorflow
from rankhub_timm.weights import fit_weights

MODELS = [f"tf_efficientnet_lite{number}" for number in range(5)]


def of_the_other_library(network, own):
    """The weights of a timm network under the names of EfficientNet-PyTorch, walked through by its modules."""
    outer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    names = {f"{timms}.": f"{theirs}." for timms, theirs in outer.items()}
    number = 0
    for stage, blocks in enumerate(network.blocks):
        for index, block in enumerate(blocks):
            layers = ["conv_dw _depthwise_conv", "bn1 _bn1", "conv_pw _project_conv", "bn2 _bn2"]
            if not isinstance(block, DepthwiseSeparableConv):
                layers = ["conv_pw _expand_conv", "bn1 _bn0", "conv_dw _depthwise_conv", "bn2 _bn1"]
                layers += ["conv_pwl _project_conv", "bn3 _bn2"]
            for layer in layers:
                timms, theirs = layer.split()
                names[f"blocks.{stage}.{index}.{timms}."] = f"_blocks.{number}.{theirs}."
            number += 1
    return {
        next(theirs + name[len(timms) :] for timms, theirs in names.items() if name.startswith(timms)): value
        for name, value in own.items()
    }


@pytest.mark.parametrize("model", MODELS)
def test_names_of_all_sizes(model):
    with torch.device("meta"):
        network = timm.create_model(model)
    own = network.state_dict()
    theirs = of_the_other_library(network, own)
    assert is_lite(theirs)
    found = in_timms_names(theirs)
    assert found.keys() == own.keys()
    assert all(found[name] is value for name, value in own.items())


def test_values_stay_with_their_names_whatever_the_order_and_the_prefix():
    torch.manual_seed(0)
    network, other = timm.create_model(MODELS[0]), timm.create_model(MODELS[0])
    theirs = of_the_other_library(network, network.state_dict())
    shuffled = {f"module.{name}": theirs[name] for name in sorted(theirs, reverse=True)}
    assert is_lite(shuffled)
    fit_weights(other, shuffled, (), "made")
    for name, value in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_other_weights_are_left_alone():
    stored = {"_fc.weight": torch.ones(1), "blocks.0.weight": torch.ones(1)}
    assert not is_lite(stored)
    assert in_timms_names(stored) is stored


def test_names_that_are_not_known_stay_and_are_reported_later():
    stored = {
        "_blocks.0._depthwise_conv.weight": torch.ones(4, 1, 3, 3),
        "_blocks.0._project_conv.weight": torch.ones(2, 4, 1, 1),
        "_blocks.0._se_reduce.weight": torch.ones(1),
        "_blocks.7._bn2.weight": torch.ones(1),
        "more": torch.ones(1),
    }
    found = in_timms_names(stored)
    assert set(found) == {"blocks.0.0.conv_dw.weight", "blocks.0.0.conv_pw.weight", *list(stored)[2:]}


def test_the_padding():
    with torch.device("meta"):
        padded = {model: pads_as_tensorflow(timm.create_model(model)) for model in (*MODELS[:1], "efficientnet_lite0")}
        padded["resnet18"] = pads_as_tensorflow(timm.create_model("resnet18"))
    assert padded == {"tf_efficientnet_lite0": True, "efficientnet_lite0": False, "resnet18": False}
