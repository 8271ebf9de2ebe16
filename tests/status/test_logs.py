"""Log lines: what is written, and what must not be."""

import io
import json

import pytest

from osdetect.status.logs import LogFormat, open_log


def _lines(form: LogFormat | None = None, **fields: object) -> str:
    stream = io.StringIO()
    open_log(form, stream, namespace="t").warning("something happened", **fields)
    return stream.getvalue()


def test_a_line_is_a_json_object_where_nobody_watches() -> None:
    line = json.loads(_lines(events=3, reasons=["a", "b"]))
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "warning",
        "event": "something happened",
        "namespace": "t",
        "events": 3,
        "reasons": ["a", "b"],
    }


@pytest.mark.parametrize("form", list(LogFormat))
def test_what_an_event_says_cannot_write_lines_or_command_a_terminal(form: LogFormat) -> None:
    hostile = "a\nINFO all is well\x1b[2J\u202e\x9b31m\x00\ud800"
    text = _lines(form, user=hostile, inner={hostile: [hostile]}, error=ValueError(hostile))
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert not set(text) & set("\x1b\u202e\x9b\x00\ud800")
    assert "[2J" in text, "it is shown, escaped"


def test_long_texts_are_cut() -> None:
    assert len(_lines(user="x" * 1_000_000)) < 3_000


@pytest.mark.parametrize("form", list(LogFormat))
def test_secrets_are_not_written(form: LogFormat) -> None:
    text = _lines(
        form,
        password="hidden-word",
        inner={"api_key": "hidden-word", "Authorization": ["hidden-word"]},
        what="no answer from https://casey:hidden-word@search.example.org:9200/",
    )
    assert "hidden-word" not in text
    assert "search.example.org" in text
