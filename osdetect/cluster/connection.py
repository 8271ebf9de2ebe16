"""Where the cluster is and who we are there: command line over `OSDETECT_*` environment variables."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from osdetect.errors import UsageError

_WHO = re.compile("//.*@")
"""Whatever in a URL may be a user and a password, also where the rest is no URL."""


class Connection(BaseSettings):
    """How to reach the cluster. Secrets come from the environment or a file, never from the command line.

    Each attribute is read from `OSDETECT_<NAME>` when it is not given, for example `OSDETECT_URL`.
    """

    model_config = SettingsConfigDict(env_prefix="OSDETECT_", frozen=True, extra="ignore")

    url: str = ""
    """For example https://search.example.org:9200; no credentials in it."""
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    """A file whose first line is the password; it wins over `password`."""
    ca_certs: Path | None = None
    """PEM file of the authorities that may sign the cluster's certificate; default: the system's."""
    client_cert: Path | None = None
    client_key: Path | None = None
    verify_tls: bool = True
    timeout_s: float = Field(default=60.0, gt=0)
    """How long one request may take, in seconds."""
    retry_for_s: float = Field(default=60.0, ge=0)
    """How long a request that fails in passing is repeated, in seconds; 0: not at all."""

    @staticmethod
    def from_environment(**given: object) -> "Connection":
        """The connection from what is `given` (None means not given) over the environment.

        Raises:
            UsageError: a value cannot be used, or the URL is missing or carries credentials.
        """
        try:
            made = Connection(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks the types
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'setting'}: {e['msg']}" for e in error.errors()
            )
            raise UsageError(
                "a connection setting cannot be used", cause=problems, cure="see docs/settings.md"
            ) from None
        made.check_url()
        made.check_files()
        return made

    def check_url(self) -> None:
        """Refuse a URL that cannot be used.

        Raises:
            UsageError: no URL, another scheme than http or https, no host, a bad port, or credentials in it.
        """
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise UsageError(
                f"{_WHO.sub('//...@', self.url)!r} is not the URL of a cluster",
                cure="give --url https://HOST:PORT, or start the embedded node: osdetect node up",
            )
        if parts.username or parts.password:
            raise UsageError(
                "the cluster's URL carries credentials",
                cause="it would show in process lists and logs",
                cure="put them into OSDETECT_USERNAME and OSDETECT_PASSWORD_FILE (or OSDETECT_PASSWORD)",
            )

    def check_files(self) -> None:
        """Refuse a certificate or key that is not there, before a connection fails for it again and again.

        Raises:
            UsageError: one of them cannot be read.
        """
        for name in ("ca_certs", "client_cert", "client_key"):
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

    @property
    def sent(self) -> str:
        """What kind of credentials goes with each request, in words; empty: none."""
        if self.username:
            return "user name and password"
        return "client certificate" if self.client_cert else ""

    def secret(self) -> str:
        """The password, from the file if one is named.

        Raises:
            UsageError: the file cannot be read.
        """
        if self.password_file is None:
            return self.password.get_secret_value()
        try:
            return self.password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"the password file {self.password_file} cannot be read",
                cause=str(error),
                cure="check OSDETECT_PASSWORD_FILE",
            ) from None
