"""The two ways from a batch of ranked views to the gradient of all pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rankhub import build
from rankhub.engine.network import Network
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.loss import Loss, LossContext
from siamese_benchmark.layouts import Layout


@dataclass(frozen=True)
class Subject:
    """What both ways are given.

    Attributes:
        layout: Which views there are.
        network: Backbone and a head ``score``, with one output for each view whatever the others are.
        loss: ``margin_ranking`` of the layout.
        images: [N, 3, side, side] float in [0, 1].
    """

    layout: Layout
    network: Network
    loss: Loss
    images: Tensor

    def scores(self, images: Tensor) -> Tensor:
        """[n] outputs of one branch, as the engine computes them."""
        scores: Tensor = self.network([images], ["score"])["score.score"]
        return scores

    def to(self, dtype: torch.dtype) -> Subject:
        """The same with weights and images of another type."""
        return Subject(self.layout, self.network.to(dtype), self.loss, self.images.to(dtype))


def prepare(layout: Layout, model: str, stem: str, side: int) -> Subject:
    """A network with random weights, and random images of one colour and some noise each.

    A Siamese network equals one pass only where the output of an image does not depend on the others of its batch, so
    batch statistics are taken once from the images and then kept, and dropout is off.
    """
    torch.manual_seed(0)
    backbone = build("backbone", {"use": "timm", "model": model, "stem": stem, "normalize": "none"})
    head = build("head", {"use": "score"}, backbone.spec, LabelSpec())
    loss = build("loss", {"use": "margin_ranking", **layout.options}, head.outputs)
    network = Network(backbone, {"score": head}, {})
    for parameter in network.parameters():
        if not parameter.any():  # as timm's last normalization of each block: it would hide the block's gradient
            nn.init.normal_(parameter, std=0.1)
    images = torch.rand(layout.images, 3, 1, 1) + 0.2 * torch.randn(layout.images, 3, side, side)
    subject = Subject(layout, network, loss, images.clamp_(0, 1))
    _settle(subject)
    return subject


@torch.no_grad()
def _settle(subject: Subject) -> None:
    """Take batch statistics once, and scale the last layer to scores that spread by 1: some pairs keep the margin."""
    few = subject.images[:: max(1, len(subject.images) // 8)]
    for module in subject.network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # the plain mean of the batches seen, which is one
    subject.network.train()
    subject.scores(few)
    subject.network.eval()
    last = [module for module in subject.network.heads["score"].modules() if isinstance(module, nn.Linear)][-1]
    last.weight.div_(subject.scores(few).std())


def one_pass(subject: Subject) -> Tensor:
    """Every view passes once; all pairs are formed on the outputs, as the engine does it. Adds to the gradients."""
    target = subject.layout.target()
    result = subject.loss({"score": subject.scores(subject.images)}, target, LossContext())
    mean: Tensor = result.total / subject.loss.count(target)
    mean.backward()
    return mean.detach()


def two_branches(subject: Subject, at_once: int) -> Tensor:
    """Both members of every pair pass, each through its branch of the same weights. Adds to the gradients.

    So many pairs ``at_once`` are held in memory; the gradient does not depend on it.
    """
    upper, lower = subject.layout.pairs()
    margin, mean = subject.layout.options["margin"], torch.zeros(())
    for above, below in zip(upper.split(at_once), lower.split(at_once), strict=True):
        better, worse = subject.scores(subject.images[above]), subject.scores(subject.images[below])
        ones = torch.ones_like(better)
        part = F.margin_ranking_loss(better, worse, ones, margin=margin, reduction="sum") / len(upper)
        part.backward()
        mean = mean + part.detach()
    return mean
