"""Seeds for the purposes of a run."""

from __future__ import annotations

import hashlib


def seeded(seed: int, word: str) -> int:
    """A seed in [0, 2**63) for one purpose of a run: a function of the recipe's seed and of a word."""
    digest = hashlib.blake2b(f"{seed}/{word}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
