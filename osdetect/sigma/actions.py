"""`action: global`, `reset` and `repeat`: how files of several documents shared words before Sigma 2 dropped them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from osdetect.errors import RuleError
from osdetect.sigma.yaml_text import Document, Path, Position

_ACTIONS = ("global", "repeat", "reset")
MAX_SHARED = 10_000
"""Nodes that a file may come to by sharing; a few lines repeated 500 times could be millions."""


def with_actions(
    documents: Iterable[Document | RuleError],
) -> Iterator[tuple[Document, RuleError | None] | RuleError]:
    """The documents of one file with what they share put in; beside the first that an action touched, its warning.

    `global` gives its keys to all that follow, `reset` ends that, `repeat` is the document before with these changes.
    """
    shared: Document | None = None
    before: Document | None = None
    untold: RuleError | None = None
    budget = MAX_SHARED
    for document in documents:
        if isinstance(document, RuleError):
            yield document
            continue
        if not isinstance(document.data, dict):
            yield document.error(
                "a rule must be a map of keys to values", cause=f"this is a {_kind(document.data)}"
            )
            continue
        action = document.data.get("action")
        if action is not None and action not in _ACTIONS:
            yield document.error(f"action must be one of {', '.join(_ACTIONS)}", at=("action",))
            continue
        untold = untold or _warning(document, action)
        base = before if action == "repeat" else shared
        budget -= len(base.positions) if base else 0
        if budget < 0:
            yield document.error("the documents of this file share too much", at=("action",))
            return
        own = _without_action(document)
        if action == "global":
            shared = _merged(shared, own)
        elif action == "reset":
            shared = None
        else:
            before = _merged(base, own)
            yield before, untold
            untold = None


def _kind(data: object) -> str:
    return "list" if isinstance(data, list) else "text" if isinstance(data, str) else type(data).__name__


def _warning(document: Document, action: object) -> RuleError | None:
    if action is None:
        return None
    return document.error(
        f"action: {action} is no part of Sigma 2",
        at=("action",),
        cause="it is read as it was meant before",
        cure="write each rule out",
    )


def _without_action(document: Document) -> Document:
    if "action" not in document.data:
        return document
    data = {key: value for key, value in document.data.items() if key != "action"}
    return Document(document.source, data, document.positions)


def _merged(base: Document | None, own: Document) -> Document:
    if base is None:
        return own
    positions: dict[Path, Position] = {**base.positions, **own.positions}
    return Document(own.source, _deep(base.data, own.data), positions)


def _deep(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The one map over the other; maps in both are merged, anything else of `own` stands for what was there."""
    return {
        **base,
        **{
            key: _deep(base[key], value)
            if isinstance(value, dict) and isinstance(base.get(key), dict)
            else value
            for key, value in own.items()
        },
    }
