"""Opening a Lance table: without the package, where there is none, at a version."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from rankhub.interfaces.errors import UserError
from rankhub_lance.store import Store

EXTRA = "Lance tables need the package pylance, which is not installed: pip install 'rankhub[lance]'"


def package() -> Any:
    """The module ``lance``.

    Raises:
        UserError: It is not installed.
    """
    try:
        import lance
    except ImportError as error:
        raise UserError(EXTRA) from error
    return lance


def open_table(store: Store, version: int | None = None) -> Any:
    """The table, a ``lance.LanceDataset``, at a version that never changes; None: at the newest.

    A table is open in the process that opened it: Lance's threads do not survive a fork, so other processes are spawned
    and open it anew (``store`` can be pickled, and ``table.version`` says the version).

    Raises:
        UserError: pylance is not installed; the table or the version is not there; or the store does not answer.
    """
    lance = package()
    table = store.ask("the table", lambda: _opened(lance, store, version))
    if table is None:
        what = f"no Lance table {store.uri}" if version is None else f"no version {version} of the table {store.uri}"
        raise UserError(f"there is {what}")
    return table


def _opened(lance: Any, store: Store, version: int | None) -> Any:
    """The table; None if it, or its version, is not there."""
    try:
        return lance.dataset(store.uri, version=version, storage_options=dict(store.options) or None)
    except ValueError as error:
        if "was not found" in str(error):
            return None
        raise


def is_installed() -> bool:
    """Whether the package is there, without importing it."""
    return find_spec("lance") is not None
