"""ONNX files in onnxruntime, whose own errors become sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rankhub import UserError

Call = Callable[[Mapping[str, Any]], list[Any]]
"""Arrays by the name of their input -> all outputs, in their order."""

SILENT = 4
"""Level of onnxruntime's log: what goes wrong is raised as well."""


def open_onnx(path: Path, name: str) -> tuple[Call, Any]:
    """Load a file, on the CPU.

    Args:
        path: Where it is.
        name: What it is called in sentences.

    Returns:
        What computes, and onnxruntime's session, which knows the inputs and outputs.

    Raises:
        UserError: onnxruntime is not installed, or does not take the file; the call raises it as well.
    """
    if find_spec("onnxruntime") is None:
        raise UserError("an .onnx file needs the package onnxruntime: pip install rankhub[onnx]")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own types, one for each kind of damage
        raise UserError(f"{name} cannot be loaded: {_why(error)}; write it anew, or name another file") from None

    def call(inputs: Mapping[str, Any]) -> list[Any]:
        try:
            return list(session.run(None, dict(inputs)))
        except Exception as error:  # as above
            shapes = ", ".join(str(list(value.shape)) for value in inputs.values())
            raise UserError(f"{name} cannot compute with pixels {shapes}: {_why(error)}") from None

    return call, session


def _why(error: Exception) -> str:
    """What onnxruntime says, without its codes, the file's name and the places in its source."""
    said = " ".join(str(error).split())
    said = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", said)
    said = re.sub(r"^Load model from .*? failed:", "", said)
    said = re.sub(r"^Non-zero status code .*? running (\w+) node.*?Status Message: (\S*/\S+:\d+ )?", r"\1: ", said)
    return said.removeprefix("Fatal error: ")[:300].rstrip(". ")
