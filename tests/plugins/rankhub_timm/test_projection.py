"""The projection head."""

import pytest
import torch
from torch import nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import Features, FeatureSpec
from rankhub_timm.projection import Projection


@pytest.mark.parametrize(
    ("options", "widths"),
    [
        ({"dim": 5}, [(7, 7), (7, 5)]),
        ({"dim": 5, "hidden": 3}, [(7, 3), (3, 5)]),
        ({"dim": 5, "layers": 1}, [(7, 5)]),
        ({"dim": 5, "hidden": 4, "layers": 3, "norm": "batch"}, [(7, 4), (4, 4), (4, 5)]),
    ],
)
def test_layers(options, widths):
    head = Projection(FeatureSpec(7), LabelSpec(), **options)
    linear = [(m.in_features, m.out_features) for m in head.layers if isinstance(m, nn.Linear)]
    assert linear == widths
    assert sum(isinstance(m, nn.BatchNorm1d) for m in head.layers) == (2 if options.get("norm") else 0)
    out = head(Features(torch.randn(6, 7)))
    assert out["embedding"].shape == (6, head.outputs["embedding"].dim)
