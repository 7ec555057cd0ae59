"""What pyarrow looks for with every array is there: a search in vain costs as much as a record."""

from __future__ import annotations

import sys
from collections import Counter
from importlib.abc import MetaPathFinder

from drift_sidecar import records
from driftloop_contracts import inference


class Searches(MetaPathFinder):
    """Counts the modules that are looked for."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()

    def find_spec(self, fullname, path, target=None):
        self.names[fullname] += 1


def test_no_module_is_looked_for_again_and_again(given, monkeypatch):
    batch = inference.from_data(given.batch(1, 0).data)
    records.from_batch(batch, {"relevance": "numeric", "device": "categorical"})
    searches = Searches()
    monkeypatch.setattr(sys, "meta_path", [searches, *sys.meta_path])
    for _ in range(20):
        records.from_batch(batch, {"relevance": "numeric", "device": "categorical"})
    assert not searches.names
