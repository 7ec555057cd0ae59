"""The Spark session that features are joined in."""

from __future__ import annotations

from typing import Any

from feast.infra.offline_stores.contrib.spark_offline_store.spark import (
    get_spark_session_or_start_new_with_repoconfig,
)
from pyspark.sql import SparkSession

OPTIONS = {
    # By which a timestamp without a zone counts as UTC.
    "spark.sql.session.timeZone": "UTC",
    # Spark has no type for parquet's nanoseconds, which pandas writes: they come as numbers.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    # Spark's own choice for what it saves is a type that parquet gave up.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}


def open_session(settings: Any) -> SparkSession:
    """Return the active session, or start one with ``settings.spark_conf``; set ``OPTIONS`` in it.

    An active session keeps what it was started with: master, memory and the like.
    """
    session = get_spark_session_or_start_new_with_repoconfig(settings)
    for name, value in OPTIONS.items():
        session.conf.set(name, value)
    return session
