"""`osdetect test`: does each rule do what the tests beside it say?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from osdetect import ruletest as testing
from osdetect.cli import ruletest_output as shown
from osdetect.cli.connect import connect
from osdetect.cli.options import CaCerts, Insecure, Output, Url, Verbose
from osdetect.cli.output import OutputFormat, print_refusals, progress_bar
from osdetect.cli.reading import Pipelines, Placeholders, read
from osdetect.errors import InputError, UsageError
from osdetect.resources import folder
from osdetect.ruletest.cases import rule_paths
from osdetect.sigma import Rule, RuleSet
from osdetect.vocabulary import ExitCode

Rules = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Sigma rule files, files of tests, and folders; default: the rules that come with osdetect.",
        metavar="RULES",
    ),
]
Fast = Annotated[
    bool, typer.Option("--fast", help="Without a cluster: ask the evaluator and the scan's engine alone.")
]
JUnit = Annotated[
    Path | None,
    typer.Option("--junit", help="Write the results into this file as JUnit XML.", metavar="FILE"),
]
EvidenceFile = Annotated[
    Path | None,
    typer.Option(
        "--evidence",
        help="Write what is proven of each rule into this file, for the catalog.",
        metavar="FILE",
    ),
]
RequireTests = Annotated[bool, typer.Option("--require-tests", help="A rule without tests sets exit code 1.")]
Mutation = Annotated[
    bool,
    typer.Option(
        "--mutation",
        help="Score the tests: which small changes of each rule would they notice, and which not?",
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option(
        "--min-score", min=0, max=1, help="A mutation score below this over all rules sets exit code 1."
    ),
]
Recorded = Annotated[
    list[Path] | None,
    typer.Option(
        "--regression",
        help="Folder of recorded events in SigmaHQ's layout (info.yml), run as well; repeatable.",
        metavar="DIR",
    ),
]
Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        help="CloudTrail files or folders: count the records that each rule matches; repeatable.",
        metavar="PATH",
    ),
]
Generate = Annotated[
    bool,
    typer.Option(
        "--generate", help="Write tests for rules that have none: a record that matches, and near misses."
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="With --generate: write over files of tests that are there.")
]


def ruletest(
    rules: Rules = None,
    fast: Fast = False,
    output: Output = OutputFormat.TABLE,
    junit: JUnit = None,
    evidence: EvidenceFile = None,
    require_tests: RequireTests = False,
    mutation: Mutation = False,
    min_score: MinScore = None,
    regression: Recorded = None,
    data: Data = None,
    generate: Generate = False,
    overwrite: Overwrite = False,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    pipeline: Pipelines = None,
    placeholders: Placeholders = None,
    verbose: Verbose = False,
) -> int:
    """Run the tests of rules: the records in `X.tests.yml` that the rules of `X.yml` must match, and must not.

    Each record goes through the evaluator, the engine of `osdetect scan` and, unless `--fast`, the real percolator: the rules
    are stored in an index that is deleted afterwards. All must say the same. docs/rule-tests.md tells how tests are written.

    Examples: `osdetect test` · `osdetect test --fast my-rules/ --junit tests.xml` · `osdetect test --fast my-rules/ --mutation` ·
    `osdetect test --generate my-rules/new.yml`
    """
    paths = rules or [folder("rules")]
    with progress_bar("Reading rules") as tell:
        rule_set = read(rule_paths(paths), placeholders=placeholders, pipelines=pipeline, on_progress=tell)
    if overwrite and not generate:
        raise UsageError("--overwrite goes with --generate", cure="give both, or neither")
    if generate:
        return _generate(rule_set, output, overwrite=overwrite, verbose=verbose)
    cases = _cases(paths, regression or [], rule_set)
    if not cases.cases and not cases.refused:
        raise InputError(
            "there is no test beside these rules",
            cause=f"{len(rule_set.rules)} rules and no file whose name ends in .tests.yml",
            cure="write X.tests.yml beside X.yml (docs/rule-tests.md), or let --generate make a beginning",
        )
    results = _run(cases, rule_set, fast=fast, url=url, ca_certs=ca_certs, insecure=insecure)
    scores = _scores(cases, rule_set) if mutation or min_score is not None else None
    matched = _fired(rule_set, data) if data else None
    if junit is not None:
        shown.write_file(junit, testing.junit(results).encode())
    if evidence is not None:
        shown.write_file(evidence, shown.evidence_of(results, scores or (), matched))
    shown.write(results, scores, matched, output, verbose=verbose)
    total = testing.total_score(scores or ())
    too_low = min_score is not None and (total is None or total < min_score)
    bad: Sequence[object] = (*results.bad, *results.refused, *(matched.refused if matched else ()))
    return ExitCode.LOSS if bad or too_low or (require_tests and results.untested) else ExitCode.OK


def _run(
    cases: testing.Cases,
    rules: RuleSet[Rule],
    *,
    fast: bool,
    url: str | None,
    ca_certs: Path | None,
    insecure: bool,
) -> testing.Results:
    if fast:
        return testing.run(cases, rules, None)
    with (
        connect(url, ca_certs=ca_certs, insecure=insecure) as cluster,
        progress_bar("Percolating") as tell,
    ):
        return testing.run(cases, rules, cluster, tell)


def _cases(paths: Sequence[Path], recorded: Sequence[Path], rules: RuleSet[Rule]) -> testing.Cases:
    """The tests beside the rules, and the recorded events."""
    beside, others = testing.cases_of(paths, rules), testing.recorded_cases(recorded, rules)
    return testing.Cases(
        (*beside.cases, *others.cases), (*beside.refused, *others.refused), beside.files + others.files
    )


def _fired(rules: RuleSet[Rule], data: Sequence[Path]) -> testing.Fired:
    with progress_bar("Judging records") as tell:
        return testing.fired(rules.rules, data, tell)


def _scores(cases: testing.Cases, rules: RuleSet[Rule]) -> tuple[testing.Score, ...]:
    with progress_bar("Changing rules") as tell:
        return testing.scores(rules.rules, cases.cases, tell)


def _generate(rules: RuleSet[Rule], output: OutputFormat, *, overwrite: bool, verbose: bool) -> int:
    """Write the tests that can be made, and tell of each file what became of it."""
    with progress_bar("Making tests") as tell:
        drafts = testing.drafts(rules, overwrite=overwrite, on_progress=tell)
        for draft in drafts:
            if draft.text:
                shown.write_file(draft.file, draft.text.encode())
    print_refusals(rules.refused, all_of_them=verbose)
    shown.write_drafts(drafts, output)
    failed = rules.refused or any(draft.not_made for draft in drafts)
    return ExitCode.LOSS if failed else ExitCode.OK
