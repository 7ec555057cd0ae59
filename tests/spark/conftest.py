"""One Spark session on this machine for all tests here.

``conformance`` is a link to the suite beside: what any offline store must do, done by ours on
Spark. All of its cases apply; those in ``APART`` are run otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import project
import pytest

STORE = '{"type": "driftloop.adapters.feast_spark.AsofSparkOfflineStore"}'
APART = {
    "test_the_store_agrees_with_the_reference": "120 requests of 0.7 s; test_reference.py asks "
    "for more histories in four",
}
SETTINGS = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.default.parallelism": "2",
    "spark.sql.shuffle.partitions": "2",
    # Of a plan that runs once on a few rows, most would be compiling and planning it again.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
}


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.spark)
    why = APART.get(getattr(item, "originalname", item.name))
    if why:
        item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session", autouse=True)
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    warehouse = {"spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse"))}
    conf = SparkConf().setAll(list((SETTINGS | warehouse).items()))
    session = SparkSession.builder.config(conf=conf).getOrCreate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OFFLINE_STORE", STORE)
        yield session
    session.stop()


@pytest.fixture
def both(tmp_path: Path) -> Any:
    """Return two empty projects: on Spark, and on DuckDB."""
    spark = project.store(tmp_path / "spark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OFFLINE_STORE", project.OURS)
        return spark, project.store(tmp_path / "duckdb")
