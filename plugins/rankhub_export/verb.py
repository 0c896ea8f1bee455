"""`rankhub export`: a trained network for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, cast

import typer

from rankhub import UserError
from rankhub_console.speech import talking


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, or one of its checkpoints.")],
    to: Annotated[str | None, typer.Option(help="timm, safetensors, onnx or torch-export.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="A folder of real images to prove equality on; else scikit-image's photographs.")
    ] = None,
    pixels: Annotated[str, typer.Option("--input", help="What a graph takes: uint8, or float in [0, 1].")] = "uint8",
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there.")] = False,
    as_data: Annotated[bool, typer.Option("--json", help="Print the proof as JSON.")] = False,
) -> None:
    """Write the network of a run for timm, safetensors, ONNX or PyTorch, with a proof that it answers the same.

    Beside the file: proof.json, the largest differences on real images, and MODEL_CARD.md. If it does not answer the
    same, nothing is written.

    Example: rankhub export runs/quality/2026-01-31_12-00-00 --to onnx --out quality.onnx
    """
    if to is None:
        raise UserError("name the target with --to: timm, safetensors, onnx or torch-export")
    if out is None:
        raise UserError("name the folder to write with --out FOLDER")
    if pixels not in ("uint8", "float"):
        raise UserError(f"--input is uint8 or float, not {pixels!r}")
    from rankhub_export.exporting import Target
    from rankhub_export.exporting import export as write
    from rankhub_export.front import Pixels

    talk = talking(stderr=as_data)
    try:
        done = write(
            run,
            cast(Target, to),
            out,
            images=images,
            pixels=cast(Pixels, pixels),
            force=force,
            progress=talk.work,
        )
    finally:
        talk.finish()
    if as_data:
        return typer.echo(json.dumps(done.proof, indent=1))
    for row in done.proof["differences"]:
        said = f"{row['share']:.1e} of {row['scale_is']}"
        talk.line(f"{row['output']}, {row['compared']}: largest difference {row['worst']:.2g}, {said}")
    talk.line(f"the same on {len(done.proof['images'])} images; {done.file}, proof.json, MODEL_CARD.md")
    return None
