"""Turns what training holds into a checkpoint's state, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rankhub.engine import checkpoint
from rankhub.engine.groups import ScheduledOptimizer
from rankhub.engine.learner import Learner
from rankhub.engine.network import Network
from rankhub.interfaces.errors import UserError
from rankhub.recipe.schema import StartFrom, matching


def capture(learner: Learner, optimizer: ScheduledOptimizer, step: int, facts: dict[str, Any]) -> checkpoint.State:
    """The state after ``step`` steps of the run."""
    average = learner.average
    return checkpoint.State(
        step=step,
        weights=learner.network.state_dict(),
        average=None if average is None else average.network.state_dict(),
        optimizer=optimizer_state(learner.network, optimizer),
        random=checkpoint.random_state(),
        scaler=learner.scaler.state_dict(),
        facts=facts,
    )


def restore(learner: Learner, state: checkpoint.State, folder: object) -> None:
    """Put weights, average, scaler and random generators back; the optimiser follows once its phase is entered.

    Raises:
        UserError: The checkpoint's weights do not fit the recipe's network.
    """
    load_weights(learner.network, state.weights, folder)
    if learner.average is not None and state.average is not None:
        load_weights(learner.average.network, state.average, folder)
    if state.scaler:
        learner.scaler.load_state_dict(dict(state.scaler))
    checkpoint.set_random_state(state.random)


def load_weights(network: nn.Module, weights: Any, folder: object) -> None:
    """Load a state dict whose names and shapes must all fit.

    Raises:
        UserError: They do not; one sentence.
    """
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(f"the weights in {folder} do not fit this recipe's network: {first}") from error


def take_over(network: Network, start: StartFrom) -> None:
    """Begin with weights of another run: those that match its patterns.

    Raises:
        UserError: They are not there, or do not fit; one sentence.
    """
    weights, file = checkpoint.read_weights(Path(start.run).expanduser(), average=start.average)
    own = network.state_dict()
    for pattern in start.parts:
        ours, theirs = set(matching(own, pattern)), set(matching(weights, pattern))
        if not ours or not theirs:
            where = "this recipe's network" if not ours else str(file)
            raise UserError(f"start_from.parts: {pattern!r} matches no weight of {where}")
        differ = sorted(
            n for n in ours | theirs if n not in own or n not in weights or own[n].shape != weights[n].shape
        )
        if differ:
            raise UserError(
                f"start_from: {len(differ)} weights of {pattern!r} in {file} do not fit this recipe's network, first "
                f"{differ[0]}; build the same network, or leave that part out of start_from.parts"
            )
        own.update({name: weights[name] for name in ours})
    network.load_state_dict(own)


def optimizer_state(network: Network, optimizer: ScheduledOptimizer) -> dict[str, Any]:
    """The optimiser's state by parameter name, and the plain values of its groups."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    moved = optimizer.optimizer
    state = {names[id(p)]: dict(moved.state[p]) for p in optimizer.parameters() if p in moved.state}
    groups = [
        {key: value for key, value in group.items() if isinstance(value, bool | int | float)}
        for group in moved.param_groups
    ]
    return {"state": state, "groups": groups}


def load_optimizer(network: Network, optimizer: ScheduledOptimizer, saved: Any, *, same_phase: bool) -> None:
    """Give the optimiser what is known of its parameters: momenta, counts.

    Args:
        network: Whose parameters they are.
        optimizer: The phase's optimiser, newly made.
        saved: From :func:`optimizer_state`.
        same_phase: Whether the state is of this very phase; then the groups' values come back too.
    """
    fresh = optimizer.optimizer
    for name, parameter in network.named_parameters():
        known = saved["state"].get(name)
        if known and parameter.requires_grad:
            fresh.state[parameter] = {key: _like(key, value, parameter) for key, value in known.items()}
    if same_phase:
        for group, values in zip(fresh.param_groups, saved["groups"], strict=True):
            group.update(values)


def _like(key: str, value: Any, parameter: Tensor) -> Any:
    if not isinstance(value, Tensor):
        return value
    # torch keeps the count of steps on the CPU; momenta lie beside their parameter.
    return value.clone() if key == "step" else value.to(parameter.device, copy=True)


def reset(network: Network, fresh: Network, patterns: list[str]) -> None:
    """Start the matching parameters and buffers afresh, with the values of a newly built network."""
    new = fresh.state_dict()
    names = {name for pattern in patterns for name in matching(new, pattern)}
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name in names:
                value.copy_(new[name])
