"""Every loss against numbers that independent code, the authors' own where there is one, agreed on."""

from __future__ import annotations

import pytest
import torch
from helpers.ranking import EMBEDDING, golden, make_target

import rankhub_s2r2
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.loss import LossContext

CATALOG = Catalog.of({"rankhub_s2r2": rankhub_s2r2})
SUP = {"calibration": 0}


@pytest.mark.parametrize(
    ("name", "options", "loss"),
    [
        ("smooth_ap", {"tau": 0.01}, 0.176024397709),
        ("smooth_ap", {}, 0.199372886487),
        ("smooth_ap", {"include_self": True}, 0.117194150686),
        ("graded_ap", {}, 0.199372886487),
        ("graded_ap", {"include_self": True}, 0.117194150686),
        ("ramp_ap", {"width": 0.05}, 0.183254918003),
        ("ramp_ap", {"width": 0.2}, 0.205712978439),
        ("sup_ap", SUP, 0.369273348893),
        ("sup_ap", {**SUP, "start": 0, "offset": 1.0}, 0.365412688783),
        ("pnp", {"variant": "O"}, 0.760677837297),
        ("pnp", {"variant": "Ds"}, 0.423066674796),
        ("pnp", {}, 0.264608356702),
        ("pnp", {"variant": "Iu"}, 1.255109977748),
        ("pnp", {"variant": "Ib"}, 0.222992077104),
        ("pnp", {"variant": "O", "include_self": True}, 0.570508377973),
        ("pnp", {"variant": "Ds", "include_self": True}, 0.317300006097),
        ("pnp", {"include_self": True}, 0.198456267526),
        ("pnp", {"variant": "Iu", "include_self": True}, 0.941332483311),
        ("pnp", {"variant": "Ib", "include_self": True}, 0.167244057828),
        ("fast_ap", {}, 0.248879219151),
        ("fast_ap", {"bins": 20}, 0.222899279676),
        ("histogram_ap", {}, 0.221933338617),
        ("histogram_ap", {"include_self": True}, 0.132465406683),
        ("histogram_ap", {"bins": 25, "low": 0}, 0.195776578040),
        ("blackbox_ap", {"margin": 0}, 1 - 0.8291666666667),
        ("blackbox_ap", {"margin": 0, "include_self": True}, 1 - 0.8963789682540),
    ],
)
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
