"""Deliberately wrong detectors, made of the real one by replacing one function in the forked process.

None of this is in the product: it is what the harness must catch.
"""

from collections.abc import Callable, Mapping


def _right() -> None:
    """The product as it is."""


VARIANTS: Mapping[str, Callable[[], None]] = {"": _right}
