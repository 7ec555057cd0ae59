"""Bucket policies: the least that each service needs of the object store, as IAM documents.

Source: S3's actions and the condition key s3:prefix (AWS Service Authorization Reference), which
MinIO knows too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from driftloop_contracts.errors import InvalidInput


@dataclass(frozen=True)
class Rights:
    """Folders of a namespace's folder that may be read, and written; '': all of it."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


INGESTED = ("requests/", "outcomes/", "features/")
SERVICES = {
    "serving": Rights(reads=("bundles/",), writes=("inference/",)),
    "pipelines": Rights(reads=("",), writes=("bundles/", "retrainings/", "reviews/", "cohorts/")),
    "controller": Rights(reads=("retrainings/",)),
    "jobs": Rights(
        reads=("inference/", "outcomes/", "bundles/", "reviews/", "cohorts/"), writes=("cohorts/",)
    ),
    "ingestion": Rights(reads=INGESTED, writes=INGESTED),
}
"""Predictor and sidecar share a pod's keys, so they are one service here."""


def policy(service: str, bucket: str, folder: str) -> dict[str, Any]:
    """Return what ``service`` may do in ``folder`` ('*': those of all namespaces) of ``bucket``.

    Nobody may delete, or read another version than the newest: a bucket with versions loses
    nothing to a key that was stolen.

    >>> policy("controller", "driftloop", "ads")["Statement"][1]["Resource"]
    ['arn:aws:s3:::driftloop/ads/retrainings/*']
    """
    if service not in SERVICES:
        raise InvalidInput("the service", "a bucket policy", ", ".join(SERVICES), service)
    rights = SERVICES[service]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{bucket}"],
                "Condition": {
                    "StringLike": {"s3:prefix": [f"{folder}/{path}*" for path in rights.reads]}
                },
            },
            *_allowed("s3:GetObject", bucket, folder, rights.reads),
            *_allowed("s3:PutObject", bucket, folder, rights.writes),
        ],
    }


def _allowed(action: str, bucket: str, folder: str, paths: tuple[str, ...]) -> list[dict[str, Any]]:
    resources = [f"arn:aws:s3:::{bucket}/{folder}/{path}*" for path in paths]
    return [{"Effect": "Allow", "Action": [action], "Resource": resources}] if paths else []
