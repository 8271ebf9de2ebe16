"""What the tests of the compiled reader share."""

import os

import pytest

from osdetect.expr.engine import native


def require_compiled() -> None:
    """Skip the test where there is no compiled reader; fail it where one is demanded."""
    if native.MISSING:
        if os.environ.get("OSDETECT_REQUIRE_COMPILED") == "1":
            pytest.fail(native.MISSING)
        pytest.skip(native.MISSING)


def delivery(*records: bytes) -> bytes:
    """A delivery of these records."""
    return b'{"Records":[' + b",".join(records) + b"]}"
