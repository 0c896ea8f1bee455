"""The hub from which timm downloads weights, asked once and without its client's words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import huggingface_hub
from huggingface_hub import constants

_PATIENCE = 10.0
"""Seconds to wait for an answer of the hub."""


@contextmanager
def hub() -> Iterator[str | None]:
    """Downloads inside of it go on in silence; where the hub gives no answer they look into its cache alone, at once.

    Otherwise its client tries each file six times in half a minute and prints a line for each. Yields a sentence's end
    that says so where the hub gives no answer. What it sets of the client is set back.
    """
    speaker = logging.getLogger("huggingface_hub")
    level, offline = speaker.level, constants.HF_HUB_OFFLINE
    speaker.setLevel(logging.ERROR)
    try:
        said = None
        try:
            huggingface_hub.get_session().head(constants.ENDPOINT, timeout=_PATIENCE)
        except Exception:  # of whichever HTTP library this release of the client stands on
            constants.HF_HUB_OFFLINE = True
            said = f"{constants.ENDPOINT} cannot be reached, and its cache here does not hold them"
        yield said
    finally:
        speaker.setLevel(level)
        constants.HF_HUB_OFFLINE = offline
