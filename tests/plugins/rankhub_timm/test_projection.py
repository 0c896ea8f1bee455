import pytest
import torch
from torch import nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import Features, FeatureSpec, OutputSpec
from rankhub_timm.projection import Projection

FEATURES = FeatureSpec(width=6)


def layers(head: Projection) -> list[str]:
    return [
        f"{layer.in_features}-{layer.out_features}" if isinstance(layer, nn.Linear) else type(layer).__name__
        for layer in head.mlp
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["6-6", "ReLU", "6-128"]),
        ({"dim": 4, "hidden": 9}, ["6-9", "ReLU", "9-4"]),
        ({"dim": 4, "layers": 1}, ["6-4"]),
        (
            {"dim": 4, "layers": 3, "hidden": 5, "norm": "batch"},
            ["6-5", "BatchNorm1d", "ReLU", "5-5", "BatchNorm1d", "ReLU", "5-4"],
        ),
    ],
)
def test_layers(options, expected):
    head = Projection(FEATURES, LabelSpec(), **options)
    assert layers(head) == expected
    assert head.outputs == {"embedding": OutputSpec("embedding", options.get("dim", 128))}
    embedding = head(Features(torch.rand(5, 6)))["embedding"]
    assert embedding.shape == (5, options.get("dim", 128))


def test_biases_before_batch_normalization_are_left_out():
    linear = [layer for layer in Projection(FEATURES, LabelSpec(), norm="batch").mlp if isinstance(layer, nn.Linear)]
    assert [layer.bias is None for layer in linear] == [True, False]


def test_the_embedding_is_linear_relu_linear_and_not_normalized():
    head = Projection(FEATURES, LabelSpec(), dim=3)
    pooled = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    expected = torch.relu(pooled @ head.mlp[0].weight.T + head.mlp[0].bias) @ head.mlp[2].weight.T + head.mlp[2].bias
    torch.testing.assert_close(head(Features(pooled))["embedding"], expected)
