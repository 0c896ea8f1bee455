"""Where a table lies; and its store's errors: tried again where that may help, then said in one sentence."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rankhub.interfaces.errors import Objection, UserError

T = TypeVar("T")

PATIENCE_S = 120.0
"""Seconds for which a store that does not answer is asked again."""
_FIRST_S, _LONGEST_S = 0.25, 8.0
"""The first pause between two attempts, and the longest; each is twice the one before."""
_SECRET = re.compile(r"secret|token|password|credential|account_key|sas_key|access_key_id|service_account_key", re.I)
_FINAL = re.compile(
    r"not found|status code: 40[0134]|NoSuch|AccessDenied|Forbidden|Unauthorized|InvalidAccessKey|SignatureDoesNotMatch"
    r"|invalid user input|credential|permission denied|no such file",
    re.I,
)
"""What waiting does not mend. 429 and 5xx, refused and broken connections and timeouts are none of these."""


class StoreError(UserError):
    """A store did not give or take what it was asked for."""


@dataclass(frozen=True)
class Store:
    """Where a table is, and how it is reached.

    Attributes:
        uri: An absolute path, or an address such as ``s3://bucket/photos.lance``.
        options: Of the object store, as Lance takes them (``aws_endpoint``, ``aws_region``, ``allow_http``). Keys and
            secrets come from the environment (``AWS_ACCESS_KEY_ID``), since what is in a recipe is written into runs.
        patience: Seconds for which a store that does not answer is asked again.
    """

    uri: str
    options: Mapping[str, str] = field(default_factory=dict)
    patience: float = PATIENCE_S

    @classmethod
    def of(cls, place: str | Path, options: Mapping[str, str] | None = None, patience: float = PATIENCE_S) -> Store:
        """A place as a user writes it: a path, also a relative one or with ``~``, or an address.

        Raises:
            Objection: An option is a secret.
        """
        for name in options or {}:
            if _SECRET.search(name):
                raise Objection(
                    f"the storage option {name} would be written into every run in plain text; leave it out and set "
                    f"it in the environment as {name.upper()}"
                )
        text = os.fspath(place)
        return cls(text if "://" in text else os.path.abspath(os.path.expanduser(text)), dict(options or {}), patience)

    @property
    def remote(self) -> bool:
        """Whether it is an object store, which may be away for a while, and no disk of this machine."""
        return "://" in self.uri and not self.uri.startswith("file://")

    def ask(self, what: str, call: Callable[[], T]) -> T:
        """What ``call`` gives; of an object store that fails it is asked again, with growing pauses.

        Args:
            what: Is asked for, in messages: "rows 3, 9 and 12".
            call: Asks Lance.

        Raises:
            StoreError: It failed for good, or for longer than :attr:`patience`; one sentence.
        """
        began, pause, attempts = time.monotonic(), _FIRST_S, 0
        while True:
            attempts += 1
            try:
                return call()
            except (OSError, ValueError, RuntimeError) as error:
                said, waited = _brief(error), time.monotonic() - began
                if not self.remote or _FINAL.search(str(error)):
                    raise StoreError(f"{self.uri}: {what} could not be had: {said}") from error
                if waited + pause > self.patience:
                    raise StoreError(
                        f"{self.uri}: {what} could not be had in {waited:.0f} s, by {attempts} attempts, the last "
                        f"time: {said}; see that the store answers, then go on with --resume"
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_S)


def _brief(error: Exception) -> str:
    """The first line of Lance's words, without the places in its source code."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    text = re.sub(r",? ?\S*/(rust|rustc)/\S+:\d+:\d+", "", text)
    return re.sub(r"^(LanceError\(\w+\): |Generic \w+ error: )+", "", text)[:300]
