"""The ledger: a decision is recorded once and whole, whatever is concurrent or killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from driftloop.adapters.sqlite_ledger import SqliteLedger as Ledger
from driftloop.adapters.unavailable import Unavailable
from driftloop.ledger import Conflict, Entry
from driftloop.state import State

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_record_on_an_old_generation_is_refused(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path / "l.db"), Ledger(tmp_path / "l.db")
    entry = Entry("x", START, ("why",))
    first.record("ads", 0, State(number=1), entry)
    with pytest.raises(Conflict):
        second.record("ads", 0, State(number=2), entry)
    assert second.state("ads") == (State(number=1), 1)


def test_a_refused_record_leaves_nothing_behind(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db")
    ledger.record("ads", 0, State(), Entry("x", START, ("why",), delivery=("s", "1")))
    late = Entry("x", START, ("no",), (("promote", {}),), delivery=("s", "2"))
    with pytest.raises(Conflict):
        ledger.record("ads", 0, State(), late)
    assert not ledger.delivered("s", "2")
    assert ledger.owed("ads") == []
    assert [d["reasons"] for d in ledger.decisions("ads")] == [["why"]]


def test_on_a_full_disk_a_decision_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db")
    ledger.record("ads", 0, State(number=1), Entry("x", START, ("first",)))
    (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
    ledger._db.execute(f"PRAGMA max_page_count={pages}")
    long = Entry("x", START, ("why" * 100_000,), (("promote", {}),), delivery=("s", "1"))
    with pytest.raises(Unavailable, match=r"l\.db cannot be used: database or disk is full\."):
        ledger.record("ads", 1, State(number=2), long)
    assert ledger.state("ads") == (State(number=1), 1)
    assert not ledger.delivered("s", "1")
    assert ledger.owed("ads") == []
    ledger._db.execute("PRAGMA max_page_count=1000000")
    ledger.record("ads", 1, State(number=2), long)
    assert ledger.state("ads") == (State(number=2), 2)
    assert [kind for _, kind, _ in ledger.owed("ads")] == ["promote"]


def test_a_ledger_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "l.db").write_bytes(b"this was never a database, and is long enough to tell" * 9)
    with pytest.raises(Unavailable, match="not a database"):
        Ledger(tmp_path / "l.db")
    with pytest.raises(Unavailable, match="unable to open"):
        Ledger(tmp_path / "absent" / "l.db")


def test_of_many_that_decide_at_once_one_wins_each_generation(tmp_path: Path) -> None:
    def work() -> None:
        ledger = Ledger(tmp_path / "l.db")
        for _ in range(20):
            while True:
                state, generation = ledger.state("ads")
                number = state.number + 1
                opened = {"number": number, "causes": [], "onset": None, "champion": ""}
                entry = Entry("x", START, ("why",), retraining=opened)
                try:
                    ledger.record("ads", generation, State(number=number), entry)
                    break
                except Conflict:
                    continue
        ledger.close()

    Ledger(tmp_path / "l.db").close()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger = Ledger(tmp_path / "l.db")
    assert ledger.state("ads") == (State(number=80), 80)
    assert [row["number"] for row in ledger.retrainings("ads")] == list(range(1, 81))


def test_an_event_is_taken_once(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path / "l.db"), Ledger(tmp_path / "l.db")
    assert first.take("s", "1")
    assert not second.take("s", "1")
    assert second.take("t", "1")
    assert first.delivered("t", "1")


def test_one_acts_for_a_loop_at_a_time(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path / "l.db"), Ledger(tmp_path / "l.db")
    with first.acting("ads") as alone:
        assert alone
        with second.acting("ads") as also, second.acting("routing") as other:
            assert (also, other) == (False, True)
    with second.acting("ads") as alone:
        assert alone


KILLED = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from driftloop.adapters.sqlite_ledger import SqliteLedger as Ledger
from driftloop.adapters.unavailable import Unavailable
from driftloop.ledger import Entry
from driftloop.state import State
ledger = Ledger(Path(sys.argv[1]))
entry = Entry("x", datetime(2026, 1, 1, tzinfo=UTC), ("why",), (("open", {"number": 1}),))
if sys.argv[2] == "inside":
    ledger._log = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
ledger.record("ads", 0, State(number=1), entry)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("when", "number"), [("inside", 0), ("after", 1)])
def test_a_kill_leaves_all_of_a_decision_or_nothing(when: str, number: int, tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), when])
    assert done.returncode == -9
    ledger = Ledger(path)
    assert ledger.state("ads")[0].number == number
    assert len(ledger.owed("ads")) == number
