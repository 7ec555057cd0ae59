"""A database engine of which each thread has at most one transaction open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine


class JoinedEngine:
    """``engine``, whose ``begin`` joins the transaction that the thread opened by ``hold``.

    Feast's SQL registry opens a connection for each statement or two, within one another. Held
    together they see one state of the database, and are kept whole or not at all; what fails by
    itself and is caught is undone by itself.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._own = engine, threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @property
    def held(self) -> bool:
        """Whether this thread holds a transaction."""
        return getattr(self._own, "connection", None) is not None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection for one transaction, or for a part of the one that is held."""
        if self.held:
            with self._own.connection.begin_nested():
                yield self._own.connection
            return
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def hold(self) -> Iterator[Connection]:
        """Make one transaction of everything that this thread does until the end."""
        if self.held:
            yield self._own.connection
            return
        with self._engine.begin() as connection:
            self._own.connection = connection
            try:
                yield connection
            finally:
                self._own.connection = None
