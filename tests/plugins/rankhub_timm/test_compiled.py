"""``compile: true`` computes the same, keeps the weights' names, and goes on without a compiler."""

from __future__ import annotations

import copy
import functools
import logging

import pytest
import torch

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.errors import UserError
from rankhub_timm import compiled
from rankhub_timm.compiled import Compiler

CATALOG = Catalog.discover()


def backbone(**options):
    torch.manual_seed(3)
    return CATALOG.build("backbone", ComponentSpec(use="timm", model="test_resnet", **options))


def gradient(one, images, **options):
    one.zero_grad()
    features = one(images, **options)
    maps = features.maps[0].sum() if features.maps else 0
    (features.pooled.square().sum() + maps).backward()
    return features.pooled.detach(), torch.cat([p.grad.flatten() for p in one.parameters()])


@pytest.fixture
def counted(monkeypatch):
    """In place of torch's compiler one that counts; nothing is compiled."""
    calls = []

    def passes(*handed):
        calls.append(handed[0])
        return compiled.pass_through(*handed)

    monkeypatch.setattr(compiled, "_compiled", lambda: passes)
    monkeypatch.setattr("rankhub_timm.backbone.compiler", Compiler())
    return calls


def test_it_is_compiled_while_it_learns_and_copies_are_too(counted):
    one, images = backbone(compile=True), torch.rand(2, 3, 32, 32)
    twin = copy.deepcopy(one)  # as a moving average is made
    one.train()(images)
    twin.train()(images, maps=True)
    assert counted == [one.network, twin.network]
    one.eval()(images)
    assert len(counted) == 2  # test time takes the network as it is
    backbone().train()(images)
    assert len(counted) == 2
    assert set(one.state_dict()) == set(backbone().state_dict())


def test_a_graph_that_is_being_drawn_is_not_compiled(counted):
    one = backbone(compile=True).train()
    one.to("meta")(torch.rand(2, 3, 32, 32, device="meta"))
    drawn = backbone(compile=True).train().requires_grad_(False)
    torch.jit.trace(lambda images: drawn(images).pooled, torch.rand(2, 3, 32, 32), check_trace=False)
    assert counted == []


@pytest.mark.parametrize(
    "error", [RuntimeError("No working C++ compiler found.\nmore"), ImportError("No module named 'triton'"), OSError()]
)
def test_without_a_compiler_it_says_so_once_and_goes_on(monkeypatch, caplog, error):
    def fails(*handed):
        raise error

    monkeypatch.setattr(compiled, "_compiled", lambda: fails)
    monkeypatch.setattr("rankhub_timm.backbone.compiler", Compiler())
    one, images = backbone(compile=True).train(), torch.rand(2, 3, 32, 32)
    with caplog.at_level(logging.WARNING, "rankhub"):
        found = [gradient(one, images) for _ in range(2)]
    plain = backbone().train()
    wanted = [gradient(plain, images) for _ in range(2)]
    for mine, others in zip(found, wanted, strict=True):
        assert all(torch.equal(*pair) for pair in zip(mine, others, strict=True))
    (said,) = [record.message for record in caplog.records]
    assert said.startswith("backbone.compile: torch cannot compile the network here (")
    assert "goes on uncompiled" in said
    assert "more" not in said


def test_a_frozen_network_is_not_compiled():
    with pytest.raises(UserError, match="compile is for a network that learns"):
        backbone(frozen=True, compile=True)


def test_compiled_features_and_gradients_are_those_of_the_network(monkeypatch):
    """Traced by torch as for its compiler, which itself would take a minute here; `tools/check_gpu.py` runs that."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    compiler = Compiler()
    monkeypatch.setattr("rankhub_timm.backbone.compiler", compiler)
    monkeypatch.setattr(compiled, "_compiled", functools.cache(compiled._compiled.__wrapped__))
    one, plain = backbone(compile=True).train(), backbone().train()
    images = torch.rand(4, 3, 32, 32)
    found, wanted = gradient(one, images), gradient(plain, images)
    assert compiler.works
    for mine, others in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, others, rtol=1e-5, atol=1e-5 * float(others.abs().max()))
    torch.testing.assert_close(one.state_dict(), plain.state_dict(), rtol=1e-5, atol=1e-5)  # BatchNorm's statistics too
