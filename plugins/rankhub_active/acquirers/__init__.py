"""Acquirers: which images of a pool to label next, and how a network sees them."""
