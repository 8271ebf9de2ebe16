"""opensearch-py's exceptions, turned into ours: one table, by HTTP status or by class."""

from collections.abc import Mapping
from typing import Any

from osdetect.cluster.refusal import (
    SIGNATURE,
    certificate_refused,
    forbidden,
    passing_tls,
    unauthorized,
    unsigned,
)
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable

_TRANSIENT_STATUS = frozenset({408, 429, 502, 503, 504})

_CURES: Mapping[int, str] = {
    413: "raise http.max_content_length on the cluster",
    429: "the cluster is overloaded or out of disk: see its logs, then run the command again",
}
_MEANINGS: Mapping[int, str] = {
    404: "the cluster does not have this",
    429: "the cluster is too busy",
}


def reason_of(info: Any) -> str:
    """OpenSearch's own words for an error reply: the type and reason of its root cause."""
    if not isinstance(info, Mapping):
        return str(info)[:500] if info else ""
    error = info.get("error", info)
    if isinstance(error, str):
        return error[:500]
    if not isinstance(error, Mapping):
        return ""
    roots = error.get("root_cause") or [error]
    root = roots[0] if isinstance(roots, list) and roots and isinstance(roots[0], Mapping) else error
    # The security plugin's own API says `message`, AWS also `Message`.
    words = root.get("reason", "") or root.get("message", "") or root.get("Message", "")
    said = f"{root.get('type', '')}: {words}".strip(": ")
    inner = error.get("caused_by")
    if isinstance(inner, Mapping) and str(inner.get("reason")) not in said:
        said += f" ({inner.get('reason')})"
    return said[:1000]


def from_status(status: int, info: Any, asked: str, *, sent: str = "") -> ClusterError:
    """The error for an HTTP status that opensearch-py reported.

    Args:
        status: of the answer.
        info: the answer's body.
        asked: the method and path.
        sent: what kind of credentials went with it, in words; empty: none.
    """
    if status == 401:
        return unauthorized(reason_of(info), asked, sent)
    if status == 403 and sent == SIGNATURE and (error := unsigned(reason_of(info), asked)):
        return error
    if status == 403:
        return forbidden(reason_of(info), asked)
    kind = ClusterUnavailable if status in _TRANSIENT_STATUS else ClusterRefused
    return kind(
        _MEANINGS.get(status, f"the cluster answered {status}") + f" ({asked})",
        cause=reason_of(info),
        cure=_CURES.get(status, ""),
        status=status,
    )


_EMPTY_HANDED = frozenset({"_id", "found", "result", "succeeded", "index_templates", "component_templates"})
"""One of these is in each answer that a document, a scroll or a template is not there."""


def says_not_there(info: Any) -> bool:
    """Whether a 404 is the cluster's own: a proxy that lost its way to the cluster answers so too, and nothing is deleted then.

    A proxy answers text, or JSON of a form of its own.
    """
    match info:
        case {"error": Mapping()}:
            return True
        case {"error": str(words)}:
            return words.startswith("alias")  # OpenSearch docs, "Alias API": "alias [x] missing"
        case {"message": _, "status": _}:  # of OpenSearch's plugins
            return True
        case Mapping():
            return not info or not _EMPTY_HANDED.isdisjoint(info)
        case _:
            return False


def from_between(info: Any, asked: str) -> ClusterError:
    """The error for a 404 that is not the cluster's."""
    return ClusterUnavailable(
        f"something between here and the cluster answered 404 ({asked})",
        cause=reason_of(info),
        cure="see the proxy or load balancer in front of the cluster",
        status=404,
    )


def from_connection(error: Exception, url: str) -> ClusterError:
    """The error for a request that got no HTTP answer."""
    import opensearchpy.exceptions as theirs  # noqa: PLC0415  # importing it costs half a second

    inner = getattr(error, "info", "")
    if isinstance(inner, UnicodeDecodeError):
        return no_json(inner, url)
    said = str(inner or error)[:500]
    if isinstance(error, theirs.SSLError) and not passing_tls(said):
        return certificate_refused(said, url)
    if isinstance(error, theirs.ConnectionTimeout):
        return ClusterUnavailable(
            f"the cluster at {url} did not answer in time",
            cause=said,
            cure="raise OSDETECT_TIMEOUT_S, or see the cluster's logs",
        )
    return ClusterUnavailable(
        f"the cluster at {url} cannot be reached",
        cause=said,
        cure="check the URL; for the embedded node: osdetect node status",
    )


def no_json(error: Exception, url: str) -> ClusterError:
    """The error for an answer that is no JSON."""
    return ClusterRefused(
        f"what answers at {url} does not speak JSON",
        cause=str(error)[:200],
        cure="give --url of an OpenSearch cluster, not of a proxy or of Dashboards",
    )
