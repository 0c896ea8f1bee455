"""The components as a recipe meets them: options, checks, and a row of the report by the engine."""

import inspect
import math

import pytest
from helpers import fakes, training

import rankhub_probes
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of
from rankhub.engine.evaluation import evaluate_row, table_rows
from rankhub.engine.parts import evaluation_chains
from rankhub.engine.source import NetworkForward, NetworkSource, RawPixels

WANTED = [
    {"use": "linear_probe", "train": "train", "test": "test", "grid": [0.01, 1]},
    {"use": "rankme", "data": "train", "output": "main.arrow"},
    {"use": "lidar", "stream": "views", "data": "train", "output": "main.arrow", "limit": 10},
    {"use": "alpha_req", "data": "train", "first": 1, "last": 8},
    {"use": "alignment_uniformity", "stream": "views", "data": "train", "output": "main.arrow"},
]


@pytest.fixture(scope="module")
def catalog():
    return Catalog.of({"fakes": fakes, "rankhub_probes": rankhub_probes})


@pytest.mark.parametrize("options", WANTED, ids=lambda options: options["use"])
def test_every_option_is_described(catalog, options):
    catalog.build("evaluator", options)
    entry = catalog.find("evaluator", options["use"])
    cls = catalog.load(entry)
    described = {name for name, text in docs_of(cls).args.items() if text}
    assert described == set(inspect.signature(cls).parameters)
    assert set(catalog.options(entry).model_fields) == described


def test_the_plugin_gives_what_is_tested(catalog):
    components = rankhub_probes.rankhub_components()
    assert {component.name for component in components} == {options["use"] for options in WANTED}


def test_rows_of_the_report(catalog, tmp_path):
    parts = training.parts_of(training.recipe(evaluate=WANTED), catalog)
    assert not parts.left_out
    rows = []
    for row, forward in (("raw pixels", RawPixels()), ("network", NetworkForward(parts.network, parts.compute))):
        source = NetworkSource(
            row=row,
            forward=forward,
            datasets=parts.datasets,
            chains=evaluation_chains(parts.recipe, parts.assembly),
            predict=parts.predict,
            compute=parts.compute,
            pictures=False,
            progress=lambda done, total, what: None,
        )
        rows.append((row, evaluate_row(source, parts.evaluators, tmp_path / row)))
    lines = table_rows(rows, parts.evaluators)
    headlines = {f"{name} {metric}" for name, e in parts.evaluators.items() for metric in e.headline()}
    for line in lines:
        assert set(line) == {"", *headlines}
        assert all(math.isfinite(line[name]) for name in headlines)
    assert 1 <= lines[1]["rankme rankme"] <= 4.001
    assert 1 <= lines[0]["lidar lidar"] <= 9.001
    assert lines[0]["linear_probe accuracy"] > 0.5
    assert (tmp_path / "network" / "linear_probe_regularisation.csv").is_file()
    assert (tmp_path / "network" / "alpha_req_spectrum.csv").is_file()


def test_unlabelled_data_leave_the_probe_out_where_it_is_optional(catalog):
    changed = training.recipe(
        data={"train": {"use": "patches", "count": 24, "labeled": False}, "test": {"use": "patches", "count": 10}},
        evaluate=[{**options, "optional": True} for options in WANTED],
    )
    parts = training.parts_of(changed, catalog)
    assert set(parts.evaluators) == {options["use"] for options in WANTED} - {"linear_probe"}
    assert parts.left_out == [
        "linear_probe is left out: linear_probe learns classes, and data set 'train' has no labels"
    ]
