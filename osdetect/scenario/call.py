"""One API call: what was asked, and what came back."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

Json: TypeAlias = "str | int | bool | Mapping[str, Json] | Sequence[Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


class Call(msgspec.Struct, frozen=True):
    """A call of the AWS API, apart from who made it, when and where.

    `service` is the first label of eventSource ("ec2" for ec2.amazonaws.com). Texts in `parameters`, `response`
    and `extra` may hold placeholders such as `{instance}` (see `placeholders`).
    """

    service: str
    name: str
    parameters: JsonObject | None = None
    response: JsonObject | None = None
    read_only: bool = False
    error: str = ""
    """errorCode; empty when the call succeeded."""
    message: str = ""
    """errorMessage; empty takes AWS's wording for a denied call."""
    data_event: bool = False
    """True for calls on the content of resources (eventCategory "Data")."""
    extra: JsonObject = msgspec.field(default_factory=dict)
    """Further top level elements, such as additionalEventData."""
    told_by_service: bool = False
    """True for what a service of AWS tells without anybody's call (eventType "AwsServiceEvent")."""

    @property
    def source(self) -> str:
        """The record's eventSource."""
        return f"{self.service}.amazonaws.com"
