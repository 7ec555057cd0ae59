"""A Feast offline store that joins features as of each row's time, by one window per key in Spark.

In feature_store.yaml of any Feast project with file or Spark sources::

    offline_store:
        type: driftloop.adapters.feast_spark.AsofSparkOfflineStore
        created_cutoff: true
        spark_conf:
            spark.master: spark://head:7077

It needs pyspark, which only the dependency group ``spark`` installs. Importing it starts nothing.
"""

from driftloop.adapters.feast_spark.store import AsofSparkOfflineStore, AsofSparkOfflineStoreConfig

__all__ = ["AsofSparkOfflineStore", "AsofSparkOfflineStoreConfig"]
