"""The userIdentity element of a record.

Source: AWS CloudTrail user guide, "CloudTrail userIdentity element".
"""

from datetime import datetime, timedelta
from typing import assert_never

from osdetect.scenario.call import Json
from osdetect.scenario.cast import (
    Actor,
    AwsService,
    FederatedUser,
    IamUser,
    NobodyKnown,
    Principal,
    RoleSession,
    RootUser,
    Visitor,
)

_SESSION_AGE = timedelta(minutes=25)
"""Sessions are recorded as begun this long before the call; ordinary for sessions of an hour."""
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


def utc_text(moment: datetime) -> str:
    """A moment as CloudTrail writes it: 2026-03-02T09:15:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def arn_of(principal: Principal) -> str:
    """The principal's ARN; empty for those that have none."""
    match principal:
        case IamUser(name=name, account=account):
            return f"arn:aws:iam::{account}:user/{name}"
        case RoleSession(role=role, session=session, account=account):
            return f"arn:aws:sts::{account}:assumed-role/{role}/{session}"
        case FederatedUser(name=name, issuer=issuer):
            return f"arn:aws:sts::{issuer.account}:federated-user/{name}"
        case RootUser(account=account):
            return f"arn:aws:iam::{account}:root"
        case AwsService() | NobodyKnown() | Visitor():
            return ""
        case _:
            assert_never(principal)


def identity(actor: Actor, at: datetime, *, signing_in: bool) -> dict[str, Json]:
    """The userIdentity of a call made at `at`; a sign-in (`signing_in`) has no session and no key yet."""
    principal = actor.principal
    match principal:
        case IamUser():
            return _user(principal, at, signing_in=signing_in)
        case RoleSession():
            return _role(principal, at)
        case FederatedUser():
            return _federated(principal, at)
        case AwsService(host=host):
            return {"type": "AWSService", "invokedBy": host}
        case RootUser():
            return _root(principal, at)
        case NobodyKnown(account=account):
            return {"type": "IAMUser", "accountId": account, "accessKeyId": "", "userName": _HIDDEN}
        case Visitor():
            return _visitor(principal)
        case _:
            assert_never(principal)


def _attributes(at: datetime, *, mfa: bool) -> dict[str, Json]:
    return {"creationDate": utc_text(at - _SESSION_AGE), "mfaAuthenticated": "true" if mfa else "false"}


def _user(user: IamUser, at: datetime, *, signing_in: bool) -> dict[str, Json]:
    element: dict[str, Json] = {
        "type": "IAMUser",
        "principalId": user.user_id,
        "arn": arn_of(user),
        "accountId": user.account,
    }
    if not signing_in:
        element["accessKeyId"] = user.key
    element["userName"] = user.name
    if user.in_console and not signing_in:
        element["sessionContext"] = {"attributes": _attributes(at, mfa=user.mfa)}
    return element


def _role(session: RoleSession, at: datetime) -> dict[str, Json]:
    context: dict[str, Json] = {
        "sessionIssuer": {
            "type": "Role",
            "principalId": session.role_id,
            "arn": f"arn:aws:iam::{session.account}:role{session.path}{session.role}",
            "accountId": session.account,
            "userName": session.role,
        },
        "attributes": _attributes(at, mfa=session.mfa),
    }
    if session.from_instance:
        context["ec2RoleDelivery"] = "2.0"
    return {
        "type": "AssumedRole",
        "principalId": f"{session.role_id}:{session.session}",
        "arn": arn_of(session),
        "accountId": session.account,
        "accessKeyId": session.key,
        "sessionContext": context,
    }


def _federated(session: FederatedUser, at: datetime) -> dict[str, Json]:
    issuer = session.issuer
    return {
        "type": "FederatedUser",
        "principalId": f"{issuer.account}:{session.name}",
        "arn": arn_of(session),
        "accountId": issuer.account,
        "accessKeyId": session.key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "IAMUser",
                "principalId": issuer.user_id,
                "arn": arn_of(issuer),
                "accountId": issuer.account,
                "userName": issuer.name,
            },
            "attributes": _attributes(at, mfa=False),
        },
    }


def _root(root: RootUser, at: datetime) -> dict[str, Json]:
    element: dict[str, Json] = {
        "type": "Root",
        "principalId": root.account,
        "arn": arn_of(root),
        "accountId": root.account,
        "accessKeyId": root.key,
    }
    if root.key:
        element["sessionContext"] = {"attributes": _attributes(at, mfa=False)}
    return element


def _visitor(visitor: Visitor) -> dict[str, Json]:
    return {
        "type": visitor.kind,
        "principalId": f"{visitor.provider}:{visitor.name}",
        "userName": visitor.name,
        "identityProvider": visitor.provider,
    }
