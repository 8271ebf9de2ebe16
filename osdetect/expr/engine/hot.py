"""Which fields are hot: decided first, for every event, because most rules ask for them or a rule asks nothing else."""

from collections import Counter
from collections.abc import Container, Sequence

from osdetect.expr.engine.column import Column
from osdetect.expr.engine.outcome import Outcomes, is_hot, paths
from osdetect.expr.fold import leaves
from osdetect.expr.nodes import Expr, Test

MOST = 12
"""Each hot field costs time for every event."""
_SHARE = 50
"""A field is hot that one rule in so many reads."""


def hot_columns(trees: Sequence[Expr[str]], avoid: Container[str] = ()) -> tuple[Column, ...]:
    """The columns of the hot fields, those first that most rules read; none of `avoid`, which mostly hold objects."""
    read = {path for tree in trees for path in paths(tree)}
    objects = {path[:at] for path in read for at, sign in enumerate(path) if sign == "."}
    readers = Counter(
        path for tree in trees for path in {leaf.field for leaf in leaves(tree) if is_hot(leaf)}
    )
    often = [
        path for path, count in readers.most_common() if count * _SHARE >= len(trees) and "." not in path
    ]
    chosen = [path for path in often if path not in objects and path not in avoid][:MOST]
    # Rules that need nothing of these are judged for every event: what they read is worth as much.
    always = Outcomes.of([("", tree) for tree in trees], _columns(trees, chosen)).always
    for path in _read_by([trees[place] for place in always]):
        fits = path not in chosen and path not in avoid and not any(_clash(path, other) for other in chosen)
        if fits and len(chosen) < MOST:
            chosen.append(path)
    return _columns(trees, chosen)


def _read_by(trees: Sequence[Expr[str]]) -> list[str]:
    found = Counter(leaf.field for tree in trees for leaf in leaves(tree) if is_hot(leaf))
    return [path for path, _ in found.most_common()]


def _clash(one: str, other: str) -> bool:
    """Whether one is inside the other: a field can't be read as a value and as an object at once."""
    return one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _columns(trees: Sequence[Expr[str]], chosen: Sequence[str]) -> tuple[Column, ...]:
    tests: dict[str, list[Test]] = {path: [] for path in chosen}
    for tree in trees:
        for leaf in leaves(tree):
            if leaf.field in tests and is_hot(leaf):
                tests[leaf.field].append(leaf.test)
    return tuple(Column.of(path, listed) for path, listed in tests.items())
