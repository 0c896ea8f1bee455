"""The model card beside an export: what it is, how it is used, what it was trained on, what it reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rankhub_export.answering import Output
from rankhub_export.front import Contract

if TYPE_CHECKING:
    from rankhub import Run

_OPEN = """import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("{file}")
"""

_PIXELS = {
    "uint8": 'image = np.asarray(Image.open("photo.jpg").convert("RGB")).transpose(2, 0, 1)',
    "float": 'image = np.asarray(Image.open("photo.jpg").convert("RGB"), np.float32).transpose(2, 0, 1) / 255',
}

_CROPS = """rng, size = np.random.default_rng(0), {size}
tops = rng.integers(0, image.shape[1] - size + 1, {count})
lefts = rng.integers(0, image.shape[2] - size + 1, {count})
images = np.stack([image[:, top : top + size, left : left + size] for top, left in zip(tops, lefts)])
"""

_TORCH = """import numpy as np
import torch
from PIL import Image

network = torch.export.load("{file}").module()
"""

_TIMM = """import timm
import torch

network = timm.create_model("{model}", checkpoint_path="{file}").eval()
views = (torch.rand(1, 3, {height}, {width}) - torch.tensor({mean})[:, None, None]) / torch.tensor({std})[:, None, None]
features = network.forward_head(network.forward_features(views), pre_logits=True)
"""

_TENSORS = """from safetensors import safe_open

with safe_open("{file}", "pt") as file:
    notes = file.metadata()  # recipe, outputs, labels: mean and standard deviation of a score are there
    tensors = {{name: file.get_tensor(name) for name in file.keys()}}
"""


def card(
    run: Run, to: str, file: str, proof: Mapping[str, Any], outputs: Sequence[Output], contract: Contract | None
) -> str:
    """The text of a card in Markdown."""
    recipe = run.recipe.resolved()
    parts = [
        f"# {run.recipe.name}: {file}",
        recipe.get("description") or "",
        f"Exported by `rankhub export --to {to}` from `{proof['weights']}` of a run of rankhub "
        f"{proof['versions'].get('rankhub', '')}.",
        "## Use",
        _use(run, to, file, proof, outputs, contract),
        "## What it gives",
        _table(
            ["output", "kind", "unit", "direction"],
            [[output.name, output.kind, output.unit, output.direction] for output in outputs],
        ),
        "## The same as the run",
        f"Compared on {len(proof['images'])} real images with the file loaded anew; at most {proof['tolerance']:g} of "
        "the scale is allowed. `proof.json` has all of it.",
        _table(
            ["output", "compared", "largest difference", "of its scale", "scale"],
            [
                [row["output"], row["compared"], f"{row['worst']:.2e}", f"{row['share']:.1e}", row["scale_is"]]
                for row in proof["differences"]
            ],
        ),
        "## Data",
        _table(["name", "component", "options"], [_data(name, spec) for name, spec in recipe["data"].items()]),
        "## Recipe",
        f"Backbone: {_spec(recipe['backbone'])}. "
        + " ".join(f"Head {name}: {_spec(spec)}." for name, spec in recipe["heads"].items())
        + f" At test time: {_spec(recipe['predict'])}. Trained by "
        + "; ".join(_stream(name, spec) for name, spec in recipe["streams"].items())
        + ".",
        "## Figures",
        _figures(run),
        "## Licence",
        "The weights are yours: rankhub claims nothing in them. What the data set and the weights that training began "
        "with ask for still holds.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _use(
    run: Run, to: str, file: str, proof: Mapping[str, Any], outputs: Sequence[Output], contract: Contract | None
) -> str:
    if contract is None:
        if to == "safetensors":
            return f"```python\n{_TENSORS.format(file=file)}```\n\nIts names are those of the run's network."
        side = run.recipe.resolved()["predict"].get("size") or 224
        code = _TIMM.format(file=file, height=side, width=side, **{k: proof[k] for k in ("model", "mean", "std")})
        zeros = (
            f"The classifier ({', '.join(proof['zeros'])}) is made of zeros; `network.reset_classifier(0)` drops it."
        )
        return f"```python\n{code}```\n\n" + (zeros if proof["zeros"] else "")
    said = (
        f"Takes `images` {contract.shape}, decoded RGB, {contract.pixels}"
        f"{' in [0, 1]' if contract.pixels == 'float' else ''}, any number n"
        f"{'' if contract.height else f', sides from {contract.least} to {contract.most:,} px'}: "
        f"{'whole images' if contract.takes == 'image' else 'one crop or tile each'}. Inside: {contract.inside}; the "
        "network's normalization; scale and direction of the labels."
    )
    outside = f" Outside: {contract.outside}." if contract.outside else ""
    code = (_OPEN if to == "onnx" else _TORCH).format(file=file) + _PIXELS[contract.pixels] + "\n"
    predict = run.recipe.resolved()["predict"]
    if contract.mean:
        code += _CROPS.format(size=predict["size"], count=predict["count"])
    else:
        code += "images = image[None]\n"
    first, names = outputs[0].name, [output.name for output in outputs]
    if to == "onnx":
        code += f'answer = session.run(["{first}"], {{"images": images}})[0]\n'
    else:
        code += f"answer = network(torch.from_numpy(images.copy()))[0].numpy()  # of {', '.join(names)}\n"
    code += f"print(answer{'.mean(0)' if contract.mean else '[0]'})\n"
    return f"{said}{outside}\n\n```python\n{code}```"


def _figures(run: Run) -> str:
    """The run's closing table, or what it measured."""
    rows = run.measured
    if not rows:
        return "The run was not evaluated."
    names = list(dict.fromkeys(name for found in rows.values() for name in found))
    cells = [[row, *(f"{found[name]:.4g}" if name in found else "" for name in names)] for row, found in rows.items()]
    return _table(["", *names], cells)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)


def _data(name: str, spec: Mapping[str, Any]) -> list[str]:
    """Where data lie on somebody's machine is not told."""
    told = {key: value for key, value in spec.items() if key != "use" and value is not None and key != "root"}
    plain = ", ".join(f"{k}={v}" for k, v in told.items() if not isinstance(v, str) or "/" not in v)
    return [name, str(spec["use"]), plain]


def _spec(spec: Mapping[str, Any]) -> str:
    options = ", ".join(f"{key}={value}" for key, value in spec.items() if key != "use" and value is not None)
    return f"{spec['use']}" + (f" ({options})" if options else "")


def _stream(name: str, spec: Mapping[str, Any]) -> str:
    losses = ", ".join(str(one["use"]) for one in spec["objectives"])
    return f"{losses} on {spec['data']} ({name})"
