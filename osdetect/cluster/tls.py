"""TLS as the settings want it: whom we trust, and the certificate that we show; the same for the cluster and for Dashboards."""

import ssl

from osdetect.cluster.connection import Connection
from osdetect.errors import UsageError

_OURS = "a certificate or key file of ours cannot be used"


def tls_context(connection: Connection) -> ssl.SSLContext:
    """What a TLS connection is made with.

    Raises:
        UsageError: a certificate or key cannot be used, or the key is encrypted and its password wrong or not known.
    """
    try:
        made = ssl.create_default_context(cafile=str(connection.ca_certs) if connection.ca_certs else None)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(
            f"the file {connection.ca_certs} holds no certificate of an authority",
            cause=str(error),
            cure="name a PEM file in OSDETECT_CA_CERTS or --ca-certs",
        ) from None
    if connection.client_cert:
        _show_certificate(made, connection)
    if not connection.verify_tls:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


class _NotKnownError(Exception):
    """The key is encrypted, and nobody named its password. OpenSSL would ask at the terminal."""


def _show_certificate(made: ssl.SSLContext, connection: Connection) -> None:
    assert connection.client_cert is not None
    known = connection.client_key_password
    try:
        made.load_cert_chain(connection.client_cert, connection.client_key, known or _not_known)
    except _NotKnownError:
        raise UsageError(
            _OURS,
            cause=f"the key in {connection.client_key or connection.client_cert} is encrypted",
            cure="name the file that holds its password in OSDETECT_CLIENT_KEY_PASSWORD_FILE",
        ) from None
    except OSError as error:
        cure = "check OSDETECT_CLIENT_CERT and OSDETECT_CLIENT_KEY: PEM files that belong together"
        raise UsageError(
            _OURS,
            cause=str(error),
            cure=f"{cure}; and OSDETECT_CLIENT_KEY_PASSWORD_FILE" if known else cure,
        ) from None


def _not_known() -> str:
    raise _NotKnownError
