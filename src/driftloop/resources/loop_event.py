"""LoopEvent objects: a CloudEvent that was received, under a name that makes it once."""

from __future__ import annotations

import hashlib

from driftloop.resources.pod import LOOP, Manifest
from driftloop_contracts.cloudevent import CloudEvent


def name(loop: str, source: str, event_id: str) -> str:
    """Return the name of the LoopEvent for a CloudEvent's (source, id).

    >>> name("ads-ctr", "/sidecar", "1")
    'ads-ctr-d60741368a527265ee93'
    """
    named = hashlib.blake2b(f"{source}\n{event_id}".encode(), digest_size=10).hexdigest()
    return f"{loop}-{named}"


def content(event: CloudEvent, loop: Manifest) -> Manifest:
    """Return the LoopEvent for ``event`` about the LearningLoop ``loop``, deleted with it."""
    metadata = loop["metadata"]
    owner = {
        "apiVersion": loop["apiVersion"],
        "kind": loop["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {
        "apiVersion": "driftloop.io/v1alpha1",
        "kind": "LoopEvent",
        "metadata": {
            "name": name(metadata["name"], event.source, event.id),
            "namespace": metadata["namespace"],
            "labels": {LOOP: metadata["name"]},
            "ownerReferences": [owner],
        },
        "spec": {"loop": metadata["name"], "event": event.to_dict()},
    }
