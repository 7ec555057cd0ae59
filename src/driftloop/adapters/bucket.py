"""The bucket itself: made, versioned, and told what to forget."""

from __future__ import annotations

from collections.abc import Sequence

from minio.commonconfig import ENABLED, Filter
from minio.error import MinioException
from minio.lifecycleconfig import (
    Expiration,
    LifecycleConfig,
    NoncurrentVersionExpiration,
    Rule,
)
from minio.versioningconfig import VersioningConfig
from urllib3.exceptions import HTTPError

from driftloop_contracts.errors import StoreUnavailable
from driftloop_contracts.object_store import S3Store

SUPERSEDED_DAYS = 30
"""How long a replaced object can be had back."""


def prepare(store: S3Store, folders: Sequence[str], log_days: int) -> None:
    """Make the bucket where it is missing, keep versions, and let inference logs go.

    ``folders``: the namespaces' folders, whose logs are kept ``log_days``. A second call changes
    nothing but these; other lifecycle rules are kept. Raises StoreUnavailable.
    """
    client, bucket = store.client, store.bucket
    try:
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
        client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
        known = client.get_bucket_lifecycle(bucket)
        rules = {str(rule.rule_id): rule for rule in (known.rules if known else ())}
        rules |= {str(rule.rule_id): rule for rule in _rules(folders, log_days)}
        client.set_bucket_lifecycle(bucket, LifecycleConfig(list(rules.values())))
    except (MinioException, HTTPError, OSError) as error:
        raise StoreUnavailable(f"Cannot prepare {store.uri}: {error}") from error


def versioned(store: S3Store) -> bool:
    """Return whether the bucket keeps versions; raise StoreUnavailable."""
    try:
        return bool(store.client.get_bucket_versioning(store.bucket).status == ENABLED)
    except (MinioException, HTTPError, OSError) as error:
        raise StoreUnavailable(f"Cannot read {store.uri}'s versioning: {error}") from error


def _rules(folders: Sequence[str], log_days: int) -> list[Rule]:
    superseded = NoncurrentVersionExpiration(noncurrent_days=SUPERSEDED_DAYS)
    everything = Filter(prefix="")
    rules = [Rule(ENABLED, everything, "driftloop", noncurrent_version_expiration=superseded)]
    for folder in folders:
        name, logs = f"driftloop-{folder.replace('/', '-')}", Filter(prefix=f"{folder}/inference/")
        rules.append(Rule(ENABLED, logs, name, expiration=Expiration(days=log_days)))
    return rules
