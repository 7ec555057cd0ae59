"""Document: an HTML page that fetches nothing, and its sections."""

from __future__ import annotations

from html import escape

from driftloop.report import style

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser itself refuses whatever the page might fetch or run."""


def whole(title: str, body: str) -> str:
    """Return the page; ``body``: HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style.sheet()}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def section(title: str, content: str, name: str = "", anchor: str = "") -> str:
    """Return a section; ``content``: HTML, ``name``: its class, ``anchor``: what links lead to."""
    attribute = f' class="{name}"' if name else ""
    attribute += f' id="{anchor}"' if anchor else ""
    return f"<section{attribute}><h2>{escape(title)}</h2>{content}</section>"
