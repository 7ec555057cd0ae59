"""Online stores of Feast in which a newer value is never overwritten by an older one.

In feature_store.yaml of any Feast project, with the settings of Feast's own store of that kind::

    online_store:
        type: driftloop.adapters.feast_online.redis.NewestRedisOnlineStore

``sqlite.NewestSqliteOnlineStore`` and ``postgres.NewestPostgresOnlineStore`` are the others. Of
two rows of an entity the one with the newer event time stays, of equal ones the one created last,
whatever the order in which they come and how many write at once: the rule of the offline join.
Each reads all views of a request at once, and remembers how far a materialization came. With any of
them ``locked: true`` of a SQL registry works (feast_registry).
"""

from driftloop.adapters import feast_registry

# Feast imports a project's online store before it opens the registry.
feast_registry.offer()
