"""Which dialect the events of an index are in, told by the fields that the index has.

`GET /{target}/_field_caps?fields=*` lists them (OpenSearch docs, "Field capabilities"). A dialect fits when the fields
that name a call in it are all there. An index whose mapping does not list fields (`enabled: false`, `flat_object`)
tells nothing: then the dialect must be named.
"""

from collections.abc import Iterable, Mapping

from osdetect.errors import UsageError

_SHOWN = 5
"""Fields of the index that an error shows."""


def detect_dialect(
    fields: Iterable[str], dialects: Mapping[str, frozenset[str]], *, target: str, option: str = "--pipeline"
) -> str:
    """The name of the dialect whose telling fields the index has.

    Args:
        fields: the fields of the index; those of inner objects with dots.
        dialects: name and telling fields of each known dialect.
        target: the index, for the message.
        option: the option that names a dialect, for the message.

    Raises:
        UsageError: no dialect fits, or several do.

    >>> known = {"raw": frozenset({"eventName"}), "ocsf": frozenset({"api.operation"})}
    >>> detect_dialect(["api", "api.operation"], known, target="lake")
    'ocsf'
    """
    present = {field.removesuffix(".keyword") for field in fields}
    fitting = sorted(name for name, telling in dialects.items() if telling and telling <= present)
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(sorted(dialects))
    if fitting:
        raise UsageError(
            f"{target} holds events in several dialects: {', '.join(fitting)}",
            cause="its indices have the fields of each of them",
            cure=f"name one, and a target with that alone: {option} {fitting[0]}",
        )
    own = sorted(field for field in present if not field.startswith("_"))
    seen = ", ".join(own[:_SHOWN]) + (", ..." if len(own) > _SHOWN else "")
    raise UsageError(
        f"the events of {target} are in no dialect of CloudTrail that osdetect knows",
        cause=f"its fields are {seen}" if own else "its mapping lists no fields",
        cure=f"name the dialect ({known}) or a pipeline file: {option}",
    )
