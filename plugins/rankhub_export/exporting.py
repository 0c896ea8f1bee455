"""Write a trained network for other programs, proven to answer as the run does."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import rankhub
from rankhub import UserError
from rankhub.interfaces.files import digest_of, write_text
from rankhub_export.answering import Answering, Output, described, outputs_of
from rankhub_export.card import card
from rankhub_export.front import Contract, Pixels, front_of
from rankhub_export.graphs import need_onnx, read_onnx, read_torch, traced, write_onnx, write_torch
from rankhub_export.proof import TOLERANCE, Examples, Proof, examples, prove_answers, prove_graph, views_of
from rankhub_export.weights import load_network, network_weights, timm_features, timm_weights, write_tensors

if TYPE_CHECKING:
    from rankhub import Run

Target = Literal["timm", "safetensors", "onnx", "torch-export"]
TARGETS: tuple[Target, ...] = get_args(Target)

FILES: dict[Target, str] = {
    "timm": "model.safetensors",
    "safetensors": "model.safetensors",
    "onnx": "model.onnx",
    "torch-export": "model.pt2",
}
"""What the file of a target is called."""

PROOF, CARD = "proof.json", "MODEL_CARD.md"

_USED = ("rankhub", "torch", "timm", "onnx", "onnxruntime", "onnxscript", "safetensors")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        folder: Where.
        file: The network.
        proof: What ``proof.json`` holds: the images, and the largest difference of each output.
    """

    folder: Path
    file: Path
    proof: dict[str, Any]


def _silent(done: int, total: int, what: str) -> None:
    """Progress that is not shown."""


def export(
    run: str | Path,
    to: Target,
    out: str | Path,
    *,
    images: str | Path | None = None,
    pixels: Pixels = "uint8",
    force: bool = False,
    progress: Any = _silent,
) -> Exported:
    """Write the network of a run for another program, with a proof and a card; or nothing, if it is not the same.

    Args:
        run: The run's folder, or one of its checkpoints. Its network is taken in float32 on the CPU.
        to: ``timm``: the backbone, for ``timm.create_model(NAME, checkpoint_path=FILE)``; ``safetensors``: the whole
            network by name, with the recipe; ``onnx``, ``torch-export``: from decoded pixels to answers on the scale
            and in the direction of the labels, as one graph.
        out: The folder to write.
        images: A folder of real images to prove equality on; None = the photographs inside scikit-image.
        pixels: Of a graph: uint8, or float in [0, 1].
        force: Whether a folder that an export wrote before is replaced.
        progress: ``progress(done, total, what)``.

    Raises:
        UserError: The target does not suit the run, a package is missing, the folder is there, or the export does not
            answer as the run does.
    """
    if to not in TARGETS:
        raise UserError(f"there is no target {to!r}; there are {', '.join(TARGETS)}")
    folder = Path(out)
    _check_place(folder, force)
    if to == "onnx":
        need_onnx()
    changes = ["precision=fp32", "device=cpu"]
    beside = folder.with_name(f"{folder.name}.partial")
    with rankhub.load_run(run, overrides=changes) as trained:
        shown = examples(trained, images, progress)
        if beside.exists():
            shutil.rmtree(beside)
        beside.mkdir()
        try:
            work = _Exporting(trained, Path(run), to, beside / FILES[to], pixels, shown, progress)
            proof, text = work.go(changes)
            write_text(beside / PROOF, json.dumps(proof, indent=1) + "\n")
            write_text(beside / CARD, text)
            if folder.exists():
                shutil.rmtree(folder)
            beside.replace(folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    return Exported(folder, folder / FILES[to], proof)


def _check_place(folder: Path, force: bool) -> None:
    if not folder.absolute().parent.is_dir():
        raise UserError(f"--out {folder}: there is no folder {folder.absolute().parent}; make it first")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"--out {folder} is a file, or a link; name a folder")
    if not folder.exists():
        return
    ours = {PROOF, CARD, "model.onnx.data", *FILES.values()}
    if any(path.name not in ours or path.is_symlink() or not path.is_file() for path in folder.iterdir()):
        raise UserError(f"--out {folder} holds other things than an export; name another folder")
    if not force and any(folder.iterdir()):
        raise UserError(f"there is an export at {folder} already; --force replaces it")


