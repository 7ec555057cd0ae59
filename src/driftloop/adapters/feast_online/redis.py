"""Feast's Redis store with newest-wins writes that hold whoever else writes at the same time.

Feast's own reads the stored times and then writes, so that of two writers the older may come
last. Here the comparison is a script that the server runs as one step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from feast import FeatureView, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _mmh3, compute_versioned_name
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import field_validator

from driftloop import instants
from driftloop.adapters import online_store
from driftloop.adapters.feast_online import reading
from driftloop.adapters.feast_online.reading import Read, Row, Written

PROGRESS = "driftloop:progress:"
SECOND = 1_000_000

NEWEST = """
local function decoded(bytes)
    -- google.protobuf.Timestamp: field 1 is seconds, field 2 nanoseconds, both varints.
    local field, at = {0, 0}, 1
    while at <= #bytes do
        local tag, value, scale = bytes:byte(at), 0, 1
        repeat
            at = at + 1
            value = value + bytes:byte(at) % 128 * scale
            scale = scale * 128
        until bytes:byte(at) < 128
        field[(tag - tag % 8) / 8] = value
        at = at + 1
    end
    return field[1], field[2]
end
local stored = redis.call('HMGET', KEYS[1], ARGV[1], ARGV[2])
if stored[1] then
    local seconds, nanos = decoded(stored[1])
    local new_seconds, new_nanos = decoded(ARGV[3])
    if new_seconds < seconds or (new_seconds == seconds and new_nanos < nanos) then return 0 end
    if new_seconds == seconds and new_nanos == nanos
        and tonumber(ARGV[4]) < tonumber(stored[2] or '-1') then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3], ARGV[2], ARGV[4], unpack(ARGV, 6))
if ARGV[5] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[5]) end
return 1
"""
"""KEYS: an entity's hash. ARGV: fields of event and created time, these times, the hash's time to
live in seconds, and pairs of field and value."""


class NewestRedisOnlineStoreConfig(RedisOnlineStoreConfig):  # type: ignore[misc]
    """As Feast's Redis store; ``skip_dedup`` has no effect.

    ``connection_string`` may be an address as DRIFTLOOP_ONLINE_STORE has it.
    """

    type: Literal["driftloop.adapters.feast_online.redis.NewestRedisOnlineStore"] = (
        "driftloop.adapters.feast_online.redis.NewestRedisOnlineStore"
    )

    @field_validator("connection_string", mode="before")
    @classmethod
    def _connection_string(cls, value: Any) -> Any:
        return online_store.connection_string(value) if "://" in str(value) else value


class NewestRedisOnlineStore(RedisOnlineStore):  # type: ignore[misc]
    """Feast's hashes and fields, and a field more: when the row was created."""

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Written],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write the rows that are newer than what is there, each of them or nothing of it."""
        client, view = self._get_client(config.online_store), _name(config, table)
        script = client.register_script(NEWEST)
        version = config.entity_key_serialization_version
        with client.pipeline(transaction=False) as pipe:
            for entity_key, values, event, created in data:
                key = serialize_entity_key(entity_key, version) + config.project.encode()
                fields = [_mmh3(f"{view}:{name}") for name in values]
                pairs = zip(fields, (v.SerializeToString() for v in values.values()), strict=True)
                arguments = [
                    f"_ts:{view}",
                    f"_created:{view}",
                    _timestamp(instants.since_epoch(event)),
                    instants.since_epoch(reading.known(created, event)),
                    config.online_store.key_ttl_seconds or 0,
                    *(part for pair in pairs for part in pair),
                ]
                script(keys=[key], args=arguments, client=pipe)
            pipe.execute()
        if progress:
            progress(len(data))

    def read_views(self, config: RepoConfig, reads: Sequence[Read]) -> list[dict[bytes, Row]]:
        """Return the stored row of each key that there is; an entity is read once for all views."""
        names = [_name(config, read.view) for read in reads]
        fields = [
            [f"_ts:{name}", *(_mmh3(f"{name}:{feature}") for feature in read.features)]
            for name, read in zip(names, reads, strict=True)
        ]
        wanted: dict[bytes, list[int]] = {}
        for number, read in enumerate(reads):
            for key in dict.fromkeys(read.keys):
                wanted.setdefault(key, []).append(number)
        commands = [
            (key + config.project.encode(), [f for number in numbers for f in fields[number]])
            for key, numbers in wanted.items()
        ]
        found: list[dict[bytes, Row]] = [{} for _ in reads]
        answers = self._read_hash_fields(config, commands) if commands else []
        for (key, numbers), answer in zip(wanted.items(), answers, strict=True):
            values = iter(answer)
            for number in numbers:
                row = _row(reads[number], [next(values) for _ in fields[number]])
                if row is not None:
                    found[number][key] = row
        return found

    def progress(self, config: RepoConfig, view: FeatureView) -> tuple[str, int]:
        """Return the job that ``view`` was last materialized by, and the rows it had written."""
        client = self._get_client(config.online_store)
        return reading.noted(client.hget(PROGRESS + config.project, _name(config, view)))

    def note_progress(self, config: RepoConfig, view: FeatureView, job: str, rows: int) -> None:
        """Remember how many rows of ``view`` the materialization ``job`` has written."""
        client = self._get_client(config.online_store)
        client.hset(PROGRESS + config.project, _name(config, view), reading.note(job, rows))

    def delete_table(self, config: RepoConfig, table: FeatureView) -> None:
        """Delete the view's rows, and that they were ever written."""
        client = self._get_client(config.online_store)
        client.hdel(PROGRESS + config.project, _name(config, table))
        super().delete_table(config, table)


def _name(config: RepoConfig, view: FeatureView) -> str:
    versions = config.registry.enable_online_feature_view_versioning
    return str(compute_versioned_name(view, versions))


def _timestamp(microseconds: int) -> bytes:
    seconds, rest = divmod(microseconds, SECOND)
    content: bytes = Timestamp(seconds=seconds, nanos=rest * 1000).SerializeToString()
    return content


def _row(read: Read, answer: Sequence[bytes | None]) -> Row | None:
    written, *values = answer
    if written is None:
        return None
    time = Timestamp.FromString(written)
    # A null is stored as no bytes at all.
    pairs = zip(read.features, values, strict=True)
    return Row(
        time.seconds * SECOND + time.nanos // 1000, {name: v for name, v in pairs if v is not None}
    )
