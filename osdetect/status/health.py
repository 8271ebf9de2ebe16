"""Whether a detector or a notifier is well, and the pages that say so: /metrics, /healthz, /readyz."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import msgspec

from osdetect.errors import UsageError
from osdetect.source import printable
from osdetect.status.metrics import CONTENT_TYPE, Metrics

Seconds = Callable[[], float]
Page = tuple[int, str, bytes]


class Health:
    """Is told of passes; says whether they succeed in time. A pass at work counts as long as its batches go on."""

    def __init__(self, limit_s: float, monotonic: Seconds, wait_s: float = 0.0) -> None:
        """See the class.

        Args:
            limit_s: how long may go by without a batch or a pass that ended well, when a pass is due.
            monotonic: gives seconds that only grow.
            wait_s: how long it is to the first pass.
        """
        self._limit_s, self._monotonic = limit_s, monotonic
        self._moved = monotonic() + wait_s
        self._passed = False
        self._failure = ""

    def moved(self) -> None:
        """A batch was judged."""
        self._moved = self._monotonic()

    def passed(self, wait_s: float = 0.0) -> None:
        """A pass ended well, and it is so long to the next one."""
        self._moved, self._passed, self._failure = self._monotonic() + wait_s, True, ""

    def failed(self, reason: str) -> None:
        """A pass was ended by the cluster."""
        self._failure = printable(reason, 500)

    def ill(self) -> str:
        """Why the detector is not well; empty when it is."""
        silent = self._monotonic() - self._moved
        if silent <= self._limit_s:
            return ""
        why = f": {self._failure}" if self._failure else ""
        return f"no batch and no pass in {silent:.0f} s, more than {self._limit_s:g} s{why}"

    def unready(self) -> str:
        """Why nothing should rely on the detector yet; empty when it may."""
        if not self._passed:
            return f"no pass has ended yet{': ' + self._failure if self._failure else ''}"
        return self.ill()


class Well(Protocol):
    """Says whether something is well."""

    def ill(self) -> str:
        """Why it is not; empty when it is."""

    def unready(self) -> str:
        """Why nothing should rely on it yet; empty when it may."""


class AllWell(msgspec.Struct, frozen=True):
    """Well while each of its parts is; the first that is not is named."""

    parts: Mapping[str, Health]

    def ill(self) -> str:
        """See `Well`."""
        return self._first(Health.ill)

    def unready(self) -> str:
        """See `Well`."""
        return self._first(Health.unready)

    def failed(self, reason: str) -> None:
        """None of the parts could reach the cluster."""
        for one in self.parts.values():
            one.failed(reason)

    def _first(self, ask: Callable[[Health], str]) -> str:
        return next((f"{name}: {why}" for name, one in self.parts.items() if (why := ask(one))), "")


@contextmanager
def serving(address: str, health: Well, metrics: Metrics | None = None) -> Iterator[str]:
    """Answer at `address` (HOST:PORT; port 0 for a free one) while the body runs; gives the URL.

    Args:
        address: where.
        health: what /healthz and /readyz say.
        metrics: what /metrics says; without them there is no such page.

    Raises:
        UsageError: that is no address, or it cannot be listened on.
    """
    host, port = _parsed(address)
    pages: dict[str, Callable[[], Page]] = {
        "/healthz": lambda: _verdict(health.ill()),
        "/readyz": lambda: _verdict(health.unready()),
    }
    if metrics is not None:
        pages["/metrics"] = lambda: (200, CONTENT_TYPE, metrics.text())
    try:
        server = _Server((host, port), _handler(pages))
    except OSError as error:
        raise UsageError(
            f"cannot listen on {printable(address)}",
            cause=error.strerror or str(error),
            cure="give another address to --listen",
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True, name="osdetect-listen")
    thread.start()
    try:
        yield f"http://{address.rpartition(':')[0]}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise UsageError(
            f"{printable(address)!r} is not an address to listen on",
            cure="write HOST:PORT, for example 127.0.0.1:9464",
        )
    return host, int(port)


def _verdict(wrong: str) -> Page:
    return (503 if wrong else 200), "text/plain; charset=utf-8", f"{wrong or 'ok'}\n".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever asked went away."""


def _handler(pages: dict[str, Callable[[], Page]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        server_version = "osdetect"
        sys_version = ""

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            status, kind, body = page() if page else (404, "text/plain; charset=utf-8", b"not here\n")
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's own name
            """Say nothing: probes come every few seconds."""

    return Handler
