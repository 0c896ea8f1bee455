"""The teacher sees what some loss asks of it, and nothing else."""

import torch
from helpers import fakes

from rankhub.engine.device import Compute
from rankhub.engine.network import Network
from rankhub.engine.objectives import Objective
from rankhub.engine.step import teacher_outputs
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget


class Watched(fakes.Flat):
    """Remembers the sides of what it has seen."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images, maps=False):
        self.seen.append((len(images), images.shape[-1]))
        return super().forward(images, maps)


def setting(*limits):
    torch.manual_seed(0)
    backbone = Watched()
    teacher = Network(backbone, {"main": fakes.Arrow(backbone.spec, LabelSpec())}, {})
    objectives = []
    for number, limit in enumerate(limits):
        loss = fakes.Follow({"arrow": OutputSpec("embedding", 4)})
        loss.teacher_views = limit
        objectives.append(Objective(f"s/follow_{number}", "main", ("arrow",), loss))
    view = torch.tensor([0, 1, 0, 1, 2, 3, 2, 3])
    index = torch.tensor([5, 5, 9, 9, 5, 5, 9, 9])
    images = (torch.rand(4, 3, 8, 8), torch.rand(4, 3, 6, 6))
    target = RankTarget(index, view, index, torch.ones(8))
    return backbone, teacher, Batch(images, torch.zeros(8, 2), torch.zeros(8, 2, 3), target), objectives


def taught(*limits):
    backbone, teacher, batch, objectives = setting(*limits)
    return backbone.seen, teacher_outputs(teacher, Compute(torch.device("cpu")), batch, objectives)["main.arrow"]


def test_all_views_unless_every_loss_says_how_many():
    assert taught(None)[0] == taught(2, None)[0] == taught(2, 3)[0] == [(4, 8), (4, 6)]


def test_only_the_large_views():
    everything, (seen, few) = taught(None)[1], taught(2, 1)
    assert seen == [(4, 8)]
    torch.testing.assert_close(few[:4], everything[:4])
    assert not few[4:].any()
    assert everything[4:].any()
