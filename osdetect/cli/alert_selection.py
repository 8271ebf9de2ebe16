"""Which alerts a command line means: by ids, or by conditions."""

import shlex
from collections.abc import Mapping, Sequence

from osdetect import alerts as triage
from osdetect.cli.times import instant
from osdetect.cluster import Cluster
from osdetect.errors import InputError, UsageError
from osdetect.vocabulary import Level

NOBODY = "nobody"
"""Stands for no assignee."""
KEYS = ("status", "min-level", "rule", "assignee", "account", "principal", "since", "until")
"""The conditions of a `--query`, which are also options of `alerts list`.

There it is `--level`; who closes alerts by a query must not take it for that level alone.
"""


def parsed(text: str) -> triage.Selection:
    """The selection of a `--query`.

    Raises:
        UsageError: it is none, or means every alert.

    >>> parsed("status=open,acknowledged rule='Root login'").rule
    'Root login'
    """
    said: dict[str, str] = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise _no_query(text, f"{error}") from None
    for word in words:
        key, equals, value = word.partition("=")
        if not (equals and value) or key not in KEYS:
            raise _no_query(text, f"{word!r} is no condition")
        if key in said:
            raise _no_query(text, f"{key} is there twice")
        said[key] = value
    if not said:
        raise _no_query(text, "it would mean every alert")
    return selection(said)


def selection(said: Mapping[str, str]) -> triage.Selection:
    """The selection that these conditions make; empty ones are none.

    Raises:
        UsageError: a status, level or time is none.
    """
    told = {key: said.get(key, "") for key in KEYS}
    statuses = tuple(told["status"].split(",")) if told["status"] else ()
    for status in statuses:
        _one_of(status, "status", [one.value for one in triage.Status])
    if told["min-level"]:
        _one_of(told["min-level"], "level", [one.value for one in Level])
    return triage.Selection(
        statuses=statuses,
        level=Level(told["min-level"]) if told["min-level"] else None,
        rule=told["rule"],
        assignee="" if told["assignee"] == NOBODY else told["assignee"],
        unassigned=told["assignee"] == NOBODY,
        account=told["account"],
        principal=told["principal"],
        since=_instant(told["since"], "--since"),
        until=_instant(told["until"], "--until"),
    )


def chosen(
    cluster: Cluster, namespace: str, asked: Sequence[str]
) -> tuple[list[triage.FoundAlert], list[InputError]]:
    """The alerts that these ids, or beginnings of ids, stand for; and an error for each that stands for none, or several."""
    good: dict[tuple[str, str], triage.FoundAlert] = {}
    bad: list[InputError] = []
    for text, found in triage.found_by_id(cluster, namespace, list(dict.fromkeys(asked))).items():
        if len(found) == 1:
            good[found[0].index, found[0].id] = found[0]
        elif found:
            listed = ", ".join(f"{one.id} ({one.source.get('rule', {}).get('name', '')})" for one in found)
            bad.append(
                InputError(f"{text!r} stands for several alerts", cause=listed, cure="give more of the id")
            )
        else:
            bad.append(
                InputError(
                    f"there is no alert {text!r} in the namespace {namespace}",
                    cure=f"give an id as `osdetect alerts list` shows it, {triage.SHORTEST_PREFIX} characters or more; or another --namespace",
                )
            )
    return list(good.values()), bad


def _instant(text: str, option: str) -> str:
    told = instant(text, option)
    return told.isoformat() if told else ""


def _one_of(text: str, what: str, known: Sequence[str]) -> None:
    if text not in known:
        raise UsageError(f"{text!r} is no {what}", cure=f"write one of {', '.join(known)}")


def _no_query(text: str, cause: str) -> UsageError:
    return UsageError(
        f"--query {text!r} cannot be used",
        cause=cause,
        cure=f"write conditions such as \"status=open rule='Root login'\"; there are {', '.join(KEYS)}",
    )
