"""The company's ordinary work, as a weighted table of calls.

None of it is meant to make a rule of the project fire: a match in the background is a false positive of ours.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import assert_never

from osdetect.scenario.call import Call, Json
from osdetect.scenario.cast import (
    GLOBAL_REGION,
    MAIN_ACCOUNT,
    REGIONS,
    SHOP_ACCOUNT,
    AwsService,
    FederatedUser,
    IamUser,
    NobodyKnown,
    Principal,
    RoleSession,
    RootUser,
    Visitor,
)
from osdetect.scenario.records import Place, record
from osdetect.scenario.routine import ROUTINE, Activity

_SECONDS_A_DAY = 86_400
_OFFICE_HOURS = (7 * 3600, 18 * 3600)
_OFFICE_SHARE = 0.7
"""The share of calls that falls into office hours; the rest spreads over the day."""
_HOME_SHARE = 0.8
"""The share of calls of regional services that goes to the region where most of the company runs."""


def background(
    count: int, *, start: datetime, days: int, rng: Random
) -> Iterator[tuple[datetime, dict[str, Json]]]:
    """`count` records of ordinary work in the `days` days from `start`, with their moments, oldest first."""
    weights = [activity.weight for activity in ROUTINE]
    offsets = sorted(_offset(rng, days) for _ in range(count))
    activities = rng.choices(ROUTINE, weights=weights, k=count)
    for offset, activity in zip(offsets, activities, strict=True):
        at = start + timedelta(seconds=offset)
        actor = rng.choice(activity.actors)
        place = Place(_account(actor.principal, rng), _region(activity, rng))
        yield at, record(_call(activity, rng), actor, place, at, rng)


def _offset(rng: Random, days: int) -> int:
    day = rng.randrange(days) * _SECONDS_A_DAY
    if rng.random() < _OFFICE_SHARE:
        return day + rng.randrange(*_OFFICE_HOURS)
    return day + rng.randrange(_SECONDS_A_DAY)


def _call(activity: Activity, rng: Random) -> Call:
    return activity.calls[0] if len(activity.calls) == 1 else rng.choice(activity.calls)


def _region(activity: Activity, rng: Random) -> str:
    if activity.is_global or rng.random() < _HOME_SHARE:
        return GLOBAL_REGION
    return rng.choice(REGIONS)


def _account(principal: Principal, rng: Random) -> str:
    match principal:
        case (
            IamUser(account=account)
            | RoleSession(account=account)
            | RootUser(account=account)
            | NobodyKnown(account=account)
            | Visitor(account=account)
        ):
            return account
        case FederatedUser(issuer=issuer):
            return issuer.account
        case AwsService():
            return rng.choice((MAIN_ACCOUNT, SHOP_ACCOUNT))
        case _:
            assert_never(principal)
