"""Every loss against numbers that independent code, the authors' own where there is one, agreed on."""

from __future__ import annotations

import pytest
import torch
from helpers.ranking import EMBEDDING, golden, make_target

import rankhub_s2r2
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.loss import LossContext
from tools.gpu_checks.golden import LOSSES

CATALOG = Catalog.of({"rankhub_s2r2": rankhub_s2r2})


@pytest.mark.parametrize(("name", "options", "loss"), LOSSES)
def test_golden_values(name, options, loss):
    z, group = golden()
    component = CATALOG.build("loss", ComponentSpec(use=name, **options), EMBEDDING)
    for order in (torch.arange(12), torch.randperm(12, generator=torch.Generator().manual_seed(2))):
        target = make_target(group[order])
        assert component.count(target) == 12
        value = component({"embedding": z[order]}, target, LossContext()).total / 12
        assert value.item() == pytest.approx(loss, abs=1e-12)
        single = component({"embedding": z[order].float()}, target, LossContext()).total / 12
        assert single.dtype == torch.float32
        assert single.item() == pytest.approx(loss, abs=2e-6)
