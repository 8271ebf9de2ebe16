"""Tests of rules: run by the evaluator, the scan's engine and the real percolator; made from trees; and scored by mutation.

cases       tests led to the rules that they are for
judging     what the evaluator and the engine say of a case's records
percolated  what the percolator says, by a rules index that lives as long as the run
results     what became of each case
junit       the results as JUnit XML
fired       which rules match which records of real data
mutants     a rule with one thing changed
scoring     which of the mutants the tests notice
samples     values that a test holds for, and values close by
solving     records for which a tree holds, or two trees differ
generating  tests made from a rule's tree
drafts      files of such tests, for rules that have none
"""

from osdetect.ruletest.cases import Case, Cases, cases_of, recorded_cases
from osdetect.ruletest.drafts import Draft, drafts
from osdetect.ruletest.fired import Fired, fired
from osdetect.ruletest.junit import junit
from osdetect.ruletest.results import Result, Results, Status
from osdetect.ruletest.running import run
from osdetect.ruletest.scoring import Score, Survivor, scores, total_score

__all__ = [
    "Case",
    "Cases",
    "Draft",
    "Fired",
    "Result",
    "Results",
    "Score",
    "Status",
    "Survivor",
    "cases_of",
    "drafts",
    "fired",
    "junit",
    "recorded_cases",
    "run",
    "scores",
    "total_score",
]
