"""Compatibility: whether a model made with some libraries may load with others.

scikit-learn promises nothing for models of another minor release, NumPy and SciPy keep theirs
within a major one. Source: scikit-learn's guide on model persistence, "Security & Maintainability".
"""

from __future__ import annotations

from collections.abc import Mapping

from driftloop_contracts.errors import BundleRefused

ALIKE = {"scikit-learn": 2, "numpy": 1}
"""Leading numbers of a library's version that must be those the model was made with."""


def check(version: str, made_with: Mapping[str, str], installed: Mapping[str, str]) -> None:
    """Raise BundleRefused where a library is too far from the one the bundle was made with.

    What a bundle does not say is taken as it is: those of release 0.1 say all of it.

    >>> check("0001-a", {"scikit-learn": "1.7.2"}, {"scikit-learn": "1.7.0"})
    """
    for name, numbers in ALIKE.items():
        made, here = made_with.get(name, ""), installed.get(name, "")
        if made and _leading(made, numbers) != _leading(here, numbers):
            raise BundleRefused(
                f"Bundle {version} was made with {name} {made}; this process has {here}."
            )


def _leading(version: str, numbers: int) -> list[str]:
    return version.split(".")[:numbers]
