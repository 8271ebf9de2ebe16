"""A mail server on this machine, which answers as it is told and keeps what it got."""

import socket
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd import controller, smtp


class Mailbox:
    """An SMTP server's handler that keeps what it gets."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse: dict[str, str] = {}
        self.raw: list[bytes] = []
        self.encrypted: list[bool] = []
        self.farewell = "221 Bye"

    async def handle_RCPT(  # noqa: N802  # as aiosmtpd names it
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.raw.append(envelope.content)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.encrypted.append(
            session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None
        )
        return "250 OK"

    async def handle_QUIT(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        return self.farewell


class Controller(controller.Controller):
    """On any free port."""

    def __init__(self, handler: Mailbox, context: ssl.SSLContext | None, **more: Any) -> None:
        super().__init__(handler, hostname="127.0.0.1", port=free_port(), **more)
        self._context = context

    def _trigger_server(self) -> None:
        """Connect, so that `start` sees a server: theirs does not trust our certificate."""
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((self.hostname, self.port), timeout=5) as taken:
            if self.ssl_context is None:
                assert taken.recv(100)
                return
            with trusting.wrap_socket(taken) as spoken:
                assert spoken.recv(100)

    def factory(self) -> smtp.SMTP:
        return smtp.SMTP(self.handler, tls_context=self._context, hostname="127.0.0.1")


def free_port() -> int:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return int(reserved.getsockname()[1])
