"""Sigma's value modifiers: pySigma's where they are right, our own where they are not.

Source: Sigma specification, appendix "Modifiers" 2.1.0. `MODIFIERS` is the table that detection items are made by;
docs/pysigma-defects.md says what differs from pySigma and why.
"""

import re
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sigma.exceptions import SigmaValueError
from sigma.modifiers import (
    SigmaAllModifier,
    SigmaCaseSensitiveModifier,
    SigmaCIDRModifier,
    SigmaContainsModifier,
    SigmaEndswithModifier,
    SigmaExistsModifier,
    SigmaFieldReferenceModifier,
    SigmaListModifier,
    SigmaModifier,
    SigmaRegularExpressionDotAllFlagModifier,
    SigmaRegularExpressionIgnoreCaseFlagModifier,
    SigmaRegularExpressionMultilineFlagModifier,
    SigmaStartswithModifier,
    SigmaTimestampDayModifier,
    SigmaTimestampHourModifier,
    SigmaTimestampMinuteModifier,
    SigmaTimestampMonthModifier,
    SigmaTimestampWeekModifier,
    SigmaTimestampYearModifier,
    SigmaValueModifier,
)
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaCasedString,
    SigmaCompareExpression,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from osdetect.expr.moments import moment_of


class TimeComparison(SigmaType):
    """A date or time that a field is compared with."""

    def __init__(self, operator: CompareOperators, moment: str) -> None:
        self.operator, self.moment = operator, moment

    def to_plain(self) -> str:
        """The moment as the rule gave it."""
        return self.moment


class EncodedString(SigmaString):
    """Text in another encoding than UTF-8, waiting to be written as Base64."""

    data = b""

    @staticmethod
    def of(data: bytes) -> "EncodedString":
        """A value of these bytes."""
        encoded = EncodedString()
        encoded.data = data
        return encoded


class Pattern(SigmaRegularExpression):
    """A regular expression; whether it can be used, detection.py has asked (`osdetect.expr.predicates`)."""

    def compile(self) -> None:
        """Do not ask again: pySigma's engines take other patterns."""


class _Regex(SigmaValueModifier[SigmaString, SigmaRegularExpression]):
    """`re`: the value as it stands is a regular expression."""

    def modify(self, val: SigmaString) -> SigmaRegularExpression:
        if self.applied_modifiers:
            raise SigmaValueError("re must be the first modifier")
        return Pattern(val.original)


class _Contains(SigmaContainsModifier):
    """`contains`; a regular expression is looked for anywhere as it is."""

    def modify(
        self, val: SigmaString | SigmaRegularExpression | SigmaFieldReference
    ) -> SigmaString | SigmaRegularExpression | SigmaFieldReference:
        return val if isinstance(val, Pattern) else super().modify(val)


class _Startswith(SigmaStartswithModifier):
    """`startswith`; a regular expression is looked for at the very beginning."""

    def modify(
        self, val: SigmaString | SigmaRegularExpression | SigmaFieldReference
    ) -> SigmaString | SigmaRegularExpression | SigmaFieldReference:
        return _around(val, r"\A(?:", ")") if isinstance(val, Pattern) else super().modify(val)


class _Endswith(SigmaEndswithModifier):
    """`endswith`; a regular expression is looked for at the very end."""

    def modify(
        self, val: SigmaString | SigmaRegularExpression | SigmaFieldReference
    ) -> SigmaString | SigmaRegularExpression | SigmaFieldReference:
        return _around(val, "(?:", r")\z") if isinstance(val, Pattern) else super().modify(val)


def _around(pattern: Pattern, before: str, behind: str) -> Pattern:
    expression = SigmaString()
    expression.s = [before, *pattern.regexp.s, behind]
    pattern.regexp = expression
    return pattern


_NAMED = re.compile(r"\\(?P<escaped>.)|%(?P<name>[^%\\]+)%", re.DOTALL)


def with_placeholders(text: str) -> SigmaString:
    r"""The value that a text with `expand` is: `%name%` is a placeholder, `\%` a percent sign that begins none.

    Source: Sigma rules specification 2.1, "Placeholders".
    """
    parts: list[str | SpecialChars | Placeholder] = []
    for part in _split(text):
        parts += [part] if isinstance(part, Placeholder) else SigmaString(part).s
    value = SigmaString()
    value.s = [part.replace("\\%", "%") if isinstance(part, str) else part for part in parts]
    value.original = text
    return value


