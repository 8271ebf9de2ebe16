"""An attempt ends in time, whatever the receiver does and whenever it does it."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from osdetect.notify.in_time import InTime
from osdetect.notify.message import trial
from osdetect.notify.outcome import Later
from osdetect.notify.post import Receiver, _connection
from osdetect.notify.senders import sender
from osdetect.notify.settings import AnyChannel, Mail, Webhook

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT_S = 0.6
PART_S = 0.4
"""Two of them are more than the limit, one is less."""
DRIPS_S = 4.0
"""How long a receiver drips; who waits for its end was not in time."""


def _drip(taken: socket.socket) -> None:
    end = time.monotonic() + DRIPS_S
    while time.monotonic() < end:
        taken.sendall(b"2")
        time.sleep(0.05)


def _outcome_in_time(channel: AnyChannel) -> None:
    started = time.monotonic()
    assert isinstance(sender("soc", channel, lambda: NOW)(trial("soc", "t", NOW)), Later)
    assert time.monotonic() - started < DRIPS_S / 2


class _Dripping:
    """A receiver of one connection; `talk` is what it says before it drips, and gives what to drip on."""

    def __init__(self, talk: Callable[[socket.socket], socket.socket]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._talk = talk

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self.port)

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        taken, _ = self._listening.accept()
        try:
            with taken, self._talk(taken) as spoken:
                _drip(spoken)
        except OSError:
            return


def _mail(port: int, tls: str, **more: Any) -> Mail:
    made = {"host": "127.0.0.1", "port": port, "tls": tls, "timeout_s": LIMIT_S, **more}
    return Mail(sender="osdetect@example.org", to=("kim@example.org",), **made)


def _hook(port: int, scheme: str = "http", **more: Any) -> Webhook:
    return Webhook(url=f"{scheme}://127.0.0.1:{port}/", timeout_s=LIMIT_S, **more)


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Looking up a name takes so long."""
    look_up = socket.getaddrinfo

    def slowed(seconds: float) -> None:
        def slow(*given: Any, **named: Any) -> Any:
            time.sleep(seconds)
            return look_up(*given, **named)

        monkeypatch.setattr(socket, "getaddrinfo", slow)

    return slowed


@pytest.mark.parametrize("kind", [_hook, lambda port: _mail(port, "none")])
def test_time_that_is_over_before_there_is_a_connection(
    kind: Callable[[int], AnyChannel], slow_names: Callable[[float], None]
) -> None:
    slow_names(LIMIT_S + 0.1)
    with _Dripping(lambda taken: taken) as port:
        _outcome_in_time(kind(port))


@pytest.mark.parametrize("kind", ["webhook", "implicit"])
def test_time_that_is_over_while_hands_are_shaken(
    kind: str, slow_names: Callable[[float], None], context: ssl.SSLContext, tmp_path: Path
) -> None:
    def talk(taken: socket.socket) -> socket.socket:
        time.sleep(PART_S)
        return context.wrap_socket(taken, server_side=True)

    slow_names(PART_S)
    pem = str(tmp_path / "certificate.pem")
    with _Dripping(talk) as port:
        _outcome_in_time(
            _hook(port, "https", ca_file=pem) if kind == "webhook" else _mail(port, kind, ca_file=pem)
        )


def test_time_that_is_over_behind_starttls(context: ssl.SSLContext, tmp_path: Path) -> None:
    def talk(taken: socket.socket) -> socket.socket:
        taken.sendall(b"220 here\r\n")
        taken.recv(1_000)
        time.sleep(PART_S)
        taken.sendall(b"250-here\r\n250 STARTTLS\r\n")
        taken.recv(1_000)
        taken.sendall(b"220 go on\r\n")
        time.sleep(PART_S)
        return context.wrap_socket(taken, server_side=True)

    with _Dripping(talk) as port:
        _outcome_in_time(_mail(port, "starttls", ca_file=str(tmp_path / "certificate.pem")))


def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent, socket.create_server(("127.0.0.1", 0)) as there:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        waiting = [
            socket.socket() for _ in range(3)
        ]  # more than it lets wait: whoever comes now hears nothing
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(silent.getsockname())
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", one.getsockname()) for one in (silent, there)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with InTime(1.0) as in_time, in_time.dial("host.example", 1) as made:
            assert made.getpeername() == there.getsockname()
        for one in waiting:
            one.close()


def test_an_ipv6_address_keeps_its_port() -> None:
    for url, port in (("http://[::1]/x", 80), ("https://[::1]/x", 443), ("http://[::1]:8080/x", 8080)):
        made = _connection(Receiver(url, 1.0))
        assert (made.host, made.port) == ("::1", port)
