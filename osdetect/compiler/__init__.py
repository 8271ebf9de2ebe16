"""From a rule to the two queries that it becomes: the stored query, and the search query. Pure."""

from osdetect.compiler.compile import Compiled, compile_rule
from osdetect.compiler.prefilter import Prefilter

__all__ = ["Compiled", "Prefilter", "compile_rule"]
