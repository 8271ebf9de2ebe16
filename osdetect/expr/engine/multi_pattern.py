"""Many tests of one value, decided together: what `predicate` says of each, in much less time than one by one.

Equal texts are found in a dictionary. The longest literal of each wildcard is looked for first, all of them at
once when they are many; only a wildcard whose literal is there is decided by itself. All regular expressions are
run in one pass over the text (RE2's Set), which also for a single one is several times faster than a search.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import re2

from osdetect.expr.engine.networks import literals_of, networks_of
from osdetect.expr.lookaround import conjuncts
from osdetect.expr.nodes import Boolean, Cidr, Equals, Regex, Wildcard
from osdetect.expr.predicates import Predicate, ValueTest, predicate
from osdetect.expr.required_literals import required_literals
from osdetect.expr.values import fold_case, text_of

_SET_MEMORY = 4 << 20
"""Bytes that RE2 may take for one set of patterns, states found while matching included."""
_SOME = 4
"""Fewer texts are decided each by itself."""
_FEW = 16
"""As many literals are looked for one by one in the time of one pass of a set,"""
_FEW_IN_MANY = 2
"""and so many where the text is that of some fifty values."""

_MOST_CLUES = 256

Found = Callable[[str], Iterable[int]]
"""Which of some patterns are found in a text: their places."""
Places = Mapping[str, tuple[int, ...]]


class MultiPattern(msgspec.Struct, frozen=True):
    """Tests of one value, each with a name, made ready to be decided together."""

    names: tuple[str, ...]
    _equal: Places
    """By the text in lower case, the tests that it passes."""
    _equal_cased: Places
    _wildcards: tuple["_Wildcards", ...]
    free: Found | None
    """The regular expressions in which nothing depends on what stands around a match: found in a text if in a part of it."""
    _anchored: Found | None
    """The others."""
    _networks: Found | None
    _others: tuple[tuple[int, Predicate], ...]
    """What is not of a value's text alone."""
    clues: tuple[str, ...] | None
    """In lower case, texts of which one stands in every text that passes a test but `free`; None: there are no few such."""
    _find_clues: Found
    hints: tuple[str, ...] | None
    """In lower case, texts of which one stands in every text that `free` finds something in; None: there are no such.

    Empty where there is no `free`.
    """

    @staticmethod
    def of(tests: Sequence[tuple[str, ValueTest]]) -> "MultiPattern":
        """The tests made ready; a name may stand for several tests.

        Raises:
            re2.error: RE2 does not take a pattern; `check_pattern` tells beforehand.
        """
        equal: dict[str, tuple[int, ...]] = {}
        equal_cased: dict[str, tuple[int, ...]] = {}
        wildcards: dict[bool, list[tuple[int, Wildcard]]] = {False: [], True: []}
        regexes: list[tuple[int, Regex]] = []
        networks: list[tuple[int, Cidr]] = []
        others: list[tuple[int, Predicate]] = []
        for place, (_, test) in enumerate(tests):
            match test:
                case Equals(text=text, cased=True):
                    equal_cased[text] = (*equal_cased.get(text, ()), place)
                case Equals(text=text):
                    equal[fold_case(text)] = (*equal.get(fold_case(text), ()), place)
                case Boolean(value=value):
                    text = "true" if value else "false"
                    equal[text] = (*equal.get(text, ()), place)
                case Wildcard():
                    wildcards[test.cased].append((place, test))
                case Regex() if conjuncts(test.pattern, test.flags) is None:
                    regexes.append((place, test))
                case Cidr():
                    networks.append((place, test))
                case _:
                    others.append((place, predicate(test)))
        of_wildcards = tuple(_Wildcards.of(cased, listed) for cased, listed in wildcards.items() if listed)
        free = [(place, test) for place, test in regexes if _is_free(test)]
        anchored = [(place, test) for place, test in regexes if not _is_free(test)]
        of_anchored = _hints([test for _, test in anchored])
        of_networks = [literals_of(test) for _, test in networks]
        literals = dict.fromkeys((*equal, *map(fold_case, equal_cased)))
        literals.update(dict.fromkeys(fold_case(text) for one in of_wildcards for text in one.literals))
        literals.update(dict.fromkeys(chain(of_anchored or (), *of_networks)))
        unclear = others or of_anchored is None or not all(of_networks)
        told = len(literals) <= _MOST_CLUES and "" not in literals and not unclear
        return MultiPattern(
            tuple(name for name, _ in tests),
            equal,
            equal_cased,
            of_wildcards,
            _regexes(free),
            _regexes(anchored),
            networks_of(networks) if networks else None,
            tuple(others),
            tuple(literals) if told else None,
            _literals(tuple(literals) if told else (), few=_FEW_IN_MANY),
            _hints([test for _, test in free]),
        )

    def decide(self, value: Any) -> tuple[str, ...]:
        """The names of the tests that hold for the value, in the order given.

        >>> from osdetect.expr.nodes import Gap
        >>> tests = [("root", Equals("root")), ("r", Wildcard(("r", Gap.ANY))), ("b", Regex("b$"))]
        >>> MultiPattern.of(tests).decide("Root"), MultiPattern.of(tests).decide(None)
        (('root', 'r'), ())
        """
        return tuple([self.names[place] for place in self.places(value)])

    def places(self, value: Any) -> list[int]:
        """The places of the tests that hold for the value, ascending."""
        held = [place for place, decide in self._others if decide(value)]
        text = text_of(value)
        if text is not None:
            folded = fold_case(text)
            unicode = is_unicode(text)
            held += self._equal.get(folded, ())
            held += self._equal_cased.get(text, ())
            for wildcards in self._wildcards:
                held += wildcards.places(text, (text if wildcards.cased else folded) if unicode else None)
            held += self._found(text)
        held.sort()
        return held

    def places_of_texts(self, texts: Sequence[str]) -> list[list[int]]:
        """`places` of each text: literals are looked for in all of them at once."""
        joined = "\n".join(texts)
        if len(texts) < _SOME or joined.count("\n") != len(texts) - 1 or not is_unicode(joined):
            return [self.places(text) for text in texts]
        everything = fold_case(joined)
        folded = everything.split("\n")
        found = [[*self._equal.get(text, ())] for text in folded]
        if self._equal_cased:
            for held, text in zip(found, texts, strict=True):
                held.extend(self._equal_cased.get(text, ()))
        for wildcards in self._wildcards:
            wildcards.add(found, texts, *((texts, joined) if wildcards.cased else (folded, everything)))
        # A match in one of the texts is one in all of them together.
        free = self.free if self.free is not None and any(True for _ in self.free(joined)) else None
        for find in (free, self._anchored, self._networks):
            if find is not None:
                for held, text in zip(found, texts, strict=True):
                    held.extend(find(text))
        for place, decide in self._others:
            for held, text in zip(found, texts, strict=True):
                if decide(text):
                    held.append(place)
        for held in found:
            held.sort()
        return found

    def clues_within(self, text: str) -> tuple[str, ...] | None:
        """Texts in lower case, of which each part of this text has one that passes a test; None: that cannot be told.

        >>> found = MultiPattern.of([("", Equals("Root")), ("", Equals("admin"))]).clues_within("somebody,ROOT,root")
        >>> found
        ('root',)
        """
        if self.clues is None or not text.isascii():
            return None
        if self.free is not None and any(True for _ in self.free(text)):
            return None
        folded = text.lower()
        return tuple([self.clues[number] for number in self._find_clues(folded)])

    def _found(self, text: str) -> Iterator[int]:
        for find in (self.free, self._anchored, self._networks):
            if find is not None:
                yield from find(text)


