"""What needs pyspark is collected only where that is installed, as by ``make test-spark``."""

from importlib.util import find_spec

SPARK = ["src/driftloop/adapters/feast_spark", "tests/spark"]
collect_ignore = [] if find_spec("pyspark") else SPARK
