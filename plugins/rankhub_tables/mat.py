"""Reads MATLAB files of scores and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from rankhub.interfaces.errors import UserError
from rankhub_tables.text import RELEASED


@dataclass(frozen=True, slots=True)
class Mat:
    """A file of MATLAB.

    Attributes:
        source: The file.
        content: Variable -> value.
    """

    source: Path
    content: Mapping[str, Any]

    def variable(self, name: str) -> npt.NDArray[Any]:
        """One variable as an array.

        Raises:
            UserError: The file does not have it.
        """
        if name not in self.content:
            found = ", ".join(sorted(self.content)) or "nothing"
            raise UserError(f"{self.source} has no variable `{name}`, only {found}; {RELEASED}")
        return np.asarray(self.content[name])

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """[n] a row or a column of numbers.

        Raises:
            UserError: The file does not have it, or it holds something else.
        """
        try:
            return self.variable(name).astype(np.float64).reshape(-1)
        except (TypeError, ValueError):
            raise UserError(f"{self.source}: `{name}` holds no numbers; {RELEASED}") from None

    def strings(self, name: str) -> list[str]:
        """A cell array of strings, in MATLAB's order; each cell is an array with one string.

        Raises:
            UserError: The file does not have it, or a cell holds something else.
        """
        texts = []
        for number, cell in enumerate(self.variable(name).reshape(-1), start=1):
            inner = cell
            while isinstance(inner, np.ndarray) and inner.size == 1:  # a cell in a cell in a cell
                inner = inner.reshape(-1)[0]
            if not isinstance(inner, str):
                raise UserError(f"{self.source}: entry {number} of `{name}` is no name; {RELEASED}")
            texts.append(inner.strip())
        return texts


def read_mat(source: Path) -> Mat:
    """A file up to version 7.

    Raises:
        UserError: It cannot be read.
    """
    try:
        content: dict[str, Any] = loadmat(source)
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror or error}") from None
    except NotImplementedError:
        raise UserError(f"{source} is of MATLAB's version 7.3; save it as version 7 (`save -v7`)") from None
    except Exception:  # a damaged file raises whatever the bytes happen to break
        raise UserError(f"{source} is no MATLAB file, or it is damaged; get it anew") from None
    return Mat(source, {name: value for name, value in content.items() if not name.startswith("__")})
