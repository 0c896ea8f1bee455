"""Readers of published sets say in `rankhub describe` what they were tried on."""

from __future__ import annotations

import re

import pytest

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of

OWN = {"image_folder", "scored_csv", "points", "from_python", "portion", "lance"}
"""They read what a user has, in a form that the docstring states, or a part of another data set."""
MADE = {"placed_digits", "skimage_photos", "distorted_photos", "drawn_scenes"}
"""They come with a dependency or are drawn: every test run tries them."""
TRIED = {"ucf_cc_50", "dot_images"}
"""Released images and labels are at hand, and tests read them where they are."""
SCORES = {"live", "tid2013", "tid2008", "live_challenge"}
"""The released scores are at hand, but not the files that hold them, or not the images."""


def sets():
    catalog = Catalog.discover()
    entries = {
        entry.component.name: entry for entry in catalog.entries("dataset") if entry.owner.startswith("rankhub_")
    }
    return {name: docs_of(catalog.load(entry)).body for name, entry in entries.items() if name not in OWN | MADE}


@pytest.mark.parametrize(("name", "body"), sets().items(), ids=sets())
def test_a_published_set_says_what_its_reader_was_tried_on(name, body):
    said = [paragraph for paragraph in body.split("\n\n") if re.match("(Not t|T)ried on ", paragraph)]
    assert len(said) == 1
    assert said[0].startswith("Tried") == (name in TRIED | SCORES)
    assert name not in SCORES or re.search(r"not tried\s+on", said[0], re.IGNORECASE)
