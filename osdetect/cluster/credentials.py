"""Who we are, as it goes with each request: user and password, a bearer token, or AWS's signature.

Each is asked anew for every request, so that a token's file may change while we run. None shows a secret in its
representation, and none goes through opensearch-py's own settings, which send passwords as Latin-1.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import msgspec

from osdetect.cluster.refusal import SIGNATURE
from osdetect.errors import ClusterRefused, UsageError

SERVICES = ("es", "aoss")
"""AWS's names of the service that a request is signed for: OpenSearch Service, and OpenSearch Serverless."""


@runtime_checkable
class Credentials(Protocol):
    """Gives the headers that say who we are."""

    @property
    def words(self) -> str:
        """What kind they are."""
        ...

    def __call__(self, method: str, url: str, body: Any) -> Mapping[str, str]:
        """The headers for one request."""
        ...


class Basic(msgspec.Struct, frozen=True):
    """A user name and a password (RFC 7617, in UTF-8)."""

    username: str
    password: Callable[[], str]

    @property
    def words(self) -> str:
        """What kind they are."""
        return "user name and password"

    def __call__(self, method: str, url: str, body: Any) -> Mapping[str, str]:
        """The headers for one request."""
        del method, url, body
        pair = b64encode(f"{self.username}:{self.password()}".encode()).decode()
        return {"authorization": f"Basic {pair}"}


class Bearer(msgspec.Struct, frozen=True):
    """A token (RFC 6750)."""

    token: Callable[[], str]

    @property
    def words(self) -> str:
        """What kind they are."""
        return "bearer token"

    def __call__(self, method: str, url: str, body: Any) -> Mapping[str, str]:
        """The headers for one request."""
        del method, url, body
        return {"authorization": f"Bearer {self.token()}"}


@dataclass(frozen=True, slots=True)
class Signed:
    """AWS Signature Version 4, by botocore.

    Not by opensearch-py's own signer: that one signs a space in a query as `+`, where AWS's rules want `%20`.
    """

    service: str
    region: str
    keys: Any = field(repr=False)
    """botocore's credentials; they renew themselves."""

    @property
    def words(self) -> str:
        """What kind they are."""
        return SIGNATURE

    def __call__(self, method: str, url: str, body: Any) -> Mapping[str, str]:
        """The headers for one request."""
        from botocore.auth import SigV4Auth  # noqa: PLC0415  # an extra, and slow
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        made: Any = AWSRequest  # botocore is untyped
        signing: Any = SigV4Auth
        request = made(method=method, url=url, data=body)
        try:
            signer = signing(self.keys.get_frozen_credentials(), self.service, self.region)
            request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
            signer.add_auth(request)
        except BotoCoreError as error:  # credentials that ran out, and cannot be renewed
            raise ClusterRefused(
                "the request cannot be signed for AWS",
                cause=f"{type(error).__name__}: {error}"[:300],
                cure="sign in to AWS again, or check OSDETECT_AWS_PROFILE",
            ) from None
        return dict(request.headers.items())


def signed(service: str, region: str, profile: str) -> Signed:
    """Signs for a service of AWS, with what AWS's own configuration says where nothing is given.

    Raises:
        UsageError: the extra is not installed, the service is none, or AWS's configuration gives no credentials or region.
    """
    if service not in SERVICES:
        raise UsageError(
            f"{service!r} is no service to sign for",
            cure=f"set OSDETECT_AWS_SERVICE to {' or '.join(SERVICES)}",
        )
    try:
        from boto3.session import Session  # noqa: PLC0415  # an extra, and slow
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError:
        raise UsageError(
            "signing for AWS needs packages that are not installed", cure="pip install 'osdetect[aws]'"
        ) from None
    made: Any = Session  # boto3 is untyped
    try:
        session = made(profile_name=profile or None, region_name=region or None)
        credentials, chosen = session.get_credentials(), session.region_name
    except BotoCoreError as error:
        raise UsageError(
            "AWS's configuration cannot be used", cause=str(error)[:300], cure="check OSDETECT_AWS_PROFILE"
        ) from None
    if credentials is None:
        raise UsageError(
            "there are no AWS credentials to sign with",
            cure="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or OSDETECT_AWS_PROFILE, or give the machine a role",
        )
    if not chosen:
        raise UsageError("the AWS region is not known", cure="set OSDETECT_AWS_REGION")
    return Signed(service, chosen, credentials)
