"""Who we are is refused, or what we may do, or who the cluster is: each told with its cause and its cure."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

import msgspec

from osdetect.errors import ClusterRefused
from osdetect.schema.roles import shipped_roles

_MISSING = re.compile(r"no permissions for \[([^\]]*)\]")
_USER = re.compile(r"User \[name=(.*?), backend_roles=")
SIGNATURE = "AWS signature"
"""What kind of credentials these are, in words."""
_CURE_401 = {
    "user name and password": "check OSDETECT_USERNAME and OSDETECT_PASSWORD_FILE (or OSDETECT_PASSWORD)",
    "bearer token": "check OSDETECT_TOKEN_FILE (or OSDETECT_TOKEN): it may be expired, or of another issuer",
    SIGNATURE: "check the AWS credentials, OSDETECT_AWS_REGION and OSDETECT_AWS_SERVICE, and this machine's clock",
    "client certificate": "check OSDETECT_CLIENT_CERT: the cluster knows no user for its subject, or wants a password too",
    "": "give credentials: OSDETECT_USERNAME with OSDETECT_PASSWORD_FILE, or another way of docs/security.md",
}


def unauthorized(reason: str, asked: str, sent: str) -> ClusterRefused:
    """The error for 401; `sent` says in words what credentials were sent."""
    said = f"the cluster does not accept this {sent}" if sent else "the cluster wants to know who this is"
    meant = (
        "what was sent is wrong, expired, or of a user that it does not know" if sent else "nothing was sent"
    )
    cause = f"it answered 401: {reason or meant}"
    return ClusterRefused(f"{said} ({asked})", cause=cause, cure=_CURE_401[sent], status=401)


_UNSIGNED = (
    (
        "Signature expired|Signature not yet current|RequestTimeTooSkewed|RequestExpired",
        "the clock of this machine is wrong",
        "set this machine's clock: AWS takes signatures that are at most five minutes off",
    ),
    (
        "security token included in the request is expired|ExpiredToken",
        "the AWS credentials have expired",
        "sign in to AWS again, or check OSDETECT_AWS_PROFILE and AWS_SESSION_TOKEN",
    ),
    (
        "security token included in the request is invalid|UnrecognizedClient|InvalidClientTokenId",
        "AWS does not know these credentials",
        "check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN, or OSDETECT_AWS_PROFILE",
    ),
    (
        "Credential should be scoped to",
        "the request is signed for another region or service",
        "check OSDETECT_AWS_REGION and OSDETECT_AWS_SERVICE: they must be those of the domain",
    ),
    (
        "signature we calculated does not match|SignatureDoesNotMatch|InvalidSignature|IncompleteSignature",
        "AWS does not accept the signature",
        "check AWS_SECRET_ACCESS_KEY, and that nothing on the way changes requests or the host's name",
    ),
    (
        "is not authorized to perform: (es|aoss):",
        "AWS's policies do not let this identity in",
        "allow it es:ESHttp* in the domain's access policy and its own",
    ),
)
"""What AWS says with 403 of who we are, what it means, and what to do."""


def unsigned(reason: str, asked: str) -> ClusterRefused | None:
    """The error for AWS's 403 about a signature or an identity; None when it is about a right in the cluster."""
    for pattern, means, cure in _UNSIGNED:
        if re.search(pattern, reason, re.IGNORECASE):
            return ClusterRefused(f"{means} ({asked})", cause=reason, cure=cure, status=403)
    return None


class Forbidden(msgspec.Struct, frozen=True):
    """What OpenSearch's security plugin says when it refuses a request."""

    actions: tuple[str, ...]
    user: str


def forbidden_of(reason: str) -> Forbidden:
    """The actions and the user in the plugin's words.

    >>> forbidden_of("no permissions for [indices:data/read/get] and User [name=viewer, backend_roles=[], ...]")
    Forbidden(actions=('indices:data/read/get',), user='viewer')
    """
    missing, user = _MISSING.search(reason), _USER.search(reason)
    actions = tuple(word.strip() for word in missing[1].split(",")) if missing else ()
    return Forbidden(tuple(word for word in actions if word), user[1] if user else "")


