"""Sees that components leave what they are handed as it is, and give what their contracts ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from rankhub.interfaces.batch import Batch
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.evaluate import Evaluator
from rankhub.interfaces.guard import Check, Guard
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.model import Backbone, Head
from rankhub.interfaces.predict import Predict
from rankhub_guards import contracts
from rankhub_guards.contracts import Given, digest

_COPY = "it must work on a copy"
_IMAGES = "changed the images that it was handed"


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


class CallWatch(Guard):
    """Looks at what components are handed and give."""

    def opened(self, dataset: Dataset) -> None:
        """What it says of all of its images agrees, and with the first and the last of them."""
        contracts.check_dataset(dataset)

    def watch(self, part: nn.Module, thorough: Callable[[], bool]) -> None:
        """From now on look at what a part of a network is handed, and where ``thorough`` says so at what it gives."""
        held: list[Any] = []

        def before(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            handed = list(_tensors(args))
            held[:] = handed, [one._version for one in handed], digest(handed) if thorough() else None

        def after(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
            handed, versions, known = held
            held.clear()
            changed = [one._version for one in handed] != versions or (known is not None and digest(handed) != known)
            Given(module).must(not changed, f"changed what it was handed, which others share; {_COPY}")
            if known is None:
                return
            if isinstance(module, Loss):
                contracts.check_result(module, args[0], result)
            elif isinstance(module, Backbone):
                contracts.check_features(module, args[0], bool(kwargs.get("maps")), result)
            elif isinstance(module, Head):
                contracts.check_outputs(module, args[0], result)

        part.register_forward_pre_hook(before, with_kwargs=True)
        part.register_forward_hook(after, with_kwargs=True)

    def calling(self, component: Any, handed: Any, beside: Any = None) -> Check | None:
        """It leaves what it is handed as it is, and gives what its contract asks for."""
        if isinstance(component, Dataset):
            return lambda sample: contracts.check_sample(component, handed, sample)
        if isinstance(component, Loss):
            return lambda count: contracts.check_count(component, count)
        if isinstance(component, Evaluator):
            return lambda result: contracts.check_found(component, result)
        if isinstance(component, Predict):
            versions = [image._version for image in handed]

            def answered(said: Any) -> None:
                contracts.check_answers(component, said, len(handed), beside)
                Given(component).must([image._version for image in handed] == versions, f"{_IMAGES}; {_COPY}")

            return answered
        known = digest(handed)

        def made(views: Any) -> None:
            Given(component).must(digest(handed) == known, f"{_IMAGES}, which others share; {_COPY}")
            if isinstance(handed, Batch):
                contracts.check_batch(component, beside, handed, views)
            else:
                contracts.check_views(component, beside, views, handed[0].index)

        return made

    def sharing(self, name: str, value: Any) -> Check | None:
        """No evaluator changes it."""
        known = digest(value)
        said = f"changed what it was handed, which other evaluators share ({name}); {_COPY}"
        return lambda evaluator: Given(evaluator).must(digest(value) == known, said)
