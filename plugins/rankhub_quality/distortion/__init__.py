"""Distortions that lower an image's quality by known degrees, as plain functions on uint8 arrays.

`kinds` names them all, `sets` holds the levels of the paper.
"""
