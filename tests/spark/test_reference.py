"""The joins of many short histories against their meaning in plain Python."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import project
import pytest
from project import NOON
from reference import point_in_time

SHOPS = 150


def history(chance: random.Random, shop: int) -> list[dict[str, Any]]:
    """Return a few rows of a shop, no two with the same times."""
    pairs = {(chance.randrange(13), chance.randrange(13)) for _ in range(chance.randrange(7))}
    times = [(NOON + timedelta(minutes=e), NOON + timedelta(minutes=c)) for e, c in sorted(pairs)]
    chance.shuffle(times)
    return [{"shop": shop, "event": e, "created": c, "value": chance.random()} for e, c in times]


@pytest.mark.parametrize("cutoff", [False, True])
@pytest.mark.parametrize("ttl", [0, 3])
@pytest.mark.filterwarnings("ignore:Feature view")
def test_the_store_agrees_with_the_reference_on_many_histories(
    tmp_path: Path, ttl: int, cutoff: bool
) -> None:
    chance, length = random.Random(f"{ttl} {cutoff}"), timedelta(minutes=ttl)
    rows = [row for shop in range(SHOPS) for row in history(chance, shop)]
    asked = [
        {
            "shop": chance.randrange(SHOPS + 9),
            "event_timestamp": NOON + timedelta(minutes=chance.randrange(14)),
        }
        for _ in range(4 * SHOPS)
    ]
    store, shop = project.store(tmp_path), project.entity("shop")
    path = project.write(tmp_path / "rows.parquet", rows)
    store.apply([shop, project.view(project.source(path), [shop], ttl=length)])
    found = store.get_historical_features(
        project.frame(asked), ["shop:value"], filter_by_created_timestamp=cutoff
    ).to_df()
    expected = point_in_time(asked, rows, ["shop"], length, cutoff)
    assert project.values(found) == [row and row["value"] for row in expected]
