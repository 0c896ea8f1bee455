"""The plugin as the catalog sees it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rankhub_data
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of


@pytest.fixture
def catalog() -> Catalog:
    return Catalog.of({"rankhub_data": rankhub_data})


def test_components_can_be_used_and_every_option_is_described(catalog):
    assert catalog.names("dataset") == [
        "coco",
        "from_python",
        "image_folder",
        "placed_digits",
        "skimage_photos",
        "stl10",
    ]
    for entry in catalog.entries("dataset"):
        described = docs_of(catalog.load(entry)).args
        # What a base describes beyond them are options that a subclass does not offer.
        assert set(catalog.options(entry).model_json_schema(by_alias=True)["properties"]) <= set(described)


@pytest.mark.parametrize(
    "spec",
    [
        {"use": "coco", "split": "val2017", "resize": 96, "images": 1000},
        {"use": "placed_digits", "part": "train"},
        {"use": "stl10", "split": "train+unlabeled"},
        {"use": "stl10", "split": "train", "fold": 9},
        {"use": "image_folder", "root": "photos", "part": "train", "resize": 96, "folders": ["a", "b"]},
    ],
)
def test_recipes_can_build_them(catalog, spec):
    assert catalog.build("dataset", spec).label.kind in (None, "class")


def test_entry_point_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'PIL', 'sklearn', 'scipy'}"
    code = f"import sys, rankhub_data; rankhub_data.rankhub_components(); print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
