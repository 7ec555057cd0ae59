"""What every test shares.

What needs pyspark is collected only where that is installed, as by ``make test-spark``. No
property has a deadline: the machines are noisy.
"""

from importlib.util import find_spec

from hypothesis import settings

SPARK = ["src/driftloop/adapters/feast_spark", "tests/spark"]
collect_ignore = [] if find_spec("pyspark") else SPARK

settings.register_profile("noisy", deadline=None)
settings.load_profile("noisy")
