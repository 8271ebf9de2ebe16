"""Going back to a release that is kept: one request moves the alias, nothing is compiled or filled."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.deploy.expired import Expired, expired_exceptions
from osdetect.deploy.lock import deploy_lock, whoever
from osdetect.deploy.plan import RulePlan, compared
from osdetect.deploy.release import make_live
from osdetect.deploy.releases import (
    Kept,
    address,
    digest_of,
    kept_releases,
    named_by,
    require_live,
    sorted_json,
    stored_documents,
)
from osdetect.documents.dialect import RAW
from osdetect.documents.stored_rule import FORMAT
from osdetect.errors import ClusterRefused, InputError
from osdetect.vocabulary import RULES_PREFIX


class Rollback(msgspec.Struct, frozen=True):
    """What going back changes, or changed."""

    old: Kept
    """The release that is live before it."""
    new: Kept
    """The one that is live after it."""
    rules: tuple[RulePlan, ...]
    unchanged: int
    expired: tuple[Expired, ...]
    """Exceptions that the rules to come have and that do not apply any more."""


def planned_rollback(cluster: Cluster, *, steps: int = 1, to: str = "") -> Rollback:
    """What going back would change. Nothing is written.

    Args:
        cluster: where.
        steps: so many releases back, each the one that was live before the next.
        to: or to this release, by its name or the beginning of it, or its index.

    Raises:
        InputError: there is no such release.
        ClusterRefused: nothing is live, or the release cannot be made live.
        ClusterError: the releases cannot be read.
    """
    live, kept = require_live(cluster), kept_releases(cluster)
    target = _named(kept, to) if to else _back(kept, live, steps)
    _require_usable(target)
    documents = {key: sorted_json(source) for key, source in stored_documents(cluster, target.index)}
    _require_unedited(target, documents)
    rules, unchanged = compared(stored_documents(cluster, live.index), documents)
    expired = expired_exceptions(documents.items(), datetime.now(UTC).date())
    return Rollback(live, target, rules, unchanged, expired)


def roll_back(cluster: Cluster, *, steps: int = 1, to: str = "") -> Rollback:
    """Go back, and say what that changed. Arguments as in `planned_rollback`.

    Raises:
        ClusterBusy: a deploy is under way.
        InputError: there is no such release.
        ClusterRefused: nothing is live, or the release cannot be made live.
        ClusterError: the cluster went away; one of the two releases is live.
    """
    with deploy_lock(cluster) as lock:
        plan = planned_rollback(cluster, steps=steps, to=to)
        if plan.new.index == plan.old.index:
            return plan
        _remember(cluster, plan)
        lock.require()
        make_live(cluster, plan.new.index)
    return plan


def _named(kept: Sequence[Kept], to: str) -> Kept:
    wanted = to.removeprefix(RULES_PREFIX)
    found = [one for one in kept if wanted and one.name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    raise InputError(
        f"{len(found)} releases are called {to[:100]!r}" if found else f"no release is called {to[:100]!r}",
        cause=f"kept are {', '.join(one.name for one in kept)}",
        cure="see osdetect releases",
    )


def _back(kept: Sequence[Kept], live: Kept, steps: int) -> Kept:
    """The release so many steps back along what was live before what."""
    known = {one.index: one for one in kept}
    here = live
    for step in range(1, steps + 1):
        before = known.get(here.stamp.follows) if here.stamp.follows else _older(kept, here)
        if before is None:
            what = f"the release {here.name}" if step > 1 else "the live release"
            gone = f"{here.stamp.follows} is not kept any more" if here.stamp.follows else "it is the oldest"
            raise InputError(
                f"there is no release before {what}",
                cause=gone,
                cure="see osdetect releases; name one with --to, or deploy the rules from git",
            )
        here = before
    return here


def _older(kept: Sequence[Kept], here: Kept) -> Kept | None:
    """The one deployed last before it: of releases by an older osdetect, which do not say what they follow."""
    if here.stamp.at:
        return None
    return next((one for one in kept if one.at < here.at and one.complete), None)


def _require_usable(target: Kept) -> None:
    if not target.complete:
        raise ClusterRefused(
            f"the release {target.name} cannot be made live",
            cause="the deploy that made it did not come to its end",
            cure="deploy the rules again, or choose another one: osdetect releases",
        )
    if target.format != FORMAT or target.dialect is None:
        raise ClusterRefused(
            f"the release {target.name} cannot be made live",
            cause=f"its rules have the format {target.format}, this osdetect runs {FORMAT}",
            cure="deploy the rules again: osdetect deploy",
        )


def _require_unedited(target: Kept, documents: dict[str, bytes]) -> None:
    found = {key: digest_of(document) for key, document in documents.items()}
    if target.digests and found != target.digests:
        other = sorted(
            key for key in found.keys() | target.digests.keys() if found.get(key) != target.digests.get(key)
        )
        raise _edited(
            target,
            f"{len(other)} of its rules were edited, deleted or added in the cluster: {', '.join(other[:3])}",
        )
    whole = not target.refused and target.dialect is not None
    if whole and named_by(sorted(documents.items()), target.dialect or RAW, target.shards) != target.index:
        raise _edited(target, "its rules are not those that it is named by")


def _edited(target: Kept, cause: str) -> ClusterRefused:
    return ClusterRefused(
        f"the release {target.name} is not as it was deployed",
        cause=cause,
        cure="deploy the rules from git, or choose another one: osdetect releases",
    )


def _remember(cluster: Cluster, plan: Rollback) -> None:
    target = plan.new
    found = cluster.request("GET", f"{address(target.index)}/_mapping")
    meta: dict[str, Any] = found[target.index]["mappings"]["_meta"]
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    stamp = replace(target.stamp, back=f"{moment} by {whoever()} from {plan.old.name}")
    body = {"_meta": {**meta, "release": stamp.to_json()}}
    cluster.request("PUT", f"{address(target.index)}/_mapping", body=body)
