"""From Sigma rule files to rules. The one package that knows YAML and pySigma.

What rules are is in `osdetect.sigma.rule`, and importing that costs little; pySigma, which takes half a second to
import, comes in when the first document is read.
"""

from osdetect.sigma.files import read_rules
from osdetect.sigma.options import ReadOptions
from osdetect.sigma.rule import LogSource, Rule, RuleSet

__all__ = ["LogSource", "ReadOptions", "Rule", "RuleSet", "read_rules"]
