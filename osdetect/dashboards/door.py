"""The door to OpenSearch Dashboards: requests as its HTTP API wants them, with the credentials of the cluster."""

import http.client
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from osdetect.cluster import Connection
from osdetect.cluster.refusal import certificate_refused, passing_tls
from osdetect.cluster.tls import tls_context
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable
from osdetect.source import printable

_SAID = 600
_PASSING = frozenset({429, 502, 503, 504})
"""Statuses of what may succeed when it is asked again; every request here can be repeated."""
_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 8.0


class Dashboards:
    """A connection to OpenSearch Dashboards.

    Args:
        connection: where it is, and who we are; the same settings as for the cluster.
        tenant: whose saved objects they are to be, where the security plugin has tenants.
        on_wait: told once, in words, when an answer has to be waited for.
    """

    def __init__(
        self, connection: Connection, *, tenant: str = "", on_wait: Callable[[str], object] | None = None
    ) -> None:
        self._connection = connection
        self._tls = tls_context(connection) if urlsplit(connection.url).scheme == "https" else None
        self._on_wait = on_wait or _silent
        self._reached, self._waited = False, False
        self._parts = urlsplit(connection.url)
        self._tenant = tenant

    @property
    def url(self) -> str:
        """Where it is."""
        return self._connection.url.rstrip("/")

    def ask(self, method: str, path: str, body: Any = None, *, accept: tuple[int, ...] = ()) -> Any:
        """Send JSON and give the JSON reply.

        Args:
            method: the HTTP method.
            path: below the base path, with its query.
            body: what to send, if anything.
            accept: error statuses whose reply is given instead of raised.

        Raises:
            ClusterRefused: Dashboards answered no.
            ClusterUnavailable: it did not answer, also after repeating.
        """
        sent = None if body is None else orjson.dumps(body)
        kind = {} if sent is None else {"content-type": "application/json"}
        return self._repeated(method, path, sent, kind, accept)

    def upload(self, path: str, filename: str, content: bytes) -> Any:
        """Send a file as a form does (RFC 7578), never compressed: Dashboards refuses that.

        Raises:
            ClusterRefused: Dashboards answered no.
            ClusterUnavailable: it did not answer, also after repeating.
        """
        boundary = secrets.token_hex(16)
        body = (
            f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{filename}"\r\n'
            "content-type: application/ndjson\r\n\r\n"
        ).encode() + content
        body += f"\r\n--{boundary}--\r\n".encode()
        kind = {"content-type": f"multipart/form-data; boundary={boundary}"}
        return self._repeated("POST", path, body, kind, ())

    def _repeated(
        self, method: str, path: str, body: bytes | None, kind: Mapping[str, str], accept: tuple[int, ...]
    ) -> Any:
        until, pause = time.monotonic() + self._connection.retry_for_s, _PAUSE_S
        while True:
            try:
                return self._once(method, path, body, kind, accept)
            except ClusterUnavailable as error:
                # Whoever named an address at which nothing answers should know at once.
                if not self._reached or time.monotonic() + pause > until:
                    raise
                if not self._waited:
                    self._waited = True
                    self._on_wait(f"{error.what}; waiting for it, {self._connection.retry_for_s:g} s at most")
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _once(
        self, method: str, path: str, body: bytes | None, kind: Mapping[str, str], accept: tuple[int, ...]
    ) -> Any:
        opened = self._open()
        try:
            opened.request(
                method,
                self._parts.path.rstrip("/") + path,
                body=body,
                headers={**self._headers(method, path, body), **kind},
            )
            answer = opened.getresponse()
            status, said = answer.status, answer.read()
            self._reached = True
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, ssl.SSLError) and not passing_tls(str(error)):
                raise certificate_refused(str(error), self.url, "the Dashboards server") from error
            raise ClusterUnavailable(
                f"OpenSearch Dashboards does not answer at {self.url}",
                cause=f"{type(error).__name__}: {error}",
                cure="check --dashboards and whether it runs; the same command again goes on",
            ) from error
        finally:
            opened.close()
        return self._reply(method, path, status, said, accept)

    def _reply(self, method: str, path: str, status: int, said: bytes, accept: tuple[int, ...]) -> Any:
        try:
            reply = orjson.loads(said) if said else {}
        except orjson.JSONDecodeError:
            reply = None
        if (status < 300 and reply is not None) or status in accept:
            return reply
        cause = _reason(reply, said)
        asked = f"{method} {path.partition('?')[0]}"
        if status in _PASSING:
            raise ClusterUnavailable(
                f"OpenSearch Dashboards at {self.url} is busy or not ready ({status})",
                cause=cause,
                status=status,
            )
        raise _refused(status, asked, self.url, cause)

    def _headers(self, method: str, path: str, body: bytes | None) -> dict[str, str]:
        headers = {"osd-xsrf": "osdetect", "accept": "application/json"}
        if self._connection.credentials is not None:
            headers |= self._connection.credentials(method, self.url + path, body)
        if self._tenant:
            headers["securitytenant"] = self._tenant
        return headers

    def _open(self) -> http.client.HTTPConnection:
        host, port, patience = self._parts.hostname or "", self._parts.port, self._connection.timeout_s
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=patience)
        return http.client.HTTPSConnection(host, port, timeout=patience, context=self._tls)


def _silent(_said: str) -> None:
    """Whoever asks without a listener only waits."""


def _reason(reply: Any, said: bytes) -> str:
    message = reply.get("message") or reply.get("error") if isinstance(reply, Mapping) else None
    text = message if isinstance(message, str) else said.decode("utf-8", "replace")
    return printable(" ".join(text.split()), _SAID)


_CURES = {
    401: "set OSDETECT_USERNAME and OSDETECT_PASSWORD_FILE, or another way of docs/security.md, to a user of this Dashboards",
    403: "give this user write access to the tenant, or choose another: OSDETECT_DASHBOARDS_TENANT",
    413: "raise savedObjects.maxImportPayloadBytes in opensearch_dashboards.yml",
}


def _refused(status: int, asked: str, url: str, cause: str) -> ClusterError:
    cure = _CURES.get(
        status, "is this the address of OpenSearch Dashboards (often port 5601), with its base path?"
    )
    return ClusterRefused(
        f"OpenSearch Dashboards at {url} refused {asked} ({status})", cause=cause, cure=cure, status=status
    )
