"""Many rules and many events, judged fast: what `evaluate` says of each pair, which stays the definition.

multi_pattern   many tests of one value, or of many values, decided together
networks        many networks asked about one address
column          the tests of one field, each distinct value decided once
hot             which fields are decided first
outcome         what the hot fields decide of the rules, and what they leave open
closures        what is left open, as functions
shape           reading of a record only what is asked for
grouping        from the fields read to the outcome, for many records at a time
pieces          a file's text in pieces that are read at once
memory          what is remembered of events, within bounds
native          records read by compiled code
keyed           what is known of records by the fields that it looks at
judged          what comes of a text
engine          these put together
"""

from osdetect.expr.engine.engine import Engine
from osdetect.expr.engine.judged import Judged, Match
from osdetect.expr.engine.multi_pattern import MultiPattern

__all__ = ["Engine", "Judged", "Match", "MultiPattern"]
