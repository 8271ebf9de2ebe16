"""The door to OpenSearch Dashboards: requests as its HTTP API wants them, with the credentials of the cluster."""

import http.client
import secrets
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from osdetect.cluster import Connection
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable, UsageError
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
    """

    def __init__(self, connection: Connection, *, tenant: str = "") -> None:
        self._connection = connection
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
            except ClusterUnavailable:
                if time.monotonic() + pause > until:
                    raise
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
        except ssl.SSLCertVerificationError as error:
            raise ClusterRefused(
                f"the certificate of OpenSearch Dashboards at {self.url} is not trusted",
                cause=error.verify_message,
                cure="name the authority that signed it: --ca-certs FILE or OSDETECT_CA_CERTS",
            ) from error
        except (OSError, http.client.HTTPException) as error:
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
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=patience)
        return http.client.HTTPSConnection(host, port, timeout=patience, context=_tls(self._connection))


def _tls(connection: Connection) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(connection.ca_certs) if connection.ca_certs else None)
        if connection.client_cert:
            context.load_cert_chain(connection.client_cert, connection.client_key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            "a certificate or key for OpenSearch Dashboards cannot be used",
            cause=str(error),
            cure="check OSDETECT_CA_CERTS, OSDETECT_CLIENT_CERT and OSDETECT_CLIENT_KEY",
        ) from error
    if not connection.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(reply: Any, said: bytes) -> str:
    message = reply.get("message") or reply.get("error") if isinstance(reply, Mapping) else None
    text = message if isinstance(message, str) else said.decode("utf-8", "replace")
    return printable(" ".join(text.split()), _SAID)


_CURES = {
    401: "set OSDETECT_USERNAME and OSDETECT_PASSWORD_FILE to a user of this Dashboards",
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
