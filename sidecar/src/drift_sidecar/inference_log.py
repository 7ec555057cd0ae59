"""The inference log: segments as parquet in the object store, by hour of its start."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from drift_sidecar import grid, records
from driftloop_contracts.object_store import ObjectStore


def key(loop: str, bundle: str, start: int, pod_uid: str, first_seq: int, part: int = 0) -> str:
    """Return where records go; the same records always go to the same place.

    ``start``: of the window; ``part``: number of the segment, so that no two share a place.

    >>> key("ads-ctr", "0001-1a2b3c4d", 3600, "pod", 0)
    'inference/ads-ctr/date=1970-01-01/hour=01/0001-1a2b3c4d-pod-0.parquet'
    >>> key("ads-ctr", "0001-1a2b3c4d", 3600, "pod", 50_000, 1).rsplit("/", 1)[1]
    '0001-1a2b3c4d-pod-50000-1.parquet'
    """
    hour = f"{grid.instant(start):date=%Y-%m-%d/hour=%H}"
    suffix = f"-{part}" if part else ""
    return f"inference/{loop}/{hour}/{bundle}-{pod_uid}-{first_seq}{suffix}.parquet"


class InferenceLog:
    """The log of one loop and bundle in ``store``."""

    def __init__(self, store: ObjectStore, loop: str, bundle: str) -> None:
        self.store, self.loop, self.bundle = store, loop, bundle

    def write(self, start: int, part: int, pods: Mapping[str, list[pa.RecordBatch]]) -> None:
        """Write records of the window at ``start``, one file a pod, or raise StoreUnavailable.

        Writing the same records again replaces the files by themselves.
        """
        for pod_uid, own in pods.items():
            first_seq = min(batch["seq"][0].as_py() for batch in own)
            place = key(self.loop, self.bundle, start, pod_uid, first_seq, part)
            self.store.put(place, records.to_parquet(own))
