"""Official plugin: trained networks for other programs, with a proof that they answer the same."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import rankhub
from rankhub import Verb

if TYPE_CHECKING:
    from rankhub_export.exporting import Exported as Exported
    from rankhub_export.exporting import export as export

_HOMES = {"Exported": "rankhub_export.exporting", "export": "rankhub_export.exporting"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rankhub_export' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [Verb("export", "rankhub_export.verb:export", "Write a trained network for timm, ONNX, PyTorch, others.")]
