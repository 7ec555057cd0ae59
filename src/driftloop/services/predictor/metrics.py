"""Metrics: what lookups found, on KServe's own /metrics."""

from prometheus_client import Counter

from driftloop.features.found import Found

LOOKUPS = Counter(
    "driftloop_feature_lookups",
    "Rows looked up in a feature view: present, expired (older than its TTL), missing, early.",
    ["view", "status"],
)


def count(found: Found) -> None:
    """Count what one request's rows found in each view."""
    for (view, status), rows in found.counts().items():
        LOOKUPS.labels(view, str(status)).inc(rows)
