"""Join keys of two sides, which must be of one kind to be compared."""

from __future__ import annotations

import pyarrow as pa

from driftloop.adapters.feast_asof.source import Source
from driftloop_contracts.errors import InvalidInput

KINDS = {
    "whole numbers": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT",
                      "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    "text": ("VARCHAR",),
    "numbers": ("FLOAT", "DOUBLE", "DECIMAL"),
    "booleans": ("BOOLEAN",),
    "dates": ("DATE",),
    "timestamps": ("TIMESTAMP",),
    "bytes": ("BLOB",),
    "UUIDs": ("UUID",),
}  # fmt: skip
"""Which of DuckDB's types, by how their names begin, are of one kind."""


def aligned(rows: pa.Table, keys: tuple[tuple[str, str], ...], source: Source) -> pa.Table:
    """Return entity rows whose keys are of the kinds that ``source`` has; raise InvalidInput.

    A column that is null in every row fits all: it matches nothing.
    """
    for ours, theirs in keys:
        wanted, got = _kind(source.types[ours]), rows.schema.field(theirs).type
        if wanted is None or pa.types.is_null(got):
            continue
        if not _fits(wanted, got):
            raise InvalidInput(f"join key '{theirs}'", source.where, wanted, str(got))
        if wanted == "whole numbers" and pa.types.is_floating(got):
            rows = _whole(rows, theirs, source.where)
    return rows


def _whole(rows: pa.Table, name: str, where: str) -> pa.Table:
    """Return ``rows`` with whole numbers for floats, which large keys would be rounded to meet."""
    try:
        values = rows[name].cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"join key '{name}'", where, "whole numbers", str(error)) from error
    return rows.set_column(rows.column_names.index(name), name, values)


def _kind(duckdb_type: str) -> str | None:
    return next((kind for kind, names in KINDS.items() if duckdb_type.startswith(names)), None)


def _fits(kind: str, got: pa.DataType) -> bool:
    """Return whether Arrow's type is of ``kind``; pandas has whole numbers with nulls as floats."""
    types = pa.types
    checks = {
        "whole numbers": types.is_integer(got) or types.is_floating(got),
        "text": types.is_string(got) or types.is_large_string(got),
        "numbers": types.is_integer(got) or types.is_floating(got) or types.is_decimal(got),
        "booleans": types.is_boolean(got),
        "dates": types.is_date(got),
        "timestamps": types.is_timestamp(got),
        "bytes": types.is_binary(got) or types.is_large_binary(got),
        "UUIDs": types.is_string(got) or types.is_fixed_size_binary(got),
    }
    return bool(checks[kind])
