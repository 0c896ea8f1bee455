"""ONNX and torch.export: the whole way from pixels to answers as one graph."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import Dim, ExportedProgram

from rankhub import UserError
from rankhub_export.answering import Answering, Output, described
from rankhub_export.front import Contract
from rankhub_use.onnx import open_onnx

Array = npt.NDArray[Any]
Call = Callable[[Array], Mapping[str, Array]]
"""An exported file that was loaded anew: pixels [n, 3, H, W] to name -> [n, ...]."""

OPSET = 18


def traced(module: Answering, contract: Contract) -> ExportedProgram:
    """The graph; how many images, and where they are not fixed how large, is open.

    Raises:
        UserError: The network cannot be traced.
    """
    height = contract.height or contract.least + 32
    width = contract.width or contract.least + 59
    kind = torch.uint8 if contract.pixels == "uint8" else torch.float32
    sizes: dict[int, Any] = {0: Dim("batch", min=1, max=2**16)}
    if contract.height is None:
        sizes |= {
            2: Dim("height", min=contract.least, max=contract.most),
            3: Dim("width", min=contract.least, max=contract.most),
        }
    try:
        with _quiet(), torch.no_grad():
            images = torch.zeros(2, 3, height, width, dtype=kind)
            # What holds for all sizes is not always seen by torch's solver; as assertions it is checked at run time.
            return torch.export.export(
                module,
                (images,),
                dynamic_shapes={"images": sizes},
                prefer_deferred_runtime_asserts_over_guards=True,
            )
    except Exception as error:  # whatever torch says of code that it cannot trace
        raise UserError(f"torch cannot trace this network: {_first_line(error)}; export it as safetensors") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def write_torch(program: ExportedProgram, path: Path) -> None:
    """As ``.pt2``."""
    with _quiet():
        torch.export.save(program, path)


def read_torch(path: Path, outputs: list[Output]) -> Call:
    """Load a ``.pt2`` anew."""
    with _quiet():
        module = torch.export.load(path).module()

    def call(images: Array) -> Mapping[str, Array]:
        with torch.no_grad():
            found = module(torch.from_numpy(np.ascontiguousarray(images)))
        return {output.name: value.numpy() for output, value in zip(outputs, found, strict=True)}

    return call


def need_onnx() -> None:
    """See that the packages are there.

    Raises:
        UserError: They are not.
    """
    for name in ("onnx", "onnxruntime", "onnxscript"):
        if find_spec(name) is None:
            raise UserError(
                f"--to onnx needs the package {name}, which is not installed: `pip install 'rankhub[export]'`"
            )


def write_onnx(program: ExportedProgram, path: Path, contract: Contract, outputs: list[Output]) -> None:
    """As ``.onnx``, with what it takes and gives in its notes.

    Raises:
        UserError: The network cannot be written as ONNX.
    """
    try:
        with _quiet():
            found = torch.onnx.export(
                program,
                input_names=["images"],
                output_names=[output.name for output in outputs],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # whatever onnx and torch say of what ONNX has no words for
        raise UserError(f"ONNX cannot hold this network: {_first_line(error)}; export it as torch-export") from error
    assert found is not None
    notes = {"takes": f"{contract.takes} {contract.shape} {contract.pixels}", "outputs": json.dumps(described(outputs))}
    found.model.metadata_props.update({f"rankhub.{name}": text for name, text in notes.items()})
    found.save(str(path))


def read_onnx(path: Path) -> Call:
    """Load a ``.onnx`` anew, in onnxruntime."""
    compute, session = open_onnx(path, f"the written {path.name}")
    names = [output.name for output in session.get_outputs()]

    def call(images: Array) -> Mapping[str, Array]:
        return dict(zip(names, compute({"images": np.ascontiguousarray(images)}), strict=True))

    return call


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the tools say to their own developers."""
    names = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "torch._export")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
