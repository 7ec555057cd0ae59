"""Servers on loopback, Redis and Postgres, with nothing in them; they end with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

REQUIRED = "DRIFTLOOP_REQUIRE_SERVERS"
"""Set where no test may be skipped for want of a server."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def missing(what: str, package: str) -> None:
    sentence = f"{what} is not installed (Debian's package {package})."
    if os.environ.get(REQUIRED):
        pytest.fail(sentence)
    pytest.skip(sentence)


@contextmanager
def serving_redis() -> Iterator[str]:
    """Start a server that keeps nothing; yield its host:port."""
    binary = shutil.which("redis-server") or missing("redis-server", "redis-server")
    port = free_port()
    command = [
        binary,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--daemonize",
        "no",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _await(lambda: redis.Redis(port=port).ping(), redis.ConnectionError)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def serving_postgres() -> Iterator[str]:
    """Start a cluster with the database ``feast``; yield its address."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    where = str(binaries[-1]) if binaries else None
    found = shutil.which("initdb", path=where) or missing("Postgres", "postgresql")
    folder = Path(tempfile.mkdtemp(prefix="driftloop-postgres-"))
    user = _unprivileged(folder)
    tools = Path(found).parent
    port = free_port()
    _run(user, [found, "-D", folder / "data", "-A", "trust", "-U", "feast", "--no-sync"])
    # In a zone that is not UTC, so that a naive time anywhere would show.
    options = f"-p {port} -h 127.0.0.1 -k '' -c timezone=America/New_York -c fsync=off"
    start = [tools / "pg_ctl", "-D", folder / "data", "-o", options, "-w", "-l", folder / "log"]
    try:
        _run(user, [*start, "start"])
        address = f"postgresql://feast@127.0.0.1:{port}"
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE feast")
        yield f"{address}/feast?sslmode=disable"
    finally:
        _run(user, [tools / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"])
        shutil.rmtree(folder)


def _unprivileged(folder: Path) -> Sequence[str]:
    """Return what runs a command as somebody whom Postgres accepts, and give them ``folder``."""
    if os.geteuid() != 0:
        return ()
    somebody = pwd.getpwnam("postgres")
    os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    return ("setpriv", f"--reuid={somebody.pw_uid}", f"--regid={somebody.pw_gid}", "--clear-groups")


def _run(user: Sequence[str], command: Sequence[object]) -> None:
    done = subprocess.run([*user, *map(str, command)], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr


def _await(ready: object, error: type[Exception]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            ready()  # type: ignore[operator]
            return
        except error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
