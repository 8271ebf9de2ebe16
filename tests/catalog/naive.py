"""Relations between rules, computed again in the plainest way: every rule against every other, leaf by leaf."""

from collections.abc import Iterable, Iterator, Sequence

from osdetect.expr import All, AnyOf, Equals, Expr, Not
from osdetect.sigma import Rule


def equal_tests(tree: Expr[str], *, holds: bool = True) -> Iterator[tuple[str, str]]:
    """Every field and text that the tree wants to be equal, in small letters; what it excludes is left out."""
    if isinstance(tree, Not):
        yield from equal_tests(tree.part, holds=not holds)
    elif isinstance(tree, (All, AnyOf)):
        for part in tree.parts:
            yield from equal_tests(part, holds=holds)
    elif isinstance(tree.test, Equals) and not tree.test.cased and holds:
        yield tree.field, tree.test.text.lower()


def naive_count(rules: Sequence[Rule], own: str, field: str, value: str) -> int:
    """How many other rules of the same product want this field to equal this text."""
    (product,) = {rule.logsource.product for rule in rules if rule.id == own}
    others = [rule for rule in rules if rule.id != own and rule.logsource.product == product]
    return sum((field, value.lower()) in set(equal_tests(rule.tree)) for rule in others)


def naive_same_action(rules: Iterable[Rule], own: Rule, field: str) -> set[str]:
    """The ids of the other rules of the product that want a value of this field that this rule wants too."""
    mine = {value for name, value in equal_tests(own.tree) if name == field}
    return {
        rule.id
        for rule in rules
        if rule.id != own.id
        and rule.logsource.product == own.logsource.product
        and mine & {value for name, value in equal_tests(rule.tree) if name == field}
    }