def forbidden(reason: str, asked: str) -> ClusterRefused:
    """The error for 403: the missing right, who lacks it, and which of our roles has it."""
    found = forbidden_of(reason)
    if not found.actions:
        return ClusterRefused(
            f"the cluster forbids this to this user ({asked})",
            cause=reason,
            cure="give this user the right that the message names, or use another user",
            status=403,
        )
    who = f"the user {found.user}" if found.user else "this user"
    return ClusterRefused(
        f"{who} lacks the right {' and '.join(found.actions)} ({asked})",
        cause=reason,
        cure=_cure(found.actions, asked),
        status=403,
    )


def _cure(actions: Sequence[str], asked: str) -> str:
    index = _index_of(asked)
    able = [role.name for role in shipped_roles() if all(role.allows(one, index) for one in actions)]
    if not able:
        return "none of osdetect's roles has that right: use an administrator, or give this user the right"
    return (
        f"use a user with the role {' or '.join(able)}, or give this user that role: osdetect security apply"
    )


def _index_of(asked: str) -> str:
    """The first index in a method and path; empty when the path names none."""
    path = unquote(asked.partition(" ")[2]).lstrip("/")
    first = path.partition("/")[0].partition(",")[0]
    return "" if first.startswith("_") else first


_CERTIFICATE = (
    (
        "certificate has expired",
        "{whose}'s certificate has expired",
        "renew the certificate of {url}, and check this machine's clock",
    ),
    (
        "certificate is not yet valid",
        "{whose}'s certificate is not valid yet",
        "check this machine's clock, and the certificate of {url}",
    ),
    (
        r"Hostname mismatch|IP address mismatch|doesn't match|is not valid for",
        "{whose}'s certificate is for another host name",
        "name the host in the URL as the certificate does, or put this name into the certificate",
    ),
    (
        "unable to get (local )?issuer|self.signed certificate|certificate signature failure|unknown ca",
        "{whose}'s certificate is signed by no authority that is trusted here",
        "name the authority's certificate in OSDETECT_CA_CERTS or --ca-certs",
    ),
    (
        "alert (certificate|bad certificate|unknown ca)|certificate required",
        "{whose} does not accept our client certificate",
        "check OSDETECT_CLIENT_CERT and OSDETECT_CLIENT_KEY, or that {whose} trusts who signed it",
    ),
    (
        "PEM lib|no start line|key values mismatch|KEY_VALUES_MISMATCH",
        "a certificate or key file of ours cannot be used",
        "check OSDETECT_CLIENT_CERT and OSDETECT_CLIENT_KEY: PEM files that belong together",
    ),
    (
        "WRONG_VERSION_NUMBER|wrong version number|record layer failure|unknown protocol|HTTP_REQUEST",
        "what answers does not speak TLS",
        "check the URL: http:// instead of https://, if {whose} has no TLS",
    ),
)
"""What Python's ssl says, what it means, and what to do."""


_PASSING_TLS = re.compile("EOF occurred|UNEXPECTED_EOF|ZERO_RETURN|closed \\(EOF\\)|timed out", re.IGNORECASE)


def passing_tls(said: str) -> bool:
    """Whether what Python's ssl says is of a connection that broke, as when a server goes down, and not of trust.

    >>> passing_tls("EOF occurred in violation of protocol (_ssl.c:1000)")
    True
    """
    return bool(_PASSING_TLS.search(said))


def certificate_refused(said: str, url: str, whose: str = "the cluster") -> ClusterRefused:
    """The error for a TLS connection that was not made; `whose` says what is at the URL."""
    for pattern, means, cure in _CERTIFICATE:
        if re.search(pattern, said, re.IGNORECASE):
            return ClusterRefused(
                f"no trusted TLS connection to {url}: {means.format(whose=whose)}",
                cause=said,
                cure=cure.format(url=url, whose=whose),
            )
    return ClusterRefused(
        f"no trusted TLS connection to {url}",
        cause=said,
        cure="name the authority's certificate in OSDETECT_CA_CERTS, and the host as the certificate does",
    )
