"""Certificates for the secured variant, made anew at each start: an authority, the node's and the administrator's.

What the security plugin wants of them: OpenSearch documentation, "Configuring TLS certificates" (PEM, keys in
PKCS#8, a subject alternative name for the address) and "Configuring admin certificates".
"""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from osdetect.node.configure import LOOPBACK

NODE = "osdetect-node"
ADMIN = "osdetect-admin"
_AUTHORITY = "osdetect-authority"
_VALID = timedelta(days=366)
_SKEW = timedelta(hours=1)


class Pair(msgspec.Struct, frozen=True):
    """A certificate and its private key, as PEM."""

    certificate: bytes
    key: bytes


class Certificates(msgspec.Struct, frozen=True):
    """All that one node needs. The authority's key is not kept: nothing more can be signed."""

    authority: bytes
    node: Pair
    admin: Pair
    servers: tuple[Pair, ...] = ()
    """Of other servers beside the node, as they were asked for."""


def make_certificates(now: datetime, *, host: str = "localhost", servers: Sequence[str] = ()) -> Certificates:
    """New certificates, valid for a year from `now`.

    Args:
        now: when they begin.
        host: what the node is called by its clients, besides localhost.
        servers: host names of other servers that need one.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    issuer = _name(_AUTHORITY)
    authority = (
        _unsigned(issuer, issuer, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Certificates(
        authority.public_bytes(Encoding.PEM),
        _leaf(NODE, issuer, authority_key, now, host),
        _leaf(ADMIN, issuer, authority_key, now),
        tuple(_leaf(f"osdetect-{server}", issuer, authority_key, now, server) for server in servers),
    )


def _leaf(
    name: str,
    issuer: x509.Name,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    host: str = "localhost",
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    names = dict.fromkeys(("localhost", host))
    addresses = [x509.IPAddress(ipaddress.ip_address(LOOPBACK)), *map(x509.DNSName, names)]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _unsigned(_name(name), issuer, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _unsigned(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _VALID)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
