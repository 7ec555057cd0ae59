"""From rows of a quiet period to a bundle that windows are compared with."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift_sidecar import baseline_command, reference
from drift_sidecar.bundling import MOST_ROWS
from driftloop_contracts.drift import level
from driftloop_contracts.drift.distribution import WEEKDAY
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import FileStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)
START = datetime(2026, 1, 1)
VERSION = "0001-1a2b3c4d"


@pytest.fixture
def made(tmp_path):
    """Return what makes a bundle of columns, and reads it as the sidecar does."""

    def make(columns, *more):
        file = tmp_path / "rows.parquet"
        pq.write_table(pa.table(columns), file)
        where = ["--store", str(tmp_path / "store"), "--loop", "ads", "--version", VERSION]
        assert baseline_command.main([str(file), *where, *more], {}, NOW) == 0
        store = FileStore(tmp_path / "store")
        return reference.fetch(store, "ads", VERSION, tmp_path / "bundle")

    return make


def timed(rows, minutes=10):
    return [START + timedelta(minutes=minutes * n) for n in range(rows)]


def numbers(rows, seed=0):
    return np.random.default_rng(seed).normal(size=rows)


def manifest(tmp_path):
    return json.loads((tmp_path / "bundle" / "manifest.json").read_text())


def test_kinds_follow_from_the_columns_types(made):
    found = made(
        {
            "float": numbers(600),
            "whole": pa.array(range(600), pa.int64()),
            "money": pa.array([Decimal(n) / 100 for n in range(600)]),
            "flag": [n % 2 == 0 for n in range(600)],
            "text": ["a", "b", None] * 200,
            "coded": pa.array(["x", "y"] * 300).dictionary_encode(),
        }
    )
    assert list(found.baseline.kinds.values()) == ["numeric"] * 4 + ["categorical"] * 2
    assert set(found.columns["text"]) == {"a", "b", None}
    assert found.columns["flag"].mean() == 0.5
    assert found.columns["money"].max() == 5.99


def test_numbers_that_are_names_are_spelt_as_requests_spell_them(made):
    postcode = pa.array([10115.0, None, 80331.0] * 200)
    found = made({"postcode": postcode}, "--categorical", "postcode")
    assert found.features[0].categories == ("10115", "80331")
    assert found.features[0].max_missing == pytest.approx(2 / 3)


def test_features_come_in_the_order_asked_for(made):
    columns = {name: numbers(600) for name in ("a", "b", "c")}
    assert list(made(columns, "--features", "c, a").columns) == ["c", "a"]


def test_rows_that_resemble_their_neighbours_are_worth_less(made):
    found = made({"x": np.repeat(numbers(600), 20), "at": timed(12000, 1)}, "--time", "at")
    (feature,) = found.features
    assert feature.distribution.design_effect > 5


def test_independent_rows_are_worth_what_they_count_in_any_order(made, tmp_path):
    shuffled = np.random.default_rng(1).permutation(6000)
    at = np.array(timed(6000, 1), dtype="datetime64[us]")[shuffled]
    found = made({"x": numbers(6000)[shuffled], "at": at}, "--time", "at")
    assert found.features[0].distribution.design_effect < 1.5
    assert found.features[0].varies
    assert manifest(tmp_path)["data_end"] == "2026-01-05T03:59:00Z"


def test_without_a_time_a_careful_design_effect_is_assumed(made, tmp_path):
    found = made({"x": numbers(600)})
    assert found.distributions["x"].design_effect == reference.CAUTIOUS
    assert found.features[0].threshold == 0.05
    assert manifest(tmp_path)["data_end"] == "2026-03-01T00:00:00Z"


def test_weekdays_are_told_apart_where_asked_for(made):
    columns = {"x": numbers(24 * 6 * 15), "at": timed(24 * 6 * 15)}
    found = made(columns, "--time", "at", "--weekly")
    assert len(found.distributions["x"].strata) == 7
    assert set(found.weekdays) == set(range(7))
    assert WEEKDAY not in found.columns


def test_counts_are_of_all_rows_and_the_sample_of_some(made):
    rows = MOST_ROWS + 5000
    found = made({"x": numbers(rows), "at": timed(rows, 1)}, "--time", "at")
    assert len(found.columns["x"]) == MOST_ROWS
    assert sum(found.distributions["x"].strata[0].counts) == rows


def test_a_constant_does_not_vary_and_infinity_is_missing(made):
    found = made({"one": [1.0] * 600, "odd": [1.0, np.inf, np.nan] * 200})
    one, odd = found.features
    assert not one.varies
    assert odd.max_missing == 1


def test_the_level_follows_from_the_budget(made):
    columns = {"x": numbers(600)}
    often = made(columns, "--days-per-alarm", "10").baseline
    tests = level.tests_of([])
    assert often.level_of(3600, []) == pytest.approx(1 / 240 / tests, rel=0.01)


@pytest.mark.parametrize(
    ("columns", "more", "sentence"),
    [
        ({"x": [1.0] * 9}, [], "at least --min-rows, 500. Got 9"),
        ({"x": [[1.0]] * 600}, [], "column 'x' in the reference rows must be numbers"),
        ({"x": [1.0] * 600}, ["--features", "y"], "one of its columns, there once: x. Got 'y'"),
        ({"x": [1.0] * 600}, ["--features", "x,x"], "each once"),
        ({"x": [1.0] * 600}, ["--time", "x"], "columns beside the time"),
        ({"x": [1.0] * 600, "t": [1] * 600}, ["--time", "t"], "'t' .* must be timestamps"),
        ({"x": [1.0] * 600}, ["--min-effect", "0"], "--min-effect .* Cohen's h"),
        ({"x": [1.0] * 600}, ["--days-per-alarm", "nan"], "--days-per-alarm .* number of days"),
        ({"x": [1.0] * 600}, ["--loop", "a/b"], "--loop in the command must be"),
    ],
)
def test_what_makes_no_bundle_is_refused_and_nothing_written(
    made, tmp_path, columns, more, sentence
):
    with pytest.raises(InvalidInput, match=sentence):
        made(columns, *more)
    assert not (tmp_path / "store").exists()


def test_a_version_is_never_written_over(made):
    made({"x": numbers(600)})
    with pytest.raises(InvalidInput, match="no bundle of yet"):
        made({"x": numbers(600, seed=1)})


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"text")
    arguments = [str(tmp_path / "rows.parquet"), "--loop", "ads", "--version", VERSION]
    with pytest.raises(InvalidInput, match="a readable parquet file"):
        baseline_command.main([*arguments, "--store", str(tmp_path)], {}, NOW)
