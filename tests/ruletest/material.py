"""Rules and tests in a folder, and the command run on them."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from osdetect.cli.main import run

ID = "8d0f3c52-6a0e-4a4b-9a55-0c1f6f1f7a{:02}"
RULE = """
title: Key made for another
id: {id}
status: test
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    eventSource: iam.amazonaws.com
    eventName: CreateAccessKey
  own:
    requestParameters.userName|fieldref: userIdentity.userName
  condition: selection and not own
level: medium
"""
TESTS = """
base:
  eventSource: iam.amazonaws.com
  eventName: CreateAccessKey
  eventTime: 2026-03-02T10:15:00Z
  userIdentity: {type: IAMUser, userName: ann}
  requestParameters: {userName: bob}
must_match:
  - why: ann makes a key for bob
must_not_match:
  - why: ann makes a key for herself
    change: {requestParameters.userName: ann}
  - why: it is another call
    change: {eventName: CreateUser}
"""


def rule_with_tests(
    folder: Path, tests: str = TESTS, rule: str = RULE, *, name: str = "key", number: int = 1
) -> Path:
    """The rule's file, with the tests beside it."""
    file = folder / f"{name}.yml"
    file.write_text(rule.format(id=ID.format(number)))
    if tests:
        (folder / f"{name}.tests.yml").write_text(tests)
    return file


class Done(msgspec.Struct, frozen=True):
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def osdetect(*arguments: object) -> Done:
    """The command, in this process: starting Python anew each time is most of what these tests would do."""
    out, err = io.BytesIO(), io.BytesIO()
    with (
        io.TextIOWrapper(out, encoding="utf-8", write_through=True) as shown,
        io.TextIOWrapper(err, encoding="utf-8", write_through=True) as told,
        contextlib.redirect_stdout(shown),
        contextlib.redirect_stderr(told),
    ):
        code = run([*map(str, arguments)])
        done = Done(code, out.getvalue().decode(), err.getvalue().decode())
    assert "Traceback" not in done.err
    return done


def program(*arguments: object) -> Done:
    """The program itself."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "osdetect"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Done(done.returncode, done.stdout, done.stderr)
