"""A real HTTP server between osdetect and OpenSearch that does harm on request; nothing in osdetect is replaced."""

import http.client
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec


class Asked(msgspec.Struct, frozen=True):
    """A request as it arrived."""

    method: str
    path: str
    """Without its query."""
    query: str
    body: bytes
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Their names in lower case."""


class Reply(msgspec.Struct, frozen=True):
    """Answer this; the cluster never sees the request."""

    status: int
    body: Any
    content_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Further ones."""


class Cut(msgspec.Struct, frozen=True):
    """Close the connection without an answer; with `after`, only when the cluster has done what was asked."""

    after: bool = False


class Delay(msgspec.Struct, frozen=True):
    """Wait, then go on as usual."""

    seconds: float


class BusyItems(msgspec.Struct, frozen=True):
    """In a bulk request, keep these items from the cluster and answer 429 for each of them."""

    numbers: frozenset[int]


Fault = Reply | Cut | Delay | BusyItems
Choose = Callable[[Asked], Fault | None]


def error_body(status: int, kind: str, reason: str) -> dict[str, Any]:
    """An error as OpenSearch words it."""
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": status}


def refusal(status: int, kind: str, reason: str) -> Reply:
    """An error reply as OpenSearch gives it."""
    return Reply(status, error_body(status, kind, reason))


TOO_MANY = refusal(429, "rejected_execution_exception", "rejected execution of coordinating operation")
NOT_REFRESHED = Reply(200, {"_shards": {"total": 1, "successful": 0, "failed": 1, "failures": []}})
"""To a refresh: taken, and the shard could not do it."""


def on(path_end: str, faults: Sequence[Fault], *, method: str = "") -> Choose:
    """Each of the faults once, in order, for the requests whose path ends so; the later requests go through."""
    left = list(faults)

    def choose(asked: Asked) -> Fault | None:
        if left and asked.path.endswith(path_end) and method in ("", asked.method):
            return left.pop(0)
        return None

    return choose


def always(path_end: str, fault: Fault, *, method: str = "") -> Choose:
    """The fault for each request whose path ends so."""
    return lambda asked: fault if asked.path.endswith(path_end) and method in ("", asked.method) else None


class FaultProxy:
    """The server; `choose` says what happens to a request, None lets it through.

    Without `upstream` it is a server that is no cluster: `choose` must answer everything.
    """

    def __init__(self, upstream: str, choose: Choose) -> None:
        self.choose = choose
        self.asked: list[Asked] = []
        self.upstream_url = upstream
        self.upstream = urlsplit(upstream).netloc
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, asked: Asked) -> Fault | None:
        """Note the request and decide on it, one at a time."""
        with self._lock:
            self.asked.append(asked)
            return self.choose(asked)

    def count(self, path_end: str) -> int:
        """How many requests came whose path ends so."""
        return sum(asked.path.endswith(path_end) for asked in self.asked)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: FaultProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away in the middle is what these tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    """Head and body of an answer are two writes: the second would wait 40 ms until the client confirms the first."""
    server: _Server

    def _any(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        said = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, path, query, body, said)
        fault = self.server.proxy.take(asked)
        match fault:
            case Reply():
                self._answer(fault.status, _bytes(fault.body), fault.content_type, fault.headers)
            case Cut(after=after):
                if after:
                    self._forward(body)
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            case BusyItems():
                self._busy(asked, fault.numbers)
            case Delay(seconds=seconds):
                time.sleep(seconds)
                self._answer(*self._forward(body))
            case None:
                self._answer(*self._forward(body))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815  # the names http.server looks for

    def _forward(self, body: bytes) -> tuple[int, bytes, str]:
        upstream = http.client.HTTPConnection(self.server.proxy.upstream, timeout=60)
        try:
            kind = self.headers.get("content-type")
            upstream.request(
                self.command, self.path, body=body or None, headers={"content-type": kind} if kind else {}
            )
            reply = upstream.getresponse()
            return reply.status, reply.read(), reply.headers.get("content-type") or "application/json"
        finally:
            upstream.close()

    def _busy(self, asked: Asked, numbers: frozenset[int]) -> None:
        lines = asked.body.splitlines(keepends=True)
        pairs = [b"".join(lines[i : i + 2]) for i in range(0, len(lines), 2)]
        through = [pair for number, pair in enumerate(pairs) if number not in numbers]
        answered: list[Any] = []
        if through:
            status, body, kind = self._forward(b"".join(through))
            if status != 200:
                self._answer(status, body, kind)
                return
            answered = json.loads(body)["items"]
        busy = {"create": {"status": 429, "error": TOO_MANY.body["error"]["root_cause"][0]}}
        rest = iter(answered)
        items = [busy if number in numbers else next(rest) for number in range(len(pairs))]
        self._answer(200, _bytes({"errors": True, "items": items}), "application/json")

    def _answer(
        self, status: int, body: bytes, kind: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's own name
        """Say nothing."""


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
