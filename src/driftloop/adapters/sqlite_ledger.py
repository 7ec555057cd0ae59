"""The ledger of a laptop, in SQLite: a decision is one transaction."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from driftloop.adapters.unavailable import Unavailable
from driftloop.ledger import Conflict, Entry
from driftloop.resources import standing
from driftloop.state import State
from driftloop_contracts import times

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (source TEXT, id TEXT, PRIMARY KEY (source, id));
CREATE TABLE IF NOT EXISTS loops (name TEXT PRIMARY KEY, generation INTEGER, state TEXT);
CREATE TABLE IF NOT EXISTS retrainings (
    name TEXT PRIMARY KEY, loop TEXT, number INTEGER, event_time TEXT, causes TEXT,
    onset TEXT, champion TEXT, verdict TEXT, version TEXT, reasons TEXT);
CREATE TABLE IF NOT EXISTS decisions (
    seq INTEGER PRIMARY KEY, loop TEXT, event_time TEXT, trigger TEXT, reasons TEXT);
CREATE TABLE IF NOT EXISTS actions (
    seq INTEGER PRIMARY KEY, loop TEXT, kind TEXT, content TEXT, done INTEGER DEFAULT 0);
"""


class SqliteLedger:
    """The ledger in the file ``path``; several processes may hold it, each thread its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._answering():
            self._db = sqlite3.connect(
                path, isolation_level=None, timeout=30, check_same_thread=False
            )
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def delivered(self, source: str, event_id: str) -> bool:
        """Return whether the CloudEvent was taken before."""
        query = "SELECT 1 FROM deliveries WHERE source = ? AND id = ?"
        return self._execute(query, (source, event_id)).fetchone() is not None

    def take(self, source: str, event_id: str) -> bool:
        """Take the CloudEvent and return True; False when it was taken before."""
        query = "INSERT OR IGNORE INTO deliveries VALUES (?, ?)"
        return self._execute(query, (source, event_id)).rowcount == 1

    @contextmanager
    def acting(self, loop: str) -> Iterator[bool]:
        """Yield whether the caller alone acts for ``loop``; a lock that ends with its process."""
        with Path(f"{self._path}.{loop}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def state(self, loop: str) -> tuple[State, int]:
        """Return the loop's state and its generation (0 for a loop never seen)."""
        query = "SELECT state, generation FROM loops WHERE name = ?"
        row = self._execute(query, (loop,)).fetchone()
        if row is None:
            return State(), 0
        return State.model_validate_json(row["state"]), int(row["generation"])

    def record(self, loop: str, generation: int, state: State, entry: Entry) -> None:
        """Record a decision made on ``generation``; raise Conflict when that is not the newest."""
        with self._transaction():
            self._take(entry.delivery)
            self._set_state(loop, generation, state)
            self._log(loop, entry)
            if entry.retraining:
                self._open_retraining(loop, entry)
            for kind, content in entry.actions:
                values = (loop, kind, json.dumps(content))
                self._execute("INSERT INTO actions (loop, kind, content) VALUES (?, ?, ?)", values)

    def owed(self, loop: str) -> list[tuple[int, str, dict[str, Any]]]:
        """Return (sequence number, kind, content) of the actions not yet done, in order."""
        query = "SELECT seq, kind, content FROM actions WHERE loop = ? AND NOT done ORDER BY seq"
        rows = self._execute(query, (loop,))
        return [(row["seq"], row["kind"], json.loads(row["content"])) for row in rows]

    def done(self, loop: str, seq: int) -> None:
        """Mark an action done."""
        self._execute("UPDATE actions SET done = 1 WHERE seq = ?", (seq,))

    def close_retraining(
        self, name: str, verdict: str, version: str, reasons: Sequence[str]
    ) -> None:
        """Write how a Retraining ended; a second call changes nothing."""
        self._execute(
            "UPDATE retrainings SET verdict = ?, version = ?, reasons = ?"
            " WHERE name = ? AND verdict IS NULL",
            (verdict, version, json.dumps(list(reasons)), name),
        )

    def retrainings(self, loop: str | None = None) -> list[dict[str, Any]]:
        """Return every Retraining in order, of one loop or of all."""
        where = "WHERE loop = ?" if loop else ""
        query = f"SELECT * FROM retrainings {where} ORDER BY loop, number"
        rows = self._execute(query, (loop,) if loop else ())
        return [_decoded(row, "causes", "reasons") for row in rows]

    def decisions(self, loop: str) -> list[dict[str, Any]]:
        """Return every recorded decision that had a reason, in order."""
        query = "SELECT * FROM decisions WHERE loop = ? ORDER BY seq"
        return [_decoded(row, "reasons") for row in self._execute(query, (loop,))]

    def returned(self, loop: str) -> list[dict[str, Any]]:
        """Return how stages sent the loop back, in order."""
        query = "SELECT content FROM actions WHERE loop = ? AND kind = 'return' ORDER BY seq"
        rows = self._execute(query, (loop,))
        return [standing.returned(json.loads(row["content"])) for row in rows]

    def loops(self) -> list[str]:
        """Return the names of the loops in this ledger."""
        return [row["name"] for row in self._execute("SELECT name FROM loops ORDER BY name")]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have ended it
                self._db.execute("ROLLBACK")
            raise

    def _execute(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        with self._answering():
            return self._db.execute(query, values)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn what SQLite cannot do, such as to write on a full disk, into Unavailable."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except sqlite3.Error as error:
            raise Unavailable(f"The ledger {self._path} cannot be used: {error}.") from error

    def _take(self, delivery: tuple[str, str] | None) -> None:
        if delivery is None:
            return
        try:
            self._execute("INSERT INTO deliveries VALUES (?, ?)", delivery)
        except sqlite3.IntegrityError as error:
            raise Conflict(f"{delivery} was delivered before") from error

    def _set_state(self, loop: str, generation: int, state: State) -> None:
        values = (loop, generation + 1, state.model_dump_json())
        if generation == 0:
            query = "INSERT OR IGNORE INTO loops VALUES (?, ?, ?)"
            changed = self._execute(query, values).rowcount
        else:
            query = "UPDATE loops SET generation = ?, state = ? WHERE name = ? AND generation = ?"
            changed = self._execute(query, (*values[1:], loop, generation)).rowcount
        if changed != 1:
            raise Conflict(f"{loop} is past generation {generation}")

    def _log(self, loop: str, entry: Entry) -> None:
        if not entry.reasons:
            return
        time = times.to_text(entry.event_time)
        values = (loop, time, entry.trigger, json.dumps(list(entry.reasons)))
        query = "INSERT INTO decisions (loop, event_time, trigger, reasons) VALUES (?, ?, ?, ?)"
        self._execute(query, values)

    def _open_retraining(self, loop: str, entry: Entry) -> None:
        row = entry.retraining or {}
        query = (
            "INSERT INTO retrainings (name, loop, number, event_time, causes, onset, champion)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        number = row["number"]
        values = (f"{loop}-{number}", loop, number, times.to_text(entry.event_time))
        causes = json.dumps(row["causes"])
        self._execute(query, (*values, causes, row["onset"], row["champion"]))


def _decoded(row: sqlite3.Row, *columns: str) -> dict[str, Any]:
    """Return the row with its JSON columns read."""
    found = dict(row)
    return found | {name: json.loads(found[name]) for name in columns if found[name]}
