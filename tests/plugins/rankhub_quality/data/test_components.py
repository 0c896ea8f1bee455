"""The data sets as the catalog sees them."""

from __future__ import annotations

import pytest

import rankhub_quality
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of
from rankhub.interfaces.errors import UserError

DIRECTIONS = {
    "live": False,
    "tid2013": True,
    "tid2008": True,
    "csiq": False,
    "kadid10k": True,
    "koniq10k": True,
    "live_challenge": True,
    "mlive": False,
    "spaq": True,
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.of({"rankhub_quality": rankhub_quality})


@pytest.mark.parametrize(("name", "higher_is_better"), DIRECTIONS.items())
def test_released_sets_state_their_scale_before_anything_is_read(catalog, tmp_path, name, higher_is_better):
    data = catalog.build("dataset", {"use": name, "root": str(tmp_path), "part": "train", "folds": 4, "fold": 1})
    assert (data.label.kind, data.label.higher_is_better) == ("score", higher_is_better)
    assert data.label.unit in ("MOS", "DMOS")
    said = data.missing()
    assert str(tmp_path) in said
    assert data.expected[0] in said
    assert "\n" not in said
    assert (len(data), data.facts("path"), data.sizes(), data.folds()) == (0, None, None, None)


@pytest.mark.parametrize("name", [*DIRECTIONS, "scored_csv"])
def test_every_option_is_described(catalog, name):
    entry = next(entry for entry in catalog.entries("dataset") if entry.component.name == name)
    described = docs_of(catalog.load(entry)).args
    assert set(catalog.options(entry).model_json_schema(by_alias=True)["properties"]) <= set(described)


def test_a_table_of_ones_own_has_to_say_its_direction(catalog):
    with pytest.raises(UserError, match="higher_is_better"):
        catalog.build("dataset", {"use": "scored_csv", "root": "images"})
    options = {"range": [0, 100], "where": {"matched_by": "file order"}, "leave_out": ["a"], "reference": "ref"}
    data = catalog.build("dataset", {"use": "scored_csv", "root": "images", "higher_is_better": False, **options})
    assert data.label.range == (0, 100)
