"""What a file is when it holds no records: named, so that the user knows what to do with it."""

from collections.abc import Mapping

import msgspec

from osdetect.cloudtrail.split import BOM, keys, skip, value_end

DIGEST = "a CloudTrail digest file"


class _Sign(msgspec.Struct, frozen=True):
    """A layout and the top-level keys that give it away, all of which must be there."""

    keys: frozenset[bytes]
    name: str


def _sign(name: str, *names: str) -> _Sign:
    return _Sign(frozenset(f'"{key}"'.encode() for key in names), name)


# AWS docs: "CloudTrail digest file structure", "LookupEvents", "Using subscription filters" (CloudWatch Logs),
# "FilterLogEvents", "AWS events delivered via CloudTrail" (EventBridge), "Example configuration snapshot" (Config).
_SIGNS = (
    _sign(DIGEST, "digestStartTime", "digestEndTime", "logFiles"),
    _sign("the output of `aws cloudtrail lookup-events`", "Events"),
    _sign("a CloudWatch Logs subscription message", "messageType", "logEvents"),
    _sign("a Lambda event of a CloudWatch Logs subscription", "awslogs"),
    _sign("the output of `aws logs filter-log-events`", "events"),
    _sign("EventBridge events", "detail-type", "detail"),
    _sign("EventBridge events without their frame", "detail"),
    _sign("an AWS Config file", "configurationItems"),
)
_BINARY: Mapping[bytes, str] = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ": "xz data",
    b"(\xb5/\xfd": "zstd data",
    b"PAR1": "a Parquet file",
    b"Obj\x01": "an Avro file",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}


def recognise(text: bytes) -> str:
    """What the text of a file that holds no records seems to be."""
    for magic, name in _BINARY.items():
        if text.startswith(magic):
            return name
    stripped = text.removeprefix(BOM).lstrip()
    if not stripped:
        return "empty"
    if stripped.startswith(b"["):
        return "a JSON list of other things"
    if not stripped.startswith(b"{"):
        return "a web page" if stripped[:1] == b"<" else "not JSON"
    return _object(stripped)


def digest_end(text: bytes, place: int) -> int | None:
    """Behind the digest file that stands at `place`; None when none does."""
    end = value_end(text, place) if text[place : place + 1] == b"{" else None
    if end is None or not _SIGNS[0].keys <= {name for name, _ in keys(text[place:end], 0)}:
        return None
    return end


def _only_digests(text: bytes) -> bool:
    place = 0
    while place < len(text):
        end = digest_end(text, place)
        if end is None:
            return False
        place = skip(text, end)
    return True


def _object(text: bytes) -> str:
    found = {name for name, _ in keys(text)}
    for sign in _SIGNS:
        if sign.keys <= found:
            alone = sign.name != DIGEST or _only_digests(text)
            return sign.name if alone else f"{sign.name} and something else"
    if b'"Records"' in found:
        return "an object whose `Records` is not a list"
    end = value_end(text, 0)
    if end is None:
        return "not JSON, or cut off before any record"
    several = bool(text[end:].strip())
    return "several JSON values" if several else "a JSON object without `Records`"
