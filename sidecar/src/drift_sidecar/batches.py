"""Batches: many small record batches become one, because each costs tens of kilobytes itself."""

from __future__ import annotations

import pyarrow as pa

RUN = 256
"""Batches in a row that are looked at."""
LARGE = 64
"""Rows a batch beyond which its own cost does not count."""


def gathered(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Return the same rows, with the last RUN batches in one if they are small and alike.

    It looks at every RUN-th batch only, so that appending stays cheap.

    >>> one = pa.RecordBatch.from_pydict({"x": [1]})
    >>> [batch.num_rows for batch in gathered([one] * RUN)], len(gathered([one] * 3))
    ([256], 3)
    """
    run = batches[-RUN:]
    if len(batches) % RUN or not run or sum(batch.num_rows for batch in run) > RUN * LARGE:
        return batches
    if any(batch.schema != run[0].schema for batch in run):
        return batches
    joined: list[pa.RecordBatch] = pa.Table.from_batches(run).combine_chunks().to_batches()
    return batches[:-RUN] + joined