def _split(text: str) -> Iterator[str | Placeholder]:
    start = 0
    for found in _NAMED.finditer(text):
        if found["name"]:
            yield text[start : found.start()]
            yield Placeholder(found["name"])
            start = found.end()
    yield text[start:]


class _Expand(SigmaValueModifier[SigmaString | SigmaRegularExpression, SigmaString | SigmaRegularExpression]):
    """`expand`: the value has placeholders. Those of a text were read with it (`with_placeholders`)."""

    def modify(self, val: SigmaString | SigmaRegularExpression) -> SigmaString | SigmaRegularExpression:
        if isinstance(val, SigmaRegularExpression):
            expression = SigmaString()
            expression.s = [
                one for part in val.regexp.s for one in (_split(part) if isinstance(part, str) else (part,))
            ]
            val.regexp = expression
        return val


class Different(SigmaListModifier[Any, Any]):
    """`neq`: the field is none of the values."""

    def modify(self, val: Any) -> Any:
        """Turn the item into its negation."""
        self.detection_item.negated = True
        return val


class _Base64(SigmaValueModifier[SigmaString, SigmaString]):
    """`base64`: the value's bytes as Base64, in which letter case is part of the value."""

    def modify(self, val: SigmaString) -> SigmaString:
        return _exactly(b64encode(_bytes(val)).decode())


