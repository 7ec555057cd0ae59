"""Platform: where the loops of an installation run and keep their data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

STANDARD, KNATIVE = "Standard", "Knative"


@dataclass(frozen=True)
class Platform:
    """Where the loops of this installation run and keep their data.

    ``image`` is used where a loop names none; ``credentials``: the Secret, in a loop's namespace,
    with the object store's keys and the online store's address; ``sink``: where sidecars send
    their events; ``replicas``: fewest and most pods; ``authorities``: the ConfigMap, in a loop's
    namespace, whose ``ca.crt`` holds who is trusted over TLS ('': those of the image); ``environ``:
    more settings of what serves; ``mode``: of KServe; ``jobs_account``, ``jobs_credentials``: the
    ServiceAccount of cohort jobs, and the Secret with keys of their own (absent: ``credentials``).
    """

    image: str
    sidecar_image: str
    store: str
    sink: str
    credentials: str = "driftloop-credentials"
    service_account: str = "driftloop-predictor"
    replicas: tuple[int, int] = (1, 3)
    authorities: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    mode: str = STANDARD
    jobs_account: str = "driftloop-jobs"
    jobs_credentials: str = "driftloop-jobs"

    def within(self, namespace: str) -> Platform:
        """Return the platform as loops of ``namespace`` see it: its part of the store is theirs."""
        return replace(self, store=f"{self.store}/{namespace}")
