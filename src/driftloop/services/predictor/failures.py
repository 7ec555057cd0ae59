"""Failures: answers of a predictor that are no answers, wherever in the server they were made."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Failures:
    """An ASGI app that calls ``failed`` for each request answered with 500 or above.

    It stands outermost, so that an error in reading a body or writing an answer counts as well.
    Only POST asks for a prediction: a probe that finds nothing ready is no failure.
    """

    def __init__(self, app: ASGIApp, failed: Callable[[], None]) -> None:
        self._app, self._failed = app, failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer back."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 500:
                self._failed()
            await send(message)

        await self._app(scope, receive, sent)