class _Base64Offset(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """`base64offset`: what the value's bytes are in Base64 wherever they stand; only what neighbours cannot change.

    Of n bytes behind i others, the first `_FIRST[i]` characters hold bits of what stands before, and the last
    character does of what stands behind unless the bytes end with a group of three.
    """

    _FIRST = (0, 2, 3)
    _LAST: tuple[int | None, ...] = (None, -3, -2)
    _LEAST = 2
    """Bytes: of one, some offset leaves no character that neighbours cannot change."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        data = _bytes(val)
        if len(data) < self._LEAST:
            raise SigmaValueError("base64offset of a single character would find nearly every text")
        shifted = (b64encode(b" " * i + data).decode() for i in range(3))
        return SigmaExpansion(
            [
                _exactly(text[self._FIRST[i] : self._LAST[(len(data) + i) % 3]])
                for i, text in enumerate(shifted)
            ]
        )


def _exactly(text: str) -> SigmaCasedString:
    value = SigmaCasedString()
    value.s = [text]
    return value


def _bytes(value: SigmaString) -> bytes:
    if isinstance(value, EncodedString):
        return value.data
    if any(not isinstance(part, str) for part in value.s):
        raise SigmaValueError("a text with wildcards or placeholders cannot be written as Base64")
    return "".join(str(part) for part in value.s).encode()


class _Encoded(SigmaValueModifier[SigmaString, SigmaString]):
    """`utf16le`, `wide`, `utf16be`, `utf16`: the value's text in that encoding.

    Behind it usually stands `base64` or `base64offset`. Without one the field's text itself is thought of as having
    the bytes, as text that was read in the wrong encoding has: each character of ASCII with a NUL beside it.
    """

    codec = "utf-16-le"
    mark = b""

    def modify(self, val: SigmaString) -> SigmaString:
        if any(issubclass(modifier, (_Base64, _Base64Offset)) for modifier in self.detection_item.modifiers):
            if any(not isinstance(part, str) for part in val.s):
                raise SigmaValueError("a text with wildcards or placeholders cannot be written as Base64")
            return EncodedString.of(self.mark + "".join(str(part) for part in val.s).encode(self.codec))
        if self.mark:
            raise SigmaValueError("utf16 writes a byte order mark, which no text holds: use it with base64")
        if not all(part.isascii() for part in val.s if isinstance(part, str)):
            raise SigmaValueError("only ASCII can be found in text that was read in the wrong encoding")
        wide = SigmaString()
        wide.s = [
            part.encode(self.codec).decode("ascii") if isinstance(part, str) else part for part in val.s
        ]
        return wide


class _BigEndian(_Encoded):
    codec = "utf-16-be"


class _Marked(_Encoded):
    mark = b"\xff\xfe"


class _WindowsDash(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """`windash`: each dash or slash that begins an option, as any of the five signs that Windows programs take."""

    SIGNS = ("-", "/", "\u2013", "\u2014", "\u2015")
    BEGINS = re.compile(r"\B[-/\u2013\u2014\u2015]\b")
    MOST = 3
    """Of the signs in one value: five to the power of them are compared."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        dashed = val.replace_with_placeholder(self.BEGINS, "_windash")
        count = sum(isinstance(part, Placeholder) and part.name == "_windash" for part in dashed.s)
        if count > self.MOST:
            raise SigmaValueError(
                f"windash takes at most {self.MOST} dashes in one value, this has {count}: split it into several"
            )

        def signs(placeholder: Placeholder) -> Iterator[str | Placeholder]:
            yield from self.SIGNS if placeholder.name == "_windash" else (placeholder,)

        return SigmaExpansion(list(dashed.replace_placeholders(signs)))


def texts_made(names: Collection[str], text: str) -> int:
    """How many texts these modifiers make of one, at most: counted before they are made."""
    dashes = len(_WindowsDash.BEGINS.findall(text)) if "windash" in names else 0
    made: int = len(_WindowsDash.SIGNS) ** min(dashes, _WindowsDash.MOST)
    return made * (3 if "base64offset" in names else 1)


class Cased(SigmaCaseSensitiveModifier):
    """`cased`, also with `fieldref`; the tree looks for this class among an item's modifiers."""

    def modify(  # type: ignore[override]  # pySigma knows it for strings alone
        self, val: SigmaString | SigmaFieldReference
    ) -> SigmaString | SigmaFieldReference:
        """Make the value count letter case."""
        if isinstance(val, SigmaFieldReference):
            return val
        cased = SigmaCasedString()
        cased.s = val.s
        return cased


class _Compare(SigmaValueModifier[SigmaNumber | SigmaString, SigmaType]):
    """`lt`, `lte`, `gt`, `gte`: with a number, a number behind a time modifier, or a date."""

    operator = CompareOperators.LT

    def modify(self, val: SigmaNumber | SigmaString) -> SigmaType:
        if isinstance(val, SigmaNumber):
            return SigmaCompareExpression(val, self.operator)
        text = "".join(str(part) for part in val.s if isinstance(part, str))
        if len(val.s) != 1 or moment_of(text) is None:
            raise SigmaValueError(f"{str(val)[:60]!r} is no number and no date (ISO 8601)")
        return TimeComparison(self.operator, text)


class _AtMost(_Compare):
    operator = CompareOperators.LTE


class _Greater(_Compare):
    operator = CompareOperators.GT


class _AtLeast(_Compare):
    operator = CompareOperators.GTE


MODIFIERS: Mapping[str, type[SigmaModifier[Any, Any]]] = {
    "all": SigmaAllModifier,
    "base64": _Base64,
    "base64offset": _Base64Offset,
    "cased": Cased,
    "cidr": SigmaCIDRModifier,
    "contains": _Contains,
    "day": SigmaTimestampDayModifier,
    "dotall": SigmaRegularExpressionDotAllFlagModifier,
    "endswith": _Endswith,
    "exists": SigmaExistsModifier,
    "expand": _Expand,
    "fieldref": SigmaFieldReferenceModifier,
    "gt": _Greater,
    "gte": _AtLeast,
    "hour": SigmaTimestampHourModifier,
    "i": SigmaRegularExpressionIgnoreCaseFlagModifier,
    "ignorecase": SigmaRegularExpressionIgnoreCaseFlagModifier,
    "lt": _Compare,
    "lte": _AtMost,
    "m": SigmaRegularExpressionMultilineFlagModifier,
    "minute": SigmaTimestampMinuteModifier,
    "month": SigmaTimestampMonthModifier,
    "multiline": SigmaRegularExpressionMultilineFlagModifier,
    "neq": Different,
    "re": _Regex,
    "s": SigmaRegularExpressionDotAllFlagModifier,
    "startswith": _Startswith,
    "utf16": _Marked,
    "utf16be": _BigEndian,
    "utf16le": _Encoded,
    "week": SigmaTimestampWeekModifier,
    "wide": _Encoded,
    "windash": _WindowsDash,
    "year": SigmaTimestampYearModifier,
}
"""Every modifier of the specification, and pySigma's long names of the flags of `re`."""
