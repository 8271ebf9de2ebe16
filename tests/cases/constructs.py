"""What the Sigma specification 2.1 has, and where it says so: each construct has a case, and no case another one."""

from collections.abc import Mapping

_GENERIC = "Modifiers: Generic Modifiers"
_STRING = "Modifiers: String Modifiers"
_REGEX = "Modifiers: Regular Expression"
_ENCODING = "Modifiers: Encoding"
_NUMERIC = "Modifiers: Numeric Modifiers"
_TIME = "Modifiers: Time Modifiers"
_IP = "Modifiers: IP Modifiers"
_SPECIFIC = "Modifiers: Specific Modifiers"
_CONDITION = "Rules: Condition"
_KEYWORDS = "Rules: Keywords search"
_FILTERS = "Filters: Global Filter"
_ACTIONS = "none: Sigma 1, rule collections"

_FIELDS_AND_VALUES = {
    "text": "Rules: General",
    "letter case": "Rules: General",
    "text beyond ASCII": "Rules: General",
    "long text": "Rules: General",
    "* wildcard": "Rules: String Wildcard",
    "? wildcard": "Rules: String Wildcard",
    "escape character": "Rules: Escape Character",
    "list of values": "Rules: Lists",
    "list of maps": "Rules: Lists",
    "map": "Rules: Maps",
    "number": "Rules: Maps",
    "number in quotes": "Rules: Maps",
    "truth value": "Rules: Maps",
    "truth value in quotes": "Rules: Maps",
    "field path": "Rules: Field Usage",
    "object in the event": "Rules: Field Usage",
    "list in the event": "Rules: Field Usage",
    "empty text": "Rules: Special Field Values",
    "null": "Rules: Special Field Values",
}

_MODIFIERS = {
    "all": _GENERIC,
    "contains": _GENERIC,
    "contains|all": _GENERIC,
    "startswith": _GENERIC,
    "endswith": _GENERIC,
    "exists": "Rules: Field Existence",
    "cased": _GENERIC,
    "contains|cased": _GENERIC,
    "startswith|cased": _GENERIC,
    "neq": _GENERIC,
    "neq with a list": _GENERIC,
    "all|neq": _GENERIC,
    "windash": _STRING,
    "windash|contains": _STRING,
    "windash|contains|all": _STRING,
    "re": _REGEX,
    "re|i": _REGEX,
    "re|m": _REGEX,
    "re|s": _REGEX,
    "re|contains": _REGEX,
    "re|all": _REGEX,
    "re|ignorecase, multiline, dotall": "none: pySigma's long names of i, m, s",
    "base64": _ENCODING,
    "base64|contains": _ENCODING,
    "base64offset|contains": _ENCODING,
    "utf16|base64offset|contains": _ENCODING,
    "utf16le|base64offset|contains": _ENCODING,
    "utf16be|base64offset|contains": _ENCODING,
    "wide|base64offset|contains": _ENCODING,
    "wide": _ENCODING,
    "lt": _NUMERIC,
    "lte": _NUMERIC,
    "gt": _NUMERIC,
    "gte": _NUMERIC,
    "neq with a number": _NUMERIC,
    "lt, lte, gt, gte with a date": "none: dates are compared as numbers are",
    "minute": _TIME,
    "hour": _TIME,
    "day": _TIME,
    "week": _TIME,
    "month": _TIME,
    "year": _TIME,
    "time modifier with a comparison": _TIME,
    "cidr": _IP,
    "cidr of IPv6": _IP,
    "expand": "Rules: Placeholders",
    "expand|contains": "Rules: Placeholders",
    "expand|re": "Rules: Placeholders",
    "fieldref": _SPECIFIC,
    "fieldref|neq": _SPECIFIC,
    "fieldref|startswith": _SPECIFIC,
    "fieldref|endswith": _SPECIFIC,
    "fieldref|contains": _SPECIFIC,
    "fieldref|cased": _SPECIFIC,
    "modifier": "Rules: Value Modifiers",
}

_SEARCHES = {
    "keyword": _KEYWORDS,
    "list of keywords": "Rules: Lists",
    "keywords|all": _KEYWORDS,
    "keywords|re": _KEYWORDS,
    "keywords|contains": _KEYWORDS,
    "keywords|cased": _KEYWORDS,
    "keywords with other modifiers": _KEYWORDS,
    "keyword with wildcards": _KEYWORDS,
    "number as keyword": _KEYWORDS,
    "keywords and maps in one list": "Rules: Lists",
    "selection": "Rules: Search-Identifier",
}

_CONDITIONS = {
    "and": _CONDITION,
    "or": _CONDITION,
    "not": _CONDITION,
    "precedence": _CONDITION,
    "parentheses": _CONDITION,
    "1 of them": _CONDITION,
    "any of them": _CONDITION,
    "all of them": _CONDITION,
    "1 of pattern": _CONDITION,
    "any of pattern": _CONDITION,
    "all of pattern": _CONDITION,
    "not 1 of pattern": _CONDITION,
    "not all of pattern": _CONDITION,
    "pattern with * in front or inside": _CONDITION,
    "selection names": _CONDITION,
    "list of conditions": _CONDITION,
    "condition that always or never holds": _CONDITION,
    "condition": _CONDITION,
    "aggregation": "none: Sigma 1, replaced by correlations",
    "timeframe": "none: Sigma 1, part of aggregations",
}

_FILES = {
    "YAML": "Rules: Yaml File",
    "title": "Rules: Title",
    "id": "Rules: Identification",
    "log source": "Rules: LogSource",
    "level": "Rules: Level",
    "detection": "Rules: Detection",
    "several documents": "Rules: Yaml File",
    "action: global": _ACTIONS,
    "action: reset": _ACTIONS,
    "action: repeat": _ACTIONS,
    "filter by id": _FILTERS,
    "filter by name": _FILTERS,
    "filter by tag": "none: pySigma takes none, rules are grouped by tags",
    "filter for any rule": "Filters: Global Filter (2.2 draft)",
    "filter that narrows": "Filters: filter condition",
    "filter with several conditions": "Filters: filter condition",
    "filter and log source": "Filters: Log source",
    "filter": _FILTERS,
    "correlation": "Correlations: Correlation rules",
}

CONSTRUCTS: Mapping[str, str] = {
    **_FIELDS_AND_VALUES,
    **_MODIFIERS,
    **_SEARCHES,
    **_CONDITIONS,
    **_FILES,
}
"""Construct, and its document and section in the specification."""
