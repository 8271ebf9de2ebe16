"""Our roles, as `mappings/security/` says them: who may do what in a cluster whose security is on.

Each file is the body that OpenSearch's security plugin takes for a role (OpenSearch docs, "Access control API"). The
files name actions, never groups of actions: what a group holds differs from version to version.
"""

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import msgspec
import orjson

from osdetect.resources import folder
from osdetect.vocabulary import OWNER

_OF_THE_CLUSTER = (
    "cluster:*",
    "indices:admin/template/*",
    "indices:admin/index_template/*",
    "indices:data/read/mget",
    "indices:data/read/msearch",
    "indices:data/read/mtv",
    "indices:data/read/scroll",
    "indices:data/write/bulk",
    "indices:data/write/reindex",
)
"""Actions that the plugin asks a role's cluster permissions for, whatever index they are about."""


class IndexRights(msgspec.Struct, frozen=True):
    """Actions that are allowed on the indices of these patterns."""

    patterns: tuple[str, ...]
    actions: tuple[str, ...]


class Role(msgspec.Struct, frozen=True):
    """What one kind of user may do."""

    word: str
    """What it is called here, and the user that has it: `detector`."""
    description: str
    cluster: tuple[str, ...]
    """Actions that are no index's."""
    indices: tuple[IndexRights, ...]
    digest: str
    """16 hexadecimal digits of its content; installed with it, so that a change is seen."""

    @property
    def name(self) -> str:
        """What it is called in the cluster: `osdetect-detector`."""
        return f"{OWNER}-{self.word}"

    @property
    def marked(self) -> str:
        """Its description with our mark, by which a role in the cluster is known as ours."""
        return f"{self.description} [{OWNER} {self.digest}]"

    def body(self) -> dict[str, Any]:
        """What the security plugin is told."""
        return {
            "description": self.marked,
            "cluster_permissions": list(self.cluster),
            "index_permissions": [
                {"index_patterns": list(one.patterns), "allowed_actions": list(one.actions)}
                for one in self.indices
            ],
        }

    def allows(self, action: str, index: str = "") -> bool:
        """Whether the role has the right to an action, on an index or pattern if one is given.

        >>> [role.word for role in shipped_roles() if role.allows("indices:admin/index_template/put")]
        ['deployer']
        >>> [r.word for r in shipped_roles() if r.allows("indices:data/write/index", "osdetect-outbox-default")]
        ['notifier']
        """
        if any(fnmatchcase(action, pattern) for pattern in _OF_THE_CLUSTER):
            return any(fnmatchcase(action, pattern) for pattern in self.cluster)
        return any(
            any(fnmatchcase(action, pattern) for pattern in one.actions)
            and (not index or any(fnmatchcase(index, pattern) for pattern in one.patterns))
            for one in self.indices
        )


def mark_of(description: str) -> str | None:
    """The digest in the mark of a role's description; None when it carries none of ours.

    >>> mark_of("Reads alerts [osdetect 0123456789abcdef]"), mark_of("Somebody else's")
    ('0123456789abcdef', None)
    """
    _, found, rest = description.rpartition(f"[{OWNER} ")
    return rest.removesuffix("]") if found and rest.endswith("]") else None


@cache
def shipped_roles() -> tuple[Role, ...]:
    """Every role in `mappings/security/`, by name."""
    files = sorted((folder("mappings") / "security").glob("*.json"))
    return tuple(_role(file.stem, orjson.loads(file.read_bytes())) for file in files)


def _role(word: str, body: dict[str, Any]) -> Role:
    rights = tuple(
        IndexRights(_texts(one["index_patterns"]), _texts(one["allowed_actions"]))
        for one in body["index_permissions"]
    )
    digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    return Role(word, str(body["description"]), _texts(body["cluster_permissions"]), rights, digest)


def _texts(said: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, said))
