"""One class through which everything asks the cluster: connect, request, and the checks at the start."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote, urlencode

import orjson
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from osdetect.cluster import bulk, store
from osdetect.cluster.connection import Connection
from osdetect.cluster.credentials import Credentials
from osdetect.cluster.tls import tls_context
from osdetect.cluster.translate import from_between, from_connection, from_status, no_json, says_not_there
from osdetect.documents.json_text import read_json
from osdetect.errors import ClusterRefused, OsdetectError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

OLDEST = (2, 19)
"""The oldest OpenSearch that osdetect is tested for."""
_NOT_THERE = 404
_LINES = ("_bulk", "_msearch")
"""Requests whose body is JSON on lines."""
Answer = TypeVar("Answer")


class _Orjson:
    """The serializer that opensearch-py is given: bytes pass as they are, replies are read by orjson."""

    mimetype = "application/json"

    def loads(self, text: str) -> Any:
        import opensearchpy.exceptions as theirs  # noqa: PLC0415  # importing it costs half a second

        try:
            return read_json(text)
        except (ValueError, RecursionError) as error:
            raise theirs.SerializationError(text[:200], error) from error

    def dumps(self, data: Any) -> Any:
        return data if isinstance(data, (str, bytes)) else orjson.dumps(data).decode()


class _Text(_Orjson):
    """The same, but replies are left as they came."""

    def loads(self, text: str) -> str:
        return text


class Cluster:
    """A connected OpenSearch cluster. Safe to use from several threads.

    Construct it with `Cluster.connect`.
    """

    def __init__(self, client: "OpenSearch", connection: Connection, version: tuple[int, ...]) -> None:
        self._client = client
        self._for_text: OpenSearch | None = None
        self._connection = connection
        self.version = version
        """For example (3, 8, 0)."""
        self.repeated = 0
        """Requests that failed in passing and were sent again."""
        self._hurried: Callable[[], bool] = bool
        self._pause: Callable[[float], object] = time.sleep

    @classmethod
    def connect(cls, connection: Connection) -> "Cluster":
        """Reach the cluster and check that it is an OpenSearch we know.

        Raises:
            ClusterUnavailable: it cannot be reached.
            ClusterRefused: wrong credentials or certificate, not OpenSearch, or too old a version.
        """
        made = cls(_client(connection), connection, ())
        info = made.request("GET", "/", repeat=False)  # whoever waits here should know at once
        version = info.get("version") if isinstance(info, Mapping) else None
        version = version if isinstance(version, Mapping) else {}
        number = str(version.get("number", ""))
        if version.get("distribution") != "opensearch":
            raise ClusterRefused(
                f"what answers at {connection.url} is not OpenSearch",
                cause=f"it calls itself {version.get('distribution') or 'nothing'} {number}".strip(),
                cure="give --url of an OpenSearch cluster, or start the embedded node: osdetect node up",
            )
        parsed = tuple(int(part) for part in number.partition("-")[0].split(".") if part.isdigit())
        if parsed[:2] < OLDEST:
            raise ClusterRefused(
                f"OpenSearch {number} is too old",
                cure=f"use OpenSearch {'.'.join(map(str, OLDEST))} or later",
            )
        return cls(made._client, connection, parsed)

    @property
    def url(self) -> str:
        """The cluster's URL; it never holds credentials."""
        return self._connection.url

    def as_somebody_else(self, credentials: Credentials) -> "Cluster":
        """The same cluster, asked with other credentials and no certificate of ours."""
        other = self._connection.model_copy(
            update={
                "credentials": credentials,
                "client_cert": None,
                "client_key": None,
                "client_key_password": None,
            }
        )
        return Cluster(_client(other), other, self.version)

    def hurry_when(self, asked: Callable[[], bool], wait: Callable[[float], object]) -> None:
        """Once `asked` says so, repeat nothing any more: a failure in passing is one at once.

        Args:
            asked: whether the command is to end.
            wait: waits so many seconds, or less when it is to end.
        """
        self._hurried, self._pause = asked, wait

    def asked_once(self) -> "Cluster":
        """The same cluster, of which nothing is asked again: for who has better to do than to wait for it."""
        return Cluster(self._client, self._connection.model_copy(update={"retry_for_s": 0.0}), self.version)

    def require_answer(self) -> None:
        """Ask the cluster for its name, once: what was not answered then is a matter of what was asked.

        Raises:
            ClusterError: it does not answer at all.
        """
        self.request("GET", "/", repeat=False)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()
        if self._for_text is not None:
            self._for_text.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        accept: tuple[int, ...] = (),
        timeout_s: float | None = None,
        repeat: bool = True,
    ) -> Any:
        """Ask the cluster and give its JSON reply.

        A request that fails in passing (no connection, time-out, 429, 502 to 504) is repeated with growing
        pauses for `Connection.retry_for_s` seconds. Every request of ours is safe to repeat: writes have
        ids and use `create` or compare-and-set.

        Args:
            method: the HTTP method.
            path: the path, percent-encoded where needed.
            params: query parameters.
            body: JSON-able, or bytes that are sent as they are.
            accept: error statuses whose reply is given instead of raised.
            timeout_s: for this request, in seconds.
            repeat: false to fail at the first failure.

        Raises:
            ClusterRefused: the cluster answered no.
            ClusterUnavailable: it did not answer, also after repeating.
        """
        return self.repeated_while_passing(
            lambda: self._ask(self._client, method, path, params, body, accept, timeout_s), repeat=repeat
        )

    def request_text(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        repeat: bool = True,
    ) -> str:
        """The reply's text, for who needs only parts of a long one; else as `request`.

        Raises:
            ClusterRefused: the cluster answered no.
            ClusterUnavailable: it did not answer, also after repeating.
        """
        if self._for_text is None:
            self._for_text = _client(self._connection, _Text())
        client = self._for_text
        return str(
            self.repeated_while_passing(
                lambda: self._ask(client, method, path, params, body, (), None), repeat=repeat
            )
        )

    def repeated_while_passing(self, ask: Callable[[], Answer], *, repeat: bool = True) -> Answer:
        """What `ask` gives, asked again as a request is when it fails in passing.

        Args:
            ask: asks without repeating.
            repeat: false to fail at the first failure.

        Raises:
            ClusterError: as `ask` does.
        """
        patience = self._connection.retry_for_s if repeat else 0
        for attempt in Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, OsdetectError) and e.transient),
            stop=lambda state: self._hurried() or stop_before_delay(patience)(state),
            wait=wait_random_exponential(multiplier=0.25, max=8),
            sleep=self._rest,
            before_sleep=self._count_repeat,
            reraise=True,
        ):
            with attempt:
                return ask()
        raise AssertionError  # Retrying gives a reply or raises

    def _rest(self, seconds: float) -> None:
        self._pause(seconds)

    def _count_repeat(self, _state: RetryCallState) -> None:
        self.repeated += 1

    def _ask(
        self,
        client: "OpenSearch",
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Any,
        accept: tuple[int, ...],
        timeout_s: float | None,
    ) -> Any:
        import opensearchpy.exceptions as theirs  # noqa: PLC0415  # importing it costs half a second

        # The client would write a space as +, which signatures do not survive.
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        try:
            return client.transport.perform_request(
                method,
                path + query,
                params={"request_timeout": timeout_s or self._connection.timeout_s},
                body=body,
                headers={"content-type": "application/x-ndjson"} if path.endswith(_LINES) else None,
            )
        except theirs.ConnectionError as error:
            raise from_connection(error, self.url) from error
        except theirs.TransportError as error:
            status = error.status_code if isinstance(error.status_code, int) else 0
            if status == _NOT_THERE and self.version and not says_not_there(error.info):
                raise from_between(error.info, f"{method} {path}") from error
            if status in accept:
                return error.info
            raise from_status(status, error.info, f"{method} {path}", sent=self._connection.sent) from error
        except theirs.SerializationError as error:
            raise no_json(error, self.url) from error

    def require_percolator(self) -> None:
        """Check that this cluster has the percolator.

        Raises:
            ClusterRefused: it has not.
        """
        body = {"settings": {}, "mappings": {"properties": {"query": {"type": "percolator"}}}}
        path = "/_index_template/_simulate"
        template = {"index_patterns": ["osdetect-percolator-check"], "priority": 1000000, "template": body}
        reply = self.request("POST", path, body=template, accept=(400,))
        if isinstance(reply, Mapping) and "error" in reply:
            raise ClusterRefused(
                "this cluster has no percolator",
                cause=str(reply["error"])[:300],
                cure="install OpenSearch's percolator module (it is part of the standard distribution)",
            )

    def create_index(self, index: str, body: Mapping[str, Any]) -> bool:
        """Make an index; false when it is there already.

        Raises:
            ClusterRefused: the cluster refused it for another reason.
        """
        reply = self.request("PUT", f"/{index}", body=body, accept=(400,))
        error = reply.get("error")
        if not error:
            return True
        if error.get("type") == "resource_already_exists_exception":
            return False
        raise from_status(400, reply, f"PUT /{index}")

    def bulk(
        self, actions: Sequence[bytes], *, params: Mapping[str, str] | None = None
    ) -> tuple[bulk.ItemOutcome, ...]:
        """See `osdetect.cluster.bulk.send`."""
        return bulk.send(self, actions, params or {}, retry_for_s=self._connection.retry_for_s)

    def read_document(self, index: str, doc_id: str) -> store.StoredDocument | None:
        """See `osdetect.cluster.store.read`."""
        return store.read(self, index, doc_id)

    def read_documents(self, named: Iterable[tuple[str, str]]) -> Sequence[Mapping[str, Any]]:
        """See `osdetect.cluster.store.read_many`."""
        return store.read_many(self, named)

    def create_document(self, index: str, doc_id: str, source: Mapping[str, Any]) -> store.Version | None:
        """See `osdetect.cluster.store.create`."""
        return store.create(self, index, doc_id, source)

    def replace_document(
        self, index: str, doc_id: str, source: Mapping[str, Any], version: store.Version
    ) -> store.Version | None:
        """See `osdetect.cluster.store.replace`."""
        return store.replace(self, index, doc_id, source, version)


def _client(connection: Connection, serializer: _Orjson | None = None) -> "OpenSearch":
    import urllib3  # noqa: PLC0415  # comes with opensearch-py, whose import costs half a second
    from opensearchpy import OpenSearch  # noqa: PLC0415

    tls: dict[str, Any] = {}
    if connection.url.lower().startswith("https:"):
        tls = {"ssl_context": tls_context(connection)}
        if not connection.verify_tls:  # whoever turned that off said so, and was warned
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return OpenSearch(
        [connection.url],
        http_auth=connection.credentials,
        max_retries=0,
        serializer=serializer or _Orjson(),
        serializers={"application/json": serializer or _Orjson()},
        pool_maxsize=8,
        **tls,
    )
