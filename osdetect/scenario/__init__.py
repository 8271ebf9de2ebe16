"""A made-up attack in AWS's delivery layout, to try osdetect on without an account of one's own.

`generate` writes a folder as CloudTrail would deliver it to a bucket: an ordinary company's records over two
days, and among them the story told in docs/scenario.md. `iter_records` yields the same records without files,
for benchmarks that want many. The same arguments give the same bytes.

    cast        who acts, from where, with what client
    call        one API call: what was asked and what came back
    placeholders  varying ids in the data tables
    identities  the userIdentity element of each kind of caller
    records     a whole record from a call, a caller, a place and a moment
    background  the company's ordinary work, a weighted table
    story       the attack and, after it, an exercise: tables of steps, one file an act
    delivery    records to gzip files and their names; the digest file
    generator   puts these together
"""

from osdetect.scenario.generator import START, ScenarioSummary, generate, iter_records
from osdetect.scenario.story import STORY, Step

__all__ = ["START", "STORY", "ScenarioSummary", "Step", "generate", "iter_records"]
