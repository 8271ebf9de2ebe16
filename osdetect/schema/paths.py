"""The values at many paths of an event, found in one walk.

For each path this gives what `osdetect.expr.values.resolve` gives, which says what a path means; there the event is
walked once for each path, here once for all of them, and only into what some path leads into. The paths become a
tree: a node has an edge for each key that may come next, dotted keys too, because a path's dots may be in a key.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class _Edge(msgspec.Struct, frozen=True):
    """What a key leads to: the path that ends there, and the node for those that go on; None where there is none."""

    path: str | None
    node: "Mapping[str, _Edge] | None"


_Node = Mapping[str, _Edge]


class PathTree(msgspec.Struct, frozen=True):
    """A set of paths, made ready for the walk."""

    root: _Node

    @staticmethod
    def of(paths: Iterable[str]) -> "PathTree":
        """The tree of these paths."""
        ends = dict.fromkeys(sorted(paths))
        # What was passed so far says what may follow, however it was cut into keys: a node for each such beginning.
        nodes: dict[str, dict[str, _Edge]] = {
            path[:cut]: {} for path in ends for cut in (0, *(dot + 1 for dot in _dots(path)))
        }
        for path in ends:
            starts = (0, *(dot + 1 for dot in _dots(path)))
            for start in starts:
                for stop in (*(dot for dot in _dots(path) if dot >= start), len(path)):
                    passed = path[:stop]
                    behind = nodes.get(f"{passed}.")
                    nodes[path[:start]][path[start:stop]] = _Edge(passed if passed in ends else None, behind)
        return PathTree(nodes.get("", {}))

    def find(self, event: Mapping[str, Any]) -> dict[str, list[Any]]:
        """The values at each path that the event has, lists opened up, in their order.

        Where a path leads to values by keys that are cut differently, the order among those is not fixed.

        >>> PathTree.of(["a.b", "x"]).find({"a": [{"b": 1}, {"b": [2, None]}], "c": 3})
        {'a.b': [1, 2, None]}
        """
        found: dict[str, list[Any]] = {}
        pending: list[tuple[_Node, Any]] = [(self.root, event)]
        while pending:
            node, here = pending.pop()
            if isinstance(here, list):
                pending.extend((node, item) for item in reversed(here) if isinstance(item, (dict, list)))
                continue
            for key in node.keys() & here.keys():
                edge, value = node[key], here[key]
                if edge.path is not None:
                    _add(found.setdefault(edge.path, []), value)
                if edge.node is not None and isinstance(value, (dict, list)):
                    pending.append((edge.node, value))
        return found


def _dots(path: str) -> tuple[int, ...]:
    return tuple(at for at, character in enumerate(path) if character == ".")


def _add(values: list[Any], value: Any) -> None:
    if not isinstance(value, list):
        values.append(value)
        return
    pending = value[::-1]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(reversed(item))
        else:
            values.append(item)
