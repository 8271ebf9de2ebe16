"""Sigma rule files in, rules out: the only importer of pySigma and of YAML.

pySigma reads modifiers and conditions; what it makes of them is copied at once into our own frozen tree
(`osdetect.expr`), each document parsed afresh and only once, because pySigma changes rules in place.
"""

from osdetect.sigma.files import read_rules
from osdetect.sigma.rule import LogSource, Rule, RuleSet

__all__ = ["LogSource", "Rule", "RuleSet", "read_rules"]
