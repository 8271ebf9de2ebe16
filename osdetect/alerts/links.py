"""Where OpenSearch Dashboards shows an event."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from osdetect.errors import UsageError
from osdetect.vocabulary import EVENTS_PREFIX

PATTERN = f"{EVENTS_PREFIX}*"
"""The id of the index pattern in Dashboards by which events are shown."""


def dashboards_link(base: str, alert: Mapping[str, Any]) -> str:
    """The link to the alert's event; empty when the alert does not say where that is.

    Args:
        base: where Dashboards is, or a link with `{index}` and `{id}` in it.
        alert: the alert's `_source`.

    Raises:
        UsageError: `base` is no web address, or carries credentials.

    >>> link = dashboards_link("https://d.example.org/", {"osdetect": {"source": {"index": "i", "id": "a/b"}}})
    >>> link
    'https://d.example.org/app/discover#/doc/osdetect-cloudtrail-*/i?id=a%2Fb'
    """
    _check(base)
    at = alert.get("osdetect", {}).get("source", {})
    if not (at.get("index") and at.get("id")):
        return ""
    index, doc_id = quote(str(at["index"]), safe=""), quote(str(at["id"]), safe="")
    if "{index}" in base or "{id}" in base:
        return base.replace("{index}", index).replace("{id}", doc_id)
    return f"{base.rstrip('/')}/app/discover#/doc/{PATTERN}/{index}?id={doc_id}"


def _check(base: str) -> None:
    try:
        parts = urlsplit(base)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise UsageError(
            "OSDETECT_DASHBOARDS_URL is not the address of OpenSearch Dashboards",
            cause="it is no http or https address, or it carries credentials",
            cure="write it as https://HOST:PORT, without a user name and password",
        )
