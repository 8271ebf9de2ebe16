"""A whole CloudTrail record from a call, a caller, a place and a moment.

Source: AWS CloudTrail user guide, "CloudTrail record contents for management, data, and network activity events".
"""

from datetime import datetime
from random import Random

import msgspec

from osdetect.scenario.call import Call, Json
from osdetect.scenario.cast import Actor, AwsService, IamUser
from osdetect.scenario.identities import arn_of, identity, utc_text
from osdetect.scenario.placeholders import fill_object, uuid4

EVENT_VERSION = "1.11"
SIGN_IN = "ConsoleLogin"
API_CALL = "AwsApiCall"
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
_ENCODED = frozenset({"Client.UnauthorizedOperation"})


class Place(msgspec.Struct, frozen=True):
    """Where a call was recorded."""

    account: str
    region: str


def record(call: Call, actor: Actor, place: Place, at: datetime, rng: Random) -> dict[str, Json]:
    """The record of `call` made by `actor` in `place` at `at` (UTC); varying parts are drawn from `rng`."""
    address, agent = rng.choice(actor.addresses), rng.choice(actor.agents)
    kind = _kind(call)
    body = _body(call, place, rng)
    made: dict[str, Json] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": identity(actor, at, signing_in=call.name == SIGN_IN),
        "eventTime": utc_text(at),
        "eventSource": call.source,
        "eventName": call.name,
        "awsRegion": place.region,
        "sourceIPAddress": address,
        "userAgent": f"[{agent}]" if call.service == "s3" else agent,
        **_failure(call, actor),
        "requestParameters": body.pop("parameters"),
        "responseElements": body.pop("response"),
        **body,
    }
    if kind == API_CALL:
        made["requestID"] = uuid4(rng)
    made |= {
        "eventID": uuid4(rng),
        "readOnly": call.read_only,
        "eventType": kind,
        "managementEvent": not call.data_event,
        "recipientAccountId": place.account,
        "eventCategory": "Data" if call.data_event else "Management",
    }
    return made | _connection(call, actor, place)


def _kind(call: Call) -> str:
    """The record's eventType."""
    if call.told_by_service:
        return "AwsServiceEvent"
    return "AwsConsoleSignIn" if call.service == "signin" else API_CALL


def _body(call: Call, place: Place, rng: Random) -> dict[str, Json]:
    """Request, response and further elements, with placeholders drawn once for all three."""
    whole = {"parameters": call.parameters, "response": call.response, **call.extra}
    return fill_object(whole, rng, {"account": place.account, "region": place.region})


def _failure(call: Call, actor: Actor) -> dict[str, Json]:
    if not call.error:
        return {"errorMessage": call.message} if call.message else {}
    return {"errorCode": call.error, "errorMessage": call.message or _refusal(call, actor)}


def _refusal(call: Call, actor: Actor) -> str:
    if call.error in _ENCODED:
        return "You are not authorized to perform this operation."
    if call.error in _DENIED:
        action = f"{call.service}:{call.name}"
        return (
            f"User: {arn_of(actor.principal)} is not authorized to perform: {action} "
            f"because no identity-based policy allows the {action} action"
        )
    return f"{call.name} failed with {call.error}"


def _connection(call: Call, actor: Actor, place: Place) -> dict[str, Json]:
    """TLS details, which calls between AWS services lack, and the mark of a console session."""
    principal = actor.principal
    if isinstance(principal, AwsService) or actor.addresses[0].endswith(".amazonaws.com"):
        return {}
    made: dict[str, Json] = {
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{call.service}.{place.region}.amazonaws.com",
        }
    }
    if isinstance(principal, IamUser) and principal.in_console and call.name != SIGN_IN:
        made["sessionCredentialFromConsole"] = "true"
    return made
