"""The API calls and operations that a rule filters on, by the platform that records them."""

from collections.abc import Mapping

from osdetect.catalog.predicates import signed_leaves
from osdetect.expr import Equals, Expr, Number
from osdetect.expr.values import fold_case

FIELDS: Mapping[str, tuple[str, ...]] = {
    "aws": ("eventName",),
    "azure": ("operationName", "OperationName", "Operation", "OperationNameValue", "properties.message"),
    "bitbucket": ("auditType.action",),
    "cisco": ("event_type",),
    "gcp": (
        "gcp.audit.method_name",
        "data.protoPayload.methodName",
        "protoPayload.methodName",
        "protoPayload.metadata.event.eventName",
        "eventName",
    ),
    "github": ("action",),
    "m365": ("Operation", "eventName"),
    "okta": ("eventType", "eventtype"),
    "onelogin": ("event_type_id",),
    "zeek": ("operation",),
}
"""Platform (a log source's product) to the fields that name the operation."""
SERVICE_FIELDS: Mapping[str, str] = {"aws": "eventSource"}
"""Platform to the field that says whose operation it is."""


def operations(platform: str, tree: Expr[str]) -> tuple[str, ...]:
    """The operations that a rule looks for by name, in the order of its tree, each once in any letter case."""
    return _texts(FIELDS.get(platform, ()), tree)


def services(platform: str, tree: Expr[str]) -> tuple[str, ...]:
    """The services that a rule looks for by name; none means that it leaves them open."""
    field = SERVICE_FIELDS.get(platform)
    return _texts((field,), tree) if field else ()


def _texts(fields: tuple[str, ...], tree: Expr[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for leaf, holds in signed_leaves(tree) if fields else ():
        if holds and leaf.field in fields and isinstance(leaf.test, (Equals, Number)):
            text = leaf.test.text if isinstance(leaf.test, Equals) else str(leaf.test.value)
            found.setdefault(fold_case(text), text)
    return tuple(found.values())
