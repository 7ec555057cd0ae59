"""Categories as text: the one spelling that reference, inference log and parity share."""

from __future__ import annotations


def text(value: object) -> str:
    """Return a category's text; a whole float is spelt as the integer it stands for.

    An integer column with a missing value becomes floats on its way through a frame.

    >>> text(3.0), text(3), text("a")
    ('3', '3', 'a')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
