"""Reads MATLAB files of scores and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from rankhub.interfaces.errors import UserError
from rankhub_data.tables.text import RELEASED


def read_mat(path: Path) -> dict[str, Any]:
    """Variable -> value, of a file up to version 7.

    Raises:
        UserError: It cannot be read.
    """
    try:
        content: dict[str, Any] = loadmat(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except NotImplementedError:
        raise UserError(f"{path} is of MATLAB's version 7.3; save it as version 7 (`save -v7`)") from None
    except Exception:  # a damaged file raises whatever the bytes happen to break
        raise UserError(f"{path} is no MATLAB file, or it is damaged; get it anew") from None
    return {name: value for name, value in content.items() if not name.startswith("__")}


def variable(path: Path, content: dict[str, Any], name: str) -> npt.NDArray[Any]:
    """One variable as an array.

    Raises:
        UserError: The file does not have it.
    """
    if name not in content:
        found = ", ".join(sorted(content)) or "nothing"
        raise UserError(f"{path} has no variable `{name}`, only {found}; {RELEASED}")
    return np.asarray(content[name])


def numbers_of(path: Path, content: dict[str, Any], name: str) -> npt.NDArray[np.float64]:
    """[n] a row or a column of numbers.

    Raises:
        UserError: The file does not have it, or it holds something else.
    """
    try:
        return variable(path, content, name).astype(np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise UserError(f"{path}: `{name}` holds no numbers; {RELEASED}") from None


def strings_of(path: Path, content: dict[str, Any], name: str) -> list[str]:
    """A cell array of strings, in MATLAB's order; each cell is an array with one string.

    Raises:
        UserError: The file does not have it, or a cell holds something else.
    """
    texts = []
    for number, cell in enumerate(variable(path, content, name).reshape(-1), start=1):
        inner = cell
        while isinstance(inner, np.ndarray) and inner.size == 1:  # a cell in a cell in a cell
            inner = inner.reshape(-1)[0]
        if not isinstance(inner, str):
            raise UserError(f"{path}: entry {number} of `{name}` is no name; {RELEASED}")
        texts.append(inner.strip())
    return texts
