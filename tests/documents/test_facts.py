"""All facts in one walk are the facts one by one, whatever shape the event has."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from osdetect.documents.dialect import FACTS, RAW, Dialect

_SPLIT = Dialect(
    "split",
    {
        "eventName": ("event.action", "eventName"),
        "userIdentity.type": ("aws.cloudtrail.user_identity.type",),
        "userIdentity.arn": ("aws.cloudtrail.user_identity.arn",),
        "awsRegion": ("aws.region",),
    },
)
_KEYS = st.sampled_from(
    sorted(
        {
            ".".join(steps[at:end])
            for dialect in (RAW, _SPLIT)
            for paths in dialect.paths.values()
            for path in paths
            for steps in [path.split(".")]
            for at in range(len(steps))
            for end in range(at + 1, len(steps) + 1)
        }
    )
)
_value: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a", "Root"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_KEYS, _value, max_size=6))
def test_texts_are_each_fact_s_text(event: dict[str, Any]) -> None:
    for dialect in (RAW, _SPLIT):
        assert dialect.texts(event) == {fact: dialect.text(event, fact) for fact in FACTS}
