"""Sees that components keep their contracts: cheaply in every step, thoroughly on the trial step and where asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from rankhub.catalog.catalog import Catalog
from rankhub.engine import contracts
from rankhub.engine.contracts import Given, digest
from rankhub.engine.network import Network
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.generator import DeviceGenerator, ViewSpec, WorkerGenerator
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.model import Backbone, Head


@dataclass(slots=True)
class Guard:
    """Watches the network of a run: that nobody changes what it is handed, and, if ``full``, what everybody gives."""

    full: bool = False
    catalog: Catalog | None = None  # to name them; None = the installed plugins
    _held: dict[int, Any] = field(default_factory=dict)

    def watch(self, network: Network) -> None:
        """From now on look at what backbone, heads and losses of a network are handed and what they give."""

        def before(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            handed = list(_tensors(args))
            self._held[id(module)] = handed, [one._version for one in handed], digest(handed) if self.full else 0

        def after(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
            handed, versions, known = self._held.pop(id(module))
            changed = [one._version for one in handed] != versions or (self.full and digest(handed) != known)
            Given(module).must(not changed, "changed what it was handed, which others share; it must work on a copy")
            if not self.full:
                return
            if isinstance(module, Loss):
                contracts.check_result(module, args[0], result)
            elif isinstance(module, Backbone):
                contracts.check_features(module, args[0], bool(kwargs.get("maps")), result)
            elif isinstance(module, Head):
                contracts.check_outputs(module, args[0], result)

        parts = [
            network.backbone,
            *network.heads.values(),
            *(m for m in network.losses.modules() if isinstance(m, Loss)),
        ]
        for part in parts:
            part.register_forward_pre_hook(before, with_kwargs=True)
            part.register_forward_hook(after, with_kwargs=True)

    @contextmanager
    def thorough(self, wanted: bool = True) -> Iterator[None]:
        """Look at all that is given, inside."""
        kept, self.full = self.full, self.full or wanted
        try:
            yield
        finally:
            self.full = kept


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors that are handed over in arguments."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
    elif hasattr(value, "__slots__") and not isinstance(value, nn.Module):
        yield from _tensors([getattr(value, name) for name in value.__slots__])


def guarded_step(step: WorkerGenerator | DeviceGenerator, plan: ViewSpec, handed: Any, draws: Draws) -> Any:
    """What a step of a generator makes of views, or of a batch: it leaves them as they are, and does what it plans."""
    known = digest(handed)
    made: Any = step.apply(handed, draws)
    said = "changed the images that it was handed, which others share; it must work on a copy"
    Given(step).must(digest(handed) == known, said)
    if isinstance(handed, Batch):
        contracts.check_batch(step, plan, handed, made)
    else:
        contracts.check_views(step, plan, made, handed[0].index)
    return made