class _Exporting:
    """One export under way."""

    def __init__(
        self, run: Run, source: Path, to: Target, file: Path, pixels: Pixels, shown: Examples, progress: Any
    ) -> None:
        self.run, self.source, self.to, self.file = run, source, to, file
        self.pixels, self.shown, self.progress = pixels, shown, progress

    def go(self, changes: list[str]) -> tuple[dict[str, Any], str]:
        """Write, load anew, compare; the proof and the text of the card."""
        outputs, contract, extra = outputs_of(self.run), None, dict[str, Any]()
        if self.to == "timm":
            proof, extra = self._timm()
            outputs = [output for output in outputs if output.source == "backbone"]
        elif self.to == "safetensors":
            proof = self._safetensors(outputs, changes)
        else:
            proof, contract = self._graph(outputs)
        proof.check()
        found = {
            "format": "rankhub export proof 1",
            "to": self.to,
            "run": str(self.run.path.resolve()),
            "weights": f"{self.run.weights.parent.name}/{self.run.weights.name}",
            "equal": True,
            "tolerance": TOLERANCE,
            "images": proof.images,
            "differences": proof.rows(),
            "files": {path.name: digest_of(path) for path in sorted(self.file.parent.iterdir())},
            "versions": _versions(),
            "outputs": described(outputs),
            **({"takes": _told(contract)} if contract else {}),
            **extra,
        }
        return found, card(self.run, self.to, self.file.name, found, outputs, contract)

    def _timm(self) -> tuple[Proof, dict[str, Any]]:
        model, tensors, added = timm_weights(self.run)
        write_tensors(tensors, self.file, {"model": model})
        proof, output = Proof(), Output("backbone", "backbone", "features")
        for number, views in enumerate(views_of(self.run, self.shown.images)):
            want = self.run.network.backbone(views).pooled.detach().numpy()
            proof.compare(output, "pooled features of views", timm_features(model, self.file, views, self.run), want)
            self.progress(number + 1, len(self.shown.images), "prove")
        proof.images = self.shown.names
        backbone: Any = self.run.network.backbone
        mean, std = ([round(value, 6) for value in part.flatten().tolist()] for part in (backbone.mean, backbone.std))
        return proof, {"model": model, "zeros": list(added), "mean": mean, "std": std}

    def _safetensors(self, outputs: list[Output], changes: list[str]) -> Proof:
        tensors, notes = network_weights(self.run)
        write_tensors(tensors, self.file, notes)
        with rankhub.load_run(self.source, overrides=changes) as fresh:
            load_network(self.file, fresh)
            return prove_answers(fresh, self.run, outputs, self.shown, self.progress)

    def _graph(self, outputs: list[Output]) -> tuple[Proof, Contract]:
        sizes = {(stack.shape[-2], stack.shape[-1]) for stack in views_of(self.run, self.shown.images)}
        front, contract = front_of(self.run, self.pixels, sizes)
        self.progress(0, 1, "trace")
        program = traced(Answering(self.run, front, outputs), contract)
        if self.to == "onnx":
            write_onnx(program, self.file, contract, outputs)
            call = read_onnx(self.file)
        else:
            write_torch(program, self.file)
            call = read_torch(self.file, outputs)
        self.progress(1, 1, "trace")
        return prove_graph(call, self.run, contract, outputs, self.shown, self.progress), contract


def _told(contract: Contract) -> dict[str, Any]:
    return {
        "what": contract.takes,
        "shape": contract.shape,
        "pixels": contract.pixels,
        "inside": contract.inside,
        "outside": contract.outside,
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _USED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
