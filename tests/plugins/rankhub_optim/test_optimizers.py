"""Optimisers against torch's own and against slow references."""

import pytest
import torch

from rankhub_optim.lars import LARS
from rankhub_optim.optimizers import SGD, AdamW


def problem(seed=0):
    torch.manual_seed(seed)
    matrix, vector = torch.nn.Parameter(torch.randn(3, 2)), torch.nn.Parameter(torch.randn(3))
    inputs = torch.randn(7, 2)
    return matrix, vector, inputs


def groups(matrix, vector):
    return [{"params": [matrix], "vector": False}, {"params": [vector], "vector": True}]


def descend(make, steps=5, fill_decay=True):
    matrix, vector, inputs = problem()
    optimizer = make(matrix, vector)
    for _ in range(steps):
        for group in optimizer.param_groups:
            if "weight_decay_scale" in group and fill_decay:  # what the engine does before each step
                group["weight_decay"] = optimizer.defaults["weight_decay"] * group["weight_decay_scale"]
        optimizer.zero_grad()
        ((inputs @ matrix.T + vector) ** 2).sum().backward()
        optimizer.step()
    return matrix.detach(), vector.detach()


@pytest.mark.parametrize("decay_vectors", [False, True])
@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (SGD, torch.optim.SGD, {"lr": 0.01, "momentum": 0.8, "nesterov": True}),
        (AdamW, torch.optim.AdamW, {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-6}),
    ],
)
def test_equal_torch(ours, theirs, options, decay_vectors):
    def plain(matrix, vector):
        return theirs(
            [{"params": [matrix]}, {"params": [vector], "weight_decay": 0.1 * decay_vectors}],
            weight_decay=0.1,
            **options,
        )

    def wrapped(matrix, vector):
        return ours(groups(matrix, vector), weight_decay=0.1, decay_vectors=decay_vectors, **options)

    for one, other in zip(descend(wrapped), descend(plain), strict=True):
        torch.testing.assert_close(one, other)


def test_lars_equals_the_algorithm_written_out():
    found = descend(lambda m, v: LARS(groups(m, v), lr=0.5, momentum=0.9, weight_decay=0.1, trust=0.02, eps=0.0))
    matrix, vector, inputs = problem()
    weights, bias = matrix.detach().clone(), vector.detach().clone()
    velocity, bias_velocity = torch.zeros_like(weights), torch.zeros_like(bias)
    for _ in range(5):
        error = inputs @ weights.T + bias
        gradient, bias_gradient = 2 * error.T @ inputs, 2 * error.sum(0)
        trust = 0.02 * weights.norm() / (gradient.norm() + 0.1 * weights.norm())
        velocity = 0.9 * velocity + 0.5 * trust * (gradient + 0.1 * weights)
        bias_velocity = 0.9 * bias_velocity + 0.5 * bias_gradient
        weights, bias = weights - velocity, bias - bias_velocity
    torch.testing.assert_close(found[0], weights)
    torch.testing.assert_close(found[1], bias)


def test_lars_moves_a_weight_that_is_zero():
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    optimizer = LARS([{"params": [weight], "vector": False}], lr=0.1)
    weight.grad = torch.ones(2, 2)
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), -0.1))
    weight.grad = torch.zeros(2, 2)
    optimizer.step()
    assert bool(torch.isfinite(weight).all())
