"""Records to the files that AWS delivers, with AWS's names.

Source: AWS CloudTrail user guide, "CloudTrail log file examples" (log file name format) and "CloudTrail digest
file structure".
"""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from random import Random

import msgspec

from osdetect.scenario.call import Json
from osdetect.scenario.identities import utc_text
from osdetect.scenario.placeholders import alphanumeric
from osdetect.scenario.records import Place

BUCKET = "example-org-trail"
_TRAIL = "organisation-trail"
_DELAY = timedelta(minutes=5)
"""About how long after the last call of its hour a file is delivered."""


class Delivery(msgspec.Struct, frozen=True):
    """One file: its name under the bucket, and its bytes."""

    path: PurePosixPath
    data: bytes


class LogFile(msgspec.Struct, frozen=True):
    """One log file with what its digest tells of it."""

    delivery: Delivery
    place: Place
    sha256: str
    oldest: datetime
    newest: datetime


def log_file(
    place: Place, hour: datetime, timed: Sequence[tuple[datetime, Mapping[str, Json]]], rng: Random
) -> LogFile:
    """The file of one account, region and hour. `timed` holds its records with their moments, oldest first."""
    text = _json({"Records": [made for _, made in timed]})
    delivered = hour + timedelta(hours=1) + _DELAY
    name = (
        f"{place.account}_CloudTrail_{place.region}_{delivered:%Y%m%dT%H%MZ}_{alphanumeric(rng, 16)}.json.gz"
    )
    path = _folder(place, "CloudTrail", delivered) / name
    digest = hashlib.sha256(text).hexdigest()
    return LogFile(Delivery(path, _gzip(text)), place, digest, timed[0][0], timed[-1][0])


def digest_file(file: LogFile) -> Delivery:
    """The digest that says that `file` is whole: the first of its trail's chain, so that it names no earlier digest."""
    ends = file.newest.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    place = file.place
    name = f"{place.account}_CloudTrail-Digest_{place.region}_{_TRAIL}_{place.region}_{ends:%Y%m%dT%H%M%SZ}.json.gz"
    path = _folder(place, "CloudTrail-Digest", ends) / name
    content: dict[str, Json] = {
        "awsAccountId": place.account,
        "digestStartTime": utc_text(ends - timedelta(hours=1)),
        "digestEndTime": utc_text(ends),
        "digestS3Bucket": BUCKET,
        "digestS3Object": str(path),
        "digestPublicKeyFingerprint": hashlib.md5(BUCKET.encode(), usedforsecurity=False).hexdigest(),
        "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": utc_text(file.newest),
        "oldestEventTime": utc_text(file.oldest),
        "previousDigestS3Bucket": None,
        "previousDigestS3Object": None,
        "previousDigestHashValue": None,
        "previousDigestHashAlgorithm": None,
        "previousDigestSignature": None,
        "logFiles": [
            {
                "s3Bucket": BUCKET,
                "s3Object": str(file.delivery.path),
                "hashValue": file.sha256,
                "hashAlgorithm": "SHA-256",
                "newestEventTime": utc_text(file.newest),
                "oldestEventTime": utc_text(file.oldest),
            }
        ],
    }
    return Delivery(path, _gzip(_json(content)))


def _folder(place: Place, kind: str, moment: datetime) -> PurePosixPath:
    return PurePosixPath(
        "AWSLogs", place.account, kind, place.region, f"{moment:%Y}", f"{moment:%m}", f"{moment:%d}"
    )


def _json(content: Json) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def _gzip(text: bytes) -> bytes:
    """Compressed without a time stamp, so that the same text gives the same bytes."""
    return gzip.compress(text, compresslevel=6, mtime=0)
