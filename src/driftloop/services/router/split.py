"""Split: which of two bundles answers a request, the same one for an entity as long as it may.

An entity's place in [0, 1) follows from its name alone; the candidate answers those below its
share. So a share that grows takes no entity back, and one entity sees one model.
"""

from __future__ import annotations

import hashlib
import json

HEADER = "driftloop-entity"
"""A caller may name the entity itself; by default it is read from the first row."""


def place(entity: str) -> float:
    """Return where an entity lies in [0, 1).

    >>> round(place("query 7"), 4) == round(place("query 7"), 4), 0 <= place("") < 1
    (True, True)
    """
    digest = hashlib.blake2b(entity.encode("utf-8", "surrogatepass"), digest_size=7).digest()
    return int.from_bytes(digest) / 256**7


def entity_of(body: bytes, name: str) -> str:
    """Return the first row's entity in a V1 or V2 body, or the body's own digest without one.

    >>> entity_of(b'{"instances": [{"query_id": 7}]}', "query_id")
    '7'
    >>> entity_of(b'{"inputs": [{"name": "query_id", "data": ["a"]}]}', "query_id")
    'a'
    """
    try:
        content = json.loads(body)
        if "instances" in content:
            return str(content["instances"][0][name])
        return str(next(one["data"][0] for one in content["inputs"] if one["name"] == name))
    except (ValueError, TypeError, KeyError, IndexError, StopIteration, RecursionError):
        return hashlib.blake2b(body, digest_size=8).hexdigest()
