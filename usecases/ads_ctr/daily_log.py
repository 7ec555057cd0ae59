"""Daily log: aggregated real logs with the columns date, keyword_id, impressions, clicks.

Each row is so many impressions asked for at the day's midnight; its clicks are known one label
maturity later. The log has no category, campaign, position, device, discount or relevance: they
are constants here, so the model gives them no weight. Its one account is the one ad.

Rows with more clicks than impressions are real late clicks. Such a row keeps as many clicks as
impressions; the rest go to the same keyword's latest earlier days that have room, as revisions
known when the row's own clicks are known, or else to its next later days. Totals stay.
"""

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from driftloop.loop import LearningLoop
from driftloop.traffic import Traffic
from driftloop.usecase import Span
from driftloop_contracts.errors import InvalidInput

COLUMNS = ("date", "keyword_id", "impressions", "clicks")
CONSTANTS = {
    "ad_id": 0,
    "category": "unknown",
    "campaign": "unknown",
    "position": "unknown",
    "device": "unknown",
    "discount": 0.0,
    "relevance": 0.0,
}


def read(loop: LearningLoop, span: Span) -> Traffic:
    """Return the log's traffic within ``span``; raise InvalidInput for one that is unusable."""
    assert span.data is not None
    raw = _load(span.data)
    rows, rejected = _checked(raw, loop, span.data)
    rows = _within(rows, span)
    merged = rows.groupby(["date", "keyword_id"], as_index=False, sort=True).sum()
    notes = _merge_note(len(rows) - len(merged))
    requests = _requests(merged)
    outcomes, moved = _outcomes(requests, merged, pd.Timedelta(loop.spec.data.label_maturity))
    return Traffic(requests, outcomes, rejected, (*notes, *_late_note(moved)))


def _load(path: Path) -> pd.DataFrame:
    where = str(path)
    try:
        if path.suffix == ".parquet":
            raw = pd.read_parquet(path)
        else:
            raw = pd.read_csv(path, dtype="string", keep_default_na=False)
    except FileNotFoundError:
        raise InvalidInput("--data", where, "an existing file", "nothing there") from None
    except pd.errors.EmptyDataError:
        raise InvalidInput("--data", where, "a log with rows", "an empty file") from None
    except (OSError, ValueError, EOFError, zlib.error, pd.errors.ParserError) as error:
        allowed = "a readable csv, csv.gz or parquet file"
        raise InvalidInput("--data", where, allowed, str(error).splitlines()[0]) from error
    for name in COLUMNS:
        if name not in raw:
            raise InvalidInput(f"column '{name}'", where, "present", list(raw.columns))
    if raw.empty:
        raise InvalidInput("--data", where, "a log with rows", "a header and no row")
    return raw[list(COLUMNS)]


