"""AWS Signature Version 4: requests of our own client arrive at a server that checks them by AWS's published rules.

The server's check is written from AWS's description ("Create a signed AWS API request" in the IAM User Guide), not from
botocore, which signs. AWS itself is not reached.
"""

import hashlib
import hmac
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.errors import ClusterRefused, UsageError
from tests.faults.proxy import Asked, FaultProxy, Reply, refusal

KEY, SECRET, TOKEN = "AKIAEXAMPLE", "made-up/secret+of/the=tests", "made-up-session-token"
OPENSEARCH = {"version": {"number": "3.4.0", "distribution": "opensearch"}}
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})"
)


def _sign(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _signature(asked: Asked, secret: str, day: str, region: str, service: str, signed: str) -> str:
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(asked.query, keep_blank_values=True)
    )
    canonical = "\n".join(
        (
            asked.method,
            quote(asked.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(asked.headers[name].split())}" for name in signed.split(";")),
            "",
            signed,
            hashlib.sha256(asked.body).hexdigest(),
        )
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(
        (
            "AWS4-HMAC-SHA256",
            asked.headers["x-amz-date"],
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        )
    )
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = _sign(key, part)
    return _sign(key, text).hex()


def _checked(asked: Asked, secret: str = SECRET) -> Reply:
    """What a server that knows the secret answers: 403 unless all of it is as it must be."""
    found = _HEADER.fullmatch(asked.headers.get("authorization", ""))
    if found is None:
        return refusal(403, "security_exception", "no signature")
    key, day, region, service, signed, signature = found.groups()
    stamp = datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    right = (
        (key, region, service) == (KEY, "eu-west-1", "es")
        and abs((datetime.now(UTC) - stamp).total_seconds()) < 300
        and {"host", "x-amz-date"} <= set(signed.split(";"))
        and asked.headers.get("x-amz-content-sha256") == hashlib.sha256(asked.body).hexdigest()
        and hmac.compare_digest(signature, _signature(asked, secret, day, region, service, signed))
    )
    return (
        Reply(200, OPENSEARCH)
        if right
        else refusal(403, "security_exception", "the signature does not match")
    )


@pytest.fixture
def server() -> Iterator[FaultProxy]:
    with FaultProxy("", _checked) as made:
        yield made


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: Mapping[str, str] = {
        "OSDETECT_AWS_SERVICE": "es",
        "OSDETECT_AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


def _connect(server: FaultProxy) -> Cluster:
    return Cluster.connect(Connection.from_settings(url=server.url, retry_for_s=0))


@pytest.mark.parametrize(
    ("method", "path", "params", "body"),
    [
        ("GET", "/_cluster/health", {}, None),
        ("GET", "/osdetect-cloudtrail-*,-osdetect-x/_stats/docs", {"filter_path": "a.*.b,c"}, None),
        (
            "POST",
            "/osdetect-alerts-*/_search",
            {"a": "1", "B": "x/y=z&~", "c": ""},
            {"query": {"match_all": {}}},
        ),
        (
            "PUT",
            "/osdetect-state/_doc/cursor%3Adetect%3Aa%2Fb",
            {"if_seq_no": 3},
            {"words": "h\u00fct \u20ac"},
        ),
        ("POST", "/_bulk", {}, b'{"create":{"_index":"a","_id":"1"}}\n{"a":"\xc3\xa4"}\n'),
        ("POST", "/a/_search", {"q": "two words+plus"}, None),
    ],
)
def test_a_request_is_signed_as_aws_checks_it(
    server: FaultProxy, method: str, path: str, params: Mapping[str, object], body: object
) -> None:
    with _connect(server) as cluster:
        assert cluster.request(method, path, params=params, body=body) == OPENSEARCH
    assert SECRET not in str(server.asked)


def test_a_session_token_goes_with_it_and_is_signed(
    server: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    with _connect(server):
        pass
    (asked,) = server.asked
    assert asked.headers["x-amz-security-token"] == TOKEN
    assert "x-amz-security-token" in asked.headers["authorization"]


def test_a_profile_of_aws_gives_key_and_region(
    server: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "OSDETECT_AWS_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text(
        f"[detect]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    )
    (tmp_path / "config").write_text("[profile detect]\nregion = eu-west-1\n")
    monkeypatch.setenv("OSDETECT_AWS_PROFILE", "detect")
    with _connect(server):
        pass


def test_a_wrong_key_is_refused_and_not_shown() -> None:
    with (
        FaultProxy("", lambda asked: _checked(asked, "another")) as server,
        pytest.raises(ClusterRefused) as refused,
    ):
        _connect(server)
    assert SECRET not in f"{refused.value!r} {refused.value} {refused.value.cause} {refused.value.cure}"


@pytest.mark.parametrize(
    ("changed", "what", "cure"),
    [
        ({"OSDETECT_AWS_SERVICE": "s3"}, "no service to sign for", "es or aoss"),
        ({"OSDETECT_AWS_REGION": ""}, "region is not known", "OSDETECT_AWS_REGION"),
        ({"OSDETECT_AWS_PROFILE": "nobody"}, "configuration cannot be used", "OSDETECT_AWS_PROFILE"),
        ({"AWS_ACCESS_KEY_ID": ""}, "configuration cannot be used|no AWS credentials", "AWS_"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no AWS credentials", "AWS_ACCESS_KEY_ID"),
    ],
)
def test_what_lacks_is_told(
    changed: Mapping[str, str], what: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    with pytest.raises(UsageError, match=what) as refused:
        Connection.from_settings(url="https://h")
    assert cure in refused.value.cure


@pytest.mark.parametrize(
    ("module", "settings", "extra"),
    [
        ("boto3", {}, "osdetect[aws]"),
        ("keyring", {"OSDETECT_KEYRING": "x", "OSDETECT_USERNAME": "casey"}, "osdetect[keyring]"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    module: str, settings: Mapping[str, str], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    if settings:
        monkeypatch.delenv("OSDETECT_AWS_SERVICE")
    code = f"import sys; sys.modules[{module!r}] = None; from osdetect.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "status", "--url", "https://127.0.0.1:9"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert f"pip install '{extra}'" in ran.stderr


SAID_403 = {
    "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z": ("clock", "clock"),
    "The security token included in the request is expired": ("expired", "sign in to AWS again"),
    "The security token included in the request is invalid.": ("does not know", "AWS_ACCESS_KEY_ID"),
    "Credential should be scoped to a valid region, not 'us-east-1'.": (
        "another region",
        "OSDETECT_AWS_REGION",
    ),
    "The request signature we calculated does not match the signature you provided.": (
        "does not accept the signature",
        "AWS_SECRET_ACCESS_KEY",
    ),
    "User: arn:aws:iam::111122223333:user/casey is not authorized to perform: es:ESHttpGet": (
        "policies",
        "access policy",
    ),
}
"""What AWS answers with 403 before the cluster is asked (its documentation, "Common errors")."""


@pytest.mark.parametrize("key", ["message", "Message"])
@pytest.mark.parametrize("said", SAID_403)
def test_what_aws_refuses_with_403_is_told_as_what_it_is(said: str, key: str) -> None:
    """Not as a right that a role lacks."""
    what, cure = SAID_403[said]
    with (
        FaultProxy("", lambda _asked: Reply(403, {key: said})) as made,
        pytest.raises(ClusterRefused) as refused,
    ):
        _connect(made)
    assert what in refused.value.what
    assert said[:30] in refused.value.cause
    assert cure in refused.value.cure


def test_a_right_that_the_clusters_own_roles_lack_is_told_as_that() -> None:
    lacking = refusal(
        403,
        "security_exception",
        "no permissions for [cluster:monitor/main] and User [name=x, backend_roles=[]]",
    )
    with (
        FaultProxy("", lambda _asked: lacking) as made,
        pytest.raises(ClusterRefused, match="lacks the right"),
    ):
        _connect(made)
