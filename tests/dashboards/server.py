"""A server with the saved-objects and settings API of OpenSearch Dashboards, strict where that is (docs/dashboards.md).

OpenSearch Dashboards itself cannot be had as a package; this holds the client to the rules that are known of it.
"""

import base64
import copy
import email.parser
import email.policy
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

STRICT: Mapping[str, frozenset[str]] = {
    "dashboard": frozenset(
        [
            "title",
            "description",
            "hits",
            "kibanaSavedObjectMeta",
            "optionsJSON",
            "panelsJSON",
            "refreshInterval",
            "timeFrom",
            "timeRestore",
            "timeTo",
            "version",
        ]
    ),
    "search": frozenset(
        ["title", "description", "hits", "kibanaSavedObjectMeta", "columns", "sort", "version"]
    ),
    "visualization": frozenset(
        [
            "title",
            "description",
            "kibanaSavedObjectMeta",
            "savedSearchRefName",
            "uiStateJSON",
            "version",
            "visState",
        ]
    ),
}
"""The mappings of Dashboards 2.19's saved objects; written down here apart from the validator's own list."""
KNOWN = {*STRICT, "index-pattern"}
Stored = dict[tuple[str, str], dict[str, Any]]


class DashboardsServer:
    """Listens on a port of 127.0.0.1 until it is closed."""

    def __init__(
        self, *, user: str = "", password: str = "", tls: ssl.SSLContext | None = None, base: str = ""
    ) -> None:
        self.user, self.password, self.base = user, password, base
        self.stored: Stored = {}
        self.settings: dict[str, Any] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.busy = 0
        """So many requests are answered with 503 first, as while it starts."""
        self.before_store: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda one: one
        """What is kept of an object; None loses it, though it is listed as a success."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}{base}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Status and JSON."""
        if self.busy:
            self.busy -= 1
            return 503, "OpenSearch Dashboards server is not ready yet"
        known = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if self.user and headers.get("authorization") != f"Basic {known}":
            return 401, {"statusCode": 401, "error": "Unauthorized", "message": "Authentication required"}
        if method == "POST" and "osd-xsrf" not in headers:
            return 400, {"statusCode": 400, "message": "Request must contain a osd-xsrf header."}
        if headers.get("content-encoding"):
            return 415, {"statusCode": 415, "message": "Unsupported Media Type"}
        parts = urlsplit(target)
        if not parts.path.startswith(self.base):
            return 404, {"statusCode": 404, "message": "Not Found"}
        match method, parts.path.removeprefix(self.base):
            case "POST", "/api/saved_objects/_import":
                return self._import(
                    headers, body, overwrite=parse_qs(parts.query).get("overwrite") == ["true"]
                )
            case "POST", "/api/saved_objects/_bulk_get":
                return 200, {"saved_objects": [self._get(one) for one in json.loads(body)]}
            case "GET", "/api/opensearch-dashboards/settings":
                return 200, {"settings": self.settings}
            case "POST", "/api/opensearch-dashboards/settings/defaultIndex":
                self.settings["defaultIndex"] = {"userValue": json.loads(body)["value"]}
                return 200, {"settings": self.settings}
            case _:
                return 404, {"statusCode": 404, "message": "Not Found"}

    def _get(self, asked: Mapping[str, str]) -> dict[str, Any]:
        found = self.stored.get((asked["type"], asked["id"]))
        if found is None:
            return {**asked, "error": {"statusCode": 404, "message": "Saved object not found"}}
        return {**found, "version": "WzEsMV0=", "updated_at": "2026-01-01T00:00:00.000Z"}

    def _import(self, headers: Mapping[str, str], body: bytes, *, overwrite: bool) -> tuple[int, Any]:
        head = f"content-type: {headers.get('content-type', '')}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        parts = list(form.iter_parts()) if form.is_multipart() else []
        if [part.get_param("name", header="content-disposition") for part in parts] != ["file"]:
            return 400, {"statusCode": 400, "message": "[request body.file]: expected value of type [Stream]"}
        if not str(parts[0].get_filename()).endswith(".ndjson"):
            return 400, {"statusCode": 400, "message": "Invalid file extension"}
        content = parts[0].get_payload(decode=True)
        assert isinstance(content, bytes)
        objects = [json.loads(line) for line in content.splitlines() if line]
        if any(one["type"] == "config" for one in objects):
            return 400, {"statusCode": 400, "message": "config objects cannot be imported"}
        if any("migrationVersion" in one for one in objects):
            return 422, {"statusCode": 422, "message": "it belongs to a more recent version"}
        return 200, self._result(objects, overwrite=overwrite)

    def _result(self, objects: list[dict[str, Any]], *, overwrite: bool) -> dict[str, Any]:
        there = {(one["type"], one["id"]) for one in objects} | set(self.stored)
        errors = [error for one in objects if (error := self._error(one, there, overwrite=overwrite))]
        failed = {(error["type"], error["id"]) for error in errors}
        good = [one for one in objects if (one["type"], one["id"]) not in failed]
        if not errors:  # one error, and nothing is stored; the others are listed as successes all the same
            for one in good:
                kept = self.before_store(copy.deepcopy(one))
                if kept is not None:
                    self.stored[one["type"], one["id"]] = {
                        **kept,
                        "migrationVersion": {one["type"]: "7.10.0"},
                    }
        result = {"success": not errors, "successCount": len(good)}
        listed = [{"type": one["type"], "id": one["id"]} for one in good]
        return {**result, "successResults": listed, **({"errors": errors} if errors else {})}

    def _error(
        self, one: dict[str, Any], there: set[tuple[str, str]], *, overwrite: bool
    ) -> dict[str, Any] | None:
        known = {"type": one["type"], "id": one["id"], "title": one["attributes"].get("title")}
        if one["type"] not in KNOWN:
            return {**known, "error": {"type": "unsupported_type"}}
        missing = [
            {"type": ref["type"], "id": ref["id"]}
            for ref in one["references"]
            if ref["type"] in ("index-pattern", "search") and (ref["type"], ref["id"]) not in there
        ]
        if missing:
            return {**known, "error": {"type": "missing_references", "references": missing}}
        unmapped = sorted(set(one["attributes"]) - STRICT.get(one["type"], frozenset(one["attributes"])))
        if unmapped:
            said = f"mapping set to strict, dynamic introduction of [{unmapped[0]}] within [{one['type']}] is not allowed"
            return {**known, "error": {"type": "unknown", "message": said, "statusCode": 400}}
        if not overwrite and (one["type"], one["id"]) in self.stored:
            return {**known, "error": {"type": "conflict"}}
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.asked.append((self.command, self.path, headers))
                body = self.rfile.read(int(headers.get("content-length", 0)))
                status, reply = owner.answer(self.command, self.path, headers, body)
                said = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = _do  # noqa: N815  # the base class's names

            def log_message(self, *_: object) -> None:
                """Nothing: the test looks at what was asked."""

        return Handler