class _Wildcards(msgspec.Struct, frozen=True):
    """Wildcards that are all cased or all not."""

    cased: bool
    literals: tuple[str, ...]
    """The literals that are looked for."""
    _find: Found
    _behind: tuple[tuple[tuple[int, Predicate], ...], ...]
    """For each literal the wildcards whose longest it is."""

    @staticmethod
    def of(cased: bool, listed: Sequence[tuple[int, Wildcard]]) -> "_Wildcards":
        behind: dict[str, list[tuple[int, Predicate]]] = {}
        for place, test in listed:
            longest = max((part for part in test.parts if isinstance(part, str)), key=len, default="")
            literal = longest if cased else fold_case(longest)
            behind.setdefault(literal, []).append((place, predicate(test)))
        texts = tuple(behind)
        return _Wildcards(cased, texts, _literals(texts), tuple(tuple(each) for each in behind.values()))

    def places(self, text: str, subject: str | None) -> Iterator[int]:
        """Those that hold for the text; in `subject` its case is folded if it does not count.

        No subject: the text is not Unicode. `predicate` replaces what is wrong in it, so that literals may appear.
        """
        numbers = range(len(self._behind)) if subject is None else self._find(subject)
        for number in numbers:
            for place, decide in self._behind[number]:
                if decide(text):
                    yield place

    def add(
        self, found: Sequence[list[int]], texts: Sequence[str], subjects: Sequence[str], joined: str
    ) -> None:
        """Add to what is found of each text those that hold; `subjects` as in `places`, `joined` all of them in one."""
        for number in self._find(joined):
            literal, behind = self.literals[number], self._behind[number]
            for held, text, subject in zip(found, texts, subjects, strict=True):
                if literal in subject:
                    held.extend([place for place, decide in behind if decide(text)])


