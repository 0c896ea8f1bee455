import copy

import pytest
import torch
from torch import nn

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.schedule import Clock, Schedule
from rankhub_optim.optimizers import LARS, SGD, AdamW


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(torch.tanh(self.norm(self.first(x))))


def make_net() -> Net:
    torch.manual_seed(0)
    return Net()


def groups_of(net: nn.Module, **extra) -> list[dict]:
    weights = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": weights, "vector": False, **extra}, {"params": vectors, "vector": True, **extra}]


def train(net: nn.Module, optimizer, steps: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        x, y = torch.randn(8, 5, generator=generator), torch.randn(8, 2, generator=generator)
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.mark.parametrize("decay_vectors", [False, True])
def test_sgd_equals_torchs_with_decay_set_by_hand(decay_vectors):
    mine, theirs = make_net(), make_net()
    optimizer = SGD(groups_of(mine), lr=0.1, momentum=0.8, weight_decay=0.3, nesterov=True, decay_vectors=decay_vectors)
    by_hand = groups_of(theirs)
    by_hand[0]["weight_decay"], by_hand[1]["weight_decay"] = 0.3, 0.3 if decay_vectors else 0.0
    reference = torch.optim.SGD(by_hand, lr=0.1, momentum=0.8, nesterov=True)
    assert torch.equal(train(mine, optimizer), train(theirs, reference))


@pytest.mark.parametrize("decay_vectors", [False, True])
def test_adamw_equals_torchs_with_decay_set_by_hand(decay_vectors):
    mine, theirs = make_net(), make_net()
    optimizer = AdamW(groups_of(mine), lr=0.01, betas=(0.8, 0.9), weight_decay=0.3, decay_vectors=decay_vectors)
    by_hand = groups_of(theirs)
    by_hand[0]["weight_decay"], by_hand[1]["weight_decay"] = 0.3, 0.3 if decay_vectors else 0.0
    reference = torch.optim.AdamW(by_hand, lr=0.01, betas=(0.8, 0.9))
    assert torch.equal(train(mine, optimizer), train(theirs, reference))


def slow_lars(net, steps, lr, momentum, decay, trust, decay_vectors, adapt_vectors):
    """Algorithm 1 of the paper, one number at a time."""
    generator = torch.Generator().manual_seed(1)
    velocity = [[0.0] * p.numel() for p in net.parameters()]
    for _ in range(steps):
        x, y = torch.randn(8, 5, generator=generator), torch.randn(8, 2, generator=generator)
        net.zero_grad()
        (net(x) - y).square().mean().backward()
        for p, v in zip(net.parameters(), velocity, strict=True):
            vector = p.ndim <= 1
            w, g = p.detach().flatten().tolist(), p.grad.flatten().tolist()
            d = decay if decay_vectors or not vector else 0.0
            rate = lr
            long, steep = sum(a * a for a in w) ** 0.5, sum(a * a for a in g) ** 0.5
            if (adapt_vectors or not vector) and long > 0 and steep > 0:
                rate = lr * trust * long / (steep + d * long)
            for i in range(len(w)):
                v[i] = momentum * v[i] + rate * (g[i] + d * w[i])
                w[i] -= v[i]
            p.data = torch.tensor(w, dtype=p.dtype).view_as(p)
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.mark.parametrize("decay_vectors", [False, True])
@pytest.mark.parametrize("adapt_vectors", [False, True])
def test_lars_equals_the_papers_algorithm(decay_vectors, adapt_vectors):
    mine, theirs = make_net().double(), make_net().double()
    with torch.no_grad():
        for net in (mine, theirs):
            net.last.weight.zero_()  # its norm is 0, so it takes the plain rate
    optimizer = LARS(
        groups_of(mine),
        lr=0.5,
        momentum=0.7,
        weight_decay=0.2,
        trust=0.02,
        decay_vectors=decay_vectors,
        adapt_vectors=adapt_vectors,
    )
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        expected = slow_lars(theirs, 6, 0.5, 0.7, 0.2, 0.02, decay_vectors, adapt_vectors)
        torch.testing.assert_close(train(mine, optimizer), expected, rtol=1e-10, atol=1e-12)
    finally:
        torch.set_default_dtype(usual)


def test_lars_moves_a_tensor_by_its_own_norm_whatever_the_gradients_scale():
    for scale in (1e-6, 1.0, 1e6):
        weight = nn.Parameter(torch.tensor([3.0, 4.0]))
        weight.grad = scale * torch.tensor([1.0, -2.0])
        LARS([weight], lr=2.0, weight_decay=0.0, trust=0.1).step()
        moved = weight.detach() - torch.tensor([3.0, 4.0])
        torch.testing.assert_close(moved.norm(), torch.tensor(2.0 * 0.1 * 5.0))


def test_lars_closure_and_parameters_without_gradient():
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = LARS([used, unused], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = used.square().sum()
        loss.backward()
        return float(loss.detach())

    assert optimizer.step(closure) == 2.0
    assert torch.equal(unused.detach(), torch.ones(2))
    assert not torch.equal(used.detach(), torch.ones(2))


MAKE = {
    "sgd": lambda groups: SGD(groups, lr=0.1, weight_decay=0.2),
    "adamw": lambda groups: AdamW(groups, lr=0.1, weight_decay=0.2),
    "lars": lambda groups: LARS(groups, lr=0.1, weight_decay=0.2),
}


@pytest.mark.parametrize("name", MAKE)
def test_groups_start_with_their_own_numbers(name):
    optimizer = MAKE[name](groups_of(make_net(), lr_scale=0.5))
    assert isinstance(optimizer, Optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.05]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.2, 0.0]
    assert optimizer.param_groups[1]["weight_decay_scale"] == 0.0
    assert "weight_decay_scale" not in optimizer.param_groups[0]


@pytest.mark.parametrize("name", MAKE)
def test_a_stored_state_goes_on_bit_for_bit(name, tmp_path):
    net = make_net()
    optimizer = MAKE[name](groups_of(net))
    train(net, optimizer, 3)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    twin = copy.deepcopy(net)
    again = MAKE[name](groups_of(twin))
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(train(net, optimizer), train(twin, again))


@pytest.mark.parametrize("name", MAKE)
def test_the_numbers_in_the_groups_count(name):
    """The engine writes schedules into the groups: a learning rate of 0 there must hold everything still."""
    net = make_net()
    optimizer = MAKE[name](groups_of(net))
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = torch.cat([p.detach().flatten() for p in net.parameters()])
    assert torch.equal(train(net, optimizer, 1), before)


def test_plain_parameters_are_taken_too():
    assert len(SGD(make_net().parameters(), lr=0.1).param_groups) == 1


def test_nesterov_without_momentum_is_objected_to():
    with pytest.raises(Objection, match="needs a momentum above 0"):
        SGD(groups_of(make_net()), lr=0.1, momentum=0.0, nesterov=True)


def test_a_schedule_is_no_number():
    class Falling(Schedule):
        def value(self, clock: Clock) -> float:
            return 1.0

    with pytest.raises(TypeError, match="the number that its schedule gives"):
        SGD(groups_of(make_net()), lr=Falling())
