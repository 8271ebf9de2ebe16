"""Results as JUnit XML, which most continuous-integration systems show."""

from collections.abc import Iterator
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from osdetect.errors import RuleError
from osdetect.ruletest.results import Result, Results, Status
from osdetect.source import printable

_LONG = 2_000


def junit(results: Results) -> str:
    """The results: a suite for each file of tests, one for what was refused, and the rules without tests as skipped."""
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *_suites(results), ""])


def _suites(results: Results) -> Iterator[str]:
    failed = results.count(Status.FAILED)
    errors = len(results.bad) - failed + len(results.refused)
    skipped = len(results.untested)
    count = len(results.results) + len(results.refused) + skipped
    yield _opened("testsuites", "osdetect test", count, failed, errors, skipped)
    for file, some in groupby(results.results, key=lambda one: one.case.where.file):
        told = list(some)
        bad = [one for one in told if one.status is not Status.PASSED]
        wrong = sum(one.status is Status.FAILED for one in bad)
        yield _opened("testsuite", file, len(told), wrong, len(bad) - wrong, 0)
        yield from (line for one in told for line in _case(one))
        yield "</testsuite>"
    if results.refused:
        yield _opened("testsuite", "refused", len(results.refused), 0, len(results.refused), 0)
        yield from (line for one in results.refused for line in _refusal(one))
        yield "</testsuite>"
    if results.untested:
        yield _opened("testsuite", "rules without tests", skipped, 0, 0, skipped)
        for rule in results.untested:
            yield f"<testcase classname={_text(rule.title)} name={_text(rule.rule)} file={_text(rule.file)}>"
            yield '<skipped message="it has no test"/></testcase>'
        yield "</testsuite>"
    yield "</testsuites>"


def _opened(element: str, name: str, tests: int, failures: int, errors: int, skipped: int) -> str:
    counts = f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    return f"<{element} name={_text(name)} {counts}>"


def _case(one: Result) -> Iterator[str]:
    case = one.case
    name = f"{'must match' if case.expected else 'must not match'}: {case.why}"
    place = f'file={_text(case.where.file)} line="{case.where.line}"'
    head = f"<testcase classname={_text(case.title)} name={_text(name)} {place}"
    if one.status is Status.PASSED:
        yield f"{head}/>"
        return
    kind = "failure" if one.status is Status.FAILED else "error"
    yield f"{head}>"
    yield f"<{kind} message={_text(one.reason)}>{escape(_clean(str(case.where)))}</{kind}></testcase>"


def _refusal(one: RuleError) -> Iterator[str]:
    file = str(one.where) if one.where else ""
    yield f'<testcase classname="refused" name={_text(file or one.what)}>'
    yield f"<error message={_text(one.what)}>{escape(_clean(f'{one.cause} {one.cure}'.strip()))}</error></testcase>"


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 has no way to write."""
    return printable(text, _LONG)


def _text(text: str) -> str:
    return quoteattr(_clean(text))
