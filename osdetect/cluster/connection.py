"""Where the cluster is and who we are there, out of the settings."""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from osdetect.cluster.credentials import Credentials
from osdetect.cluster.identity import ASKED, identity
from osdetect.errors import UsageError
from osdetect.settings.layers import layers

_WHO = re.compile(".*@", re.DOTALL)
"""Whatever in a URL may be a user and a password, also where the rest is no URL."""
_HOST = re.compile(r"[\w:.%-]*:[\w:.%-]*|[\w-]{1,63}(\.[\w-]{1,63})*\.?")
"""An address of IPv6, or a name or address whose parts are neither empty nor too long."""
_LONGEST_S = 86_400
_FILES = ("ca_certs", "client_cert", "client_key")
_PLAIN = ("timeout_s", "retry_for_s")


class Connection(BaseModel):
    """How to reach the cluster, and as whom."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    url: str = ""
    """For example https://search.example.org:9200; no credentials in it."""
    credentials: Credentials | None = Field(default=None, repr=False, exclude=True)
    """Who we are; None: nobody, or whom the client certificate says."""
    ca_certs: Path | None = None
    """PEM file of the authorities that may sign the cluster's certificate; default: the system's."""
    client_cert: Path | None = None
    client_key: Path | None = None
    client_key_password: Callable[[], str] | None = Field(default=None, repr=False, exclude=True)
    """Of the key, if it is encrypted."""
    verify_tls: bool = True
    """False only when the command line says so."""
    timeout_s: float = Field(default=60.0, gt=0, le=_LONGEST_S)
    """How long one request may take, in seconds."""
    retry_for_s: float = Field(default=60.0, ge=0, le=_LONGEST_S)
    """How long a request that fails in passing is repeated, in seconds; 0: not at all."""
    notes: tuple[str, ...] = ()
    """What the user should know: a secret that everybody can read, credentials that were left out."""

    @staticmethod
    def from_settings(
        *,
        url: str | None = None,
        ca_certs: Path | None = None,
        verify_tls: bool = True,
        username: str | None = None,
        password: str | None = None,
        timeout_s: float | None = None,
        retry_for_s: float | None = None,
    ) -> "Connection":
        """The connection from what is given (None means not given) over the settings.

        Raises:
            UsageError: a value cannot be used, the URL is missing or carries credentials, or a secret would go astray.
        """
        given: dict[str, object] = {
            "url": url,
            "ca_certs": ca_certs,
            "username": username,
            "password": password,
            "timeout_s": timeout_s,
            "retry_for_s": retry_for_s,
        }
        held = layers()
        found = {name: held.find(name, given.get(name)) for name in ("url", "ca_certs", *ASKED, *_PLAIN)}
        _check_url(found["url"].value)
        who = identity(held, found)
        values: dict[str, Any] = {name: found[name].value for name in ("url", *_PLAIN) if found[name]}
        files = {"ca_certs": found["ca_certs"], **who.files}
        values |= {name: Path(file.value) for name, file in files.items() if file}
        try:
            made = Connection(
                **values,
                verify_tls=verify_tls,
                credentials=who.credentials,
                client_key_password=who.key_password,
                notes=who.notes,
            )
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'setting'}: {e['msg']}" for e in error.errors()
            )
            raise UsageError(
                "a connection setting cannot be used", cause=problems, cure="see docs/settings.md"
            ) from None
        made._check_files()
        made._check_plain()
        return made

    @property
    def sent(self) -> str:
        """What kind of credentials goes with each request, in words; empty: none."""
        if self.credentials is not None:
            return self.credentials.words
        return "client certificate" if self.client_cert else ""

    def _check_files(self) -> None:
        """Refuse a certificate or key that is not there, before a connection fails for it again and again."""
        for name in _FILES:
            file: Path | None = getattr(self, name)
            if file is None:
                continue
            try:
                file.open("rb").close()
            except OSError as error:
                raise UsageError(
                    f"the file {file} cannot be read",
                    cause=error.strerror or str(error),
                    cure=f"check OSDETECT_{name.upper()}" + (" or --ca-certs" if name == "ca_certs" else ""),
                ) from None

    def _check_plain(self) -> None:
        """Refuse to send a secret where everybody on the way can read it."""
        if not self.url.lower().startswith("http:") or self.credentials is None or not self.verify_tls:
            return
        if not _on_this_machine(urlsplit(self.url).hostname or ""):
            raise UsageError(
                f"no {self.credentials.words} is sent to {self.url}: it is not encrypted",
                cause="anyone on the way could read it",
                cure="use https://, or --insecure-skip-tls-verify if nobody else is on the way",
            )


def _check_url(url: str) -> None:
    """Refuse a URL that cannot be used: no URL, another scheme than http or https, no host, a bad port, credentials."""
    try:
        parts = urlsplit(url)
        host = bool(_HOST.fullmatch(parts.hostname or ""))
        usable = parts.scheme in ("http", "https") and host and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            f"{_WHO.sub('...@', url)!r} is not the URL of a cluster",
            cure="give --url https://HOST:PORT, or start the embedded node: osdetect node up",
        )
    if parts.username or parts.password:
        raise UsageError(
            "the cluster's URL carries credentials",
            cause="it would show in process lists and logs",
            cure="put them into OSDETECT_USERNAME and OSDETECT_PASSWORD_FILE (or OSDETECT_PASSWORD)",
        )


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