def _literals(literals: Sequence[str], few: int = _FEW) -> Found:
    """Which literals stand in a text; they are looked for one by one if they are few."""

    def one_by_one(text: str) -> list[int]:
        return [number for number, literal in enumerate(literals) if literal in text]

    if len(literals) <= few or not all(is_unicode(literal) for literal in literals):
        return one_by_one
    escaped = [f"(?s){re2.escape(literal)}" for literal in literals]  # type: ignore[no-untyped-call]  # re2 is untyped
    together = _set(escaped)
    return _in_one_pass(together, range(len(literals)), one_by_one) if together is not None else one_by_one


_ANCHORS = re.compile(r"[\^$]|\\[AzZbB]")


def _is_free(test: Regex) -> bool:
    """Whether the pattern has surely nothing that asks for the end of a text, line or word."""
    return _ANCHORS.search(test.pattern) is None


def _hints(tests: Sequence[Regex]) -> tuple[str, ...] | None:
    required = [required_literals(test.pattern, test.flags) for test in tests]
    if not all(required):
        return None
    hints = tuple({text for one in required for text in one[0]})
    return hints if min(map(len, hints), default=2) > 1 else None  # a single character is nearly everywhere


def _regexes(tests: Sequence[tuple[int, Regex]]) -> Found | None:
    """Which regular expressions are found in a text; None when there are none."""
    return _some_regexes(tests) if tests else None


def _some_regexes(tests: Sequence[tuple[int, Regex]]) -> Found:
    decides = [(place, predicate(test)) for place, test in tests]

    def one_by_one(text: str) -> list[int]:
        return [place for place, decide in decides if decide(text)]

    if not all(is_unicode(test.pattern) for _, test in tests):
        return one_by_one
    together = _set([f"(?{test.flags}){test.pattern}" if test.flags else test.pattern for _, test in tests])
    if together is not None:
        return _in_one_pass(together, [place for place, _ in tests], one_by_one)
    if len(tests) == 1:
        return one_by_one
    one, other = _some_regexes(tests[: len(tests) // 2]), _some_regexes(tests[len(tests) // 2 :])
    return lambda text: (*one(text), *other(text))


def _set(patterns: Sequence[str]) -> Any | None:
    """RE2's set of these patterns and a last one that every text has; None when it takes too much memory."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _SET_MEMORY
    made = re2.Set.SearchSet(options)  # type: ignore[no-untyped-call]  # re2 is untyped
    try:
        for pattern in (*patterns, r"\z"):
            made.Add(pattern)
        made.Compile()
    except re2.error:
        return None
    return made


def _in_one_pass(together: Any, places: Sequence[int], one_by_one: Found) -> Found:
    """The places of a set's patterns that are found in a text.

    A set that runs out of memory while matching says that nothing is found. Its last pattern is found in every
    text: when even that is not, or when UTF-8 cannot hold the text, they are tried one by one.
    """
    always = len(places)

    def found(text: str) -> Iterable[int]:
        try:
            numbers = together.Match(text.encode())
        except UnicodeEncodeError:
            return one_by_one(text)
        if not numbers:
            return one_by_one(text)
        return [places[number] for number in numbers if number != always]

    return found


def is_unicode(text: str) -> bool:
    """Whether UTF-8, which RE2 reads, can hold the text: it has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