def _checked(
    raw: pd.DataFrame, loop: LearningLoop, path: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the usable rows in their types and the rejected ones with line and reason."""
    date = pd.to_datetime(raw["date"], format="%Y-%m-%d", errors="coerce", utc=True)
    numbers = {name: pd.to_numeric(raw[name], errors="coerce") for name in COLUMNS[1:]}
    reason = pd.Series("", index=raw.index)
    for name, least in (("clicks", 0), ("impressions", 1), ("keyword_id", 0)):
        values = numbers[name]
        wrong = values.isna() | (values < least) | (values % 1 != 0) | (values > 2**53)
        reason[wrong.fillna(True)] = f"{name} must be a whole number from {least}"
    reason[date.isna()] = "date must be a day such as 2012-04-01"
    bad = reason != ""
    rejected = raw[bad].astype(str).assign(line=raw.index[bad] + 2, reason=reason[bad])
    _refuse_many(rejected, len(raw), loop, path)
    whole = {name: values[~bad].astype("int64") for name, values in numbers.items()}
    days = date[~bad].astype("datetime64[us, UTC]")
    return pd.DataFrame({"date": days, **whole}), rejected


def _refuse_many(rejected: pd.DataFrame, total: int, loop: LearningLoop, path: Path) -> None:
    share = loop.spec.data.max_rejected
    if len(rejected) <= share * total:
        return
    first = rejected.iloc[0]
    got = f"{len(rejected)} of {total}; first on line {first['line']}: {first['reason']}, got "
    what = first["reason"].split(" ")[0]
    allowed = f"at most {share:.1%} of the rows"
    raise InvalidInput("bad rows", str(path), allowed, got + repr(first[what]))


def _within(rows: pd.DataFrame, span: Span) -> pd.DataFrame:
    kept = span.within(rows["date"])
    if not kept.any():
        allowed = f"within {rows['date'].min():%Y-%m-%d}..{rows['date'].max():%Y-%m-%d}"
        got = f"{span.first}..{span.last}"
        raise InvalidInput("--from and --to", str(span.data), allowed, got)
    return rows[kept]


def _requests(merged: pd.DataFrame) -> pd.DataFrame:
    days = merged["date"].dt.strftime("%Y-%m-%d")
    keys = {
        "row_id": days + "/" + merged["keyword_id"].astype(str),
        "event_time": merged["date"],
        "query_id": merged["keyword_id"],
    }
    return pd.DataFrame(keys | CONSTANTS | {"weight": merged["impressions"].astype("float64")})


def _outcomes(
    requests: pd.DataFrame, merged: pd.DataFrame, maturity: pd.Timedelta
) -> tuple[pd.DataFrame, int]:
    """Return the outcomes with late clicks moved, and how many clicks were."""
    kept = np.minimum(merged["clicks"], merged["impressions"])
    outcomes = pd.DataFrame(
        {
            "row_id": requests["row_id"],
            "event_time": requests["event_time"],
            "positives": kept.astype("float64"),
            "known_time": requests["event_time"] + maturity,
            "revision": 0,
        }
    )
    revisions = list(_revisions(outcomes, merged))
    if revisions:
        outcomes = pd.concat([outcomes, pd.DataFrame(revisions)], ignore_index=True)
    times = {name: "datetime64[us, UTC]" for name in ("event_time", "known_time")}
    outcomes = outcomes.astype(times).sort_values("known_time", kind="stable", ignore_index=True)
    return outcomes, int((merged["clicks"] - kept).sum())


def _revisions(outcomes: pd.DataFrame, merged: pd.DataFrame) -> Iterable[dict[str, object]]:
    """Yield the revised outcomes that take in the clicks beyond a row's impressions."""
    positives = outcomes["positives"].to_numpy().copy()
    impressions = merged["impressions"].to_numpy()
    revision: dict[int, int] = {}
    for offender in np.flatnonzero(merged["clicks"].to_numpy() > impressions):
        excess = merged["clicks"].iloc[offender] - impressions[offender]
        for row in _neighbours(merged, int(offender)):
            taken = min(excess, impressions[row] - positives[row])
            if taken <= 0:
                continue
            positives[row] += taken
            revision[row] = revision.get(row, 0) + 1
            known = max(outcomes["known_time"].iloc[offender], outcomes["known_time"].iloc[row])
            yield {
                "row_id": outcomes["row_id"].iloc[row],
                "event_time": outcomes["event_time"].iloc[row],
                "positives": positives[row],
                "known_time": known,
                "revision": revision[row],
            }
            excess -= taken
            if excess == 0:
                break


def _neighbours(merged: pd.DataFrame, offender: int) -> list[int]:
    """Return the keyword's other rows: earlier ones, latest first, then later ones."""
    same = np.flatnonzero(merged["keyword_id"].to_numpy() == merged["keyword_id"].iloc[offender])
    return [int(r) for r in (*same[same < offender][::-1], *same[same > offender])]


def _merge_note(count: int) -> tuple[str, ...]:
    return (f"{count} rows repeated a date and keyword and were added up.",) if count else ()


def _late_note(moved: int) -> tuple[str, ...]:
    if not moved:
        return ()
    what = f"{moved} clicks exceeded their row's impressions: late clicks, moved to the keyword's "
    return (what + "nearest earlier days with room, else later ones; the totals are kept.",)
