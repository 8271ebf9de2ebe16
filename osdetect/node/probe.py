"""Short questions to a node over HTTP, with the standard library; proxies of the environment are ignored."""

import json
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

import msgspec

TIMEOUT_S = 5.0


class Answer(msgspec.Struct, frozen=True):
    """What came back: the HTTP status and the JSON body (None if it was no JSON)."""

    status: int
    body: Any


class Probe(msgspec.Struct, frozen=True):
    """Asks one node. `headers` go with each request; `tls` is needed for https."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    tls: ssl.SSLContext | None = None

    def ask(
        self, path: str, *, method: str = "GET", body: object = None, timeout: float = TIMEOUT_S
    ) -> Answer | None:
        """Send one request; None if nobody answered in `timeout` seconds."""
        request = urllib.request.Request(  # noqa: S310 - http or https by our own callers
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **dict(self.headers)},
            method=method,
        )
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.tls:
            handlers.append(urllib.request.HTTPSHandler(context=self.tls))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
                return Answer(response.status, _json(response.read()))
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, _json(refused.read()))
        except (OSError, HTTPException):  # refused, reset, timed out, cut off; URLError is an OSError
            return None

    def process_id(self) -> int | None:
        """The pid of the server that answers; None if none does, or not yet."""
        answer = self.ask("/_nodes/_local/process?filter_path=nodes.*.process.id")
        if answer is None or answer.status != 200 or not answer.body:
            return None
        (node,) = answer.body["nodes"].values()
        return int(node["process"]["id"])

    def health(self) -> str:
        """green, yellow or red; empty if there is no answer yet."""
        answer = self.ask("/_cluster/health?filter_path=status")
        return str(answer.body["status"]) if answer and answer.status == 200 and answer.body else ""


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
