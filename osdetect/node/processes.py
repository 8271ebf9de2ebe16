"""Processes told apart for certain: a pid alone may have been given to another process meanwhile."""

import os
import signal
import subprocess
import time
from pathlib import Path

import msgspec

from osdetect.node.account import Account

_PROC = Path("/proc")
_PAUSE = 0.05
MARKER = "-Dosdetect.node="
"""Stands on the command line of each of our nodes, before the folder of the node."""
MAIN_CLASS = "org.opensearch.bootstrap.OpenSearch"
"""Stands there too."""


class Identity(msgspec.Struct, frozen=True):
    """A process: its pid, and when it was born in the system's own words. No two processes share both."""

    pid: int
    born: str


def identify(pid: int) -> Identity | None:
    """The process that has `pid` now; None if there is none, or only its unreaped remains."""
    born = _born_linux(pid) if _PROC.joinpath("self").exists() else _born_ps(pid)
    return Identity(pid, born) if born else None


def alive(identity: Identity) -> bool:
    """Whether that very process still runs."""
    return identify(identity.pid) == identity


def _born_linux(pid: int) -> str:
    """Boot and clock ticks since boot: proc(5), /proc/pid/stat field 22, counted after the name in brackets."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    if fields[0] in {"Z", "X"}:
        return ""
    return f"{(_PROC / 'sys/kernel/random/boot_id').read_text().strip()}/{fields[19]}"


def _born_ps(pid: int) -> str:
    found = subprocess.run(  # noqa: S603 - fixed words and a number
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, born = found.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else born.strip()


def marked(directory: Path) -> list[Identity]:
    """The processes whose command line says that they are the node of `directory`."""
    wanted = tuple(
        (f"{between}{MARKER}{directory}{between}", f"{between}{MAIN_CLASS}{between}")
        for between in ("\0", " ")
    )
    found = [
        identify(pid)
        for pid, line in _command_lines()
        if any(mark in line and main in line for mark, main in wanted)
    ]
    return [identity for identity in found if identity]


def _command_lines() -> list[tuple[int, str]]:
    """Each process's command line; the words are divided and the line is ended by NUL (proc(5)) or a space (ps)."""
    if not _PROC.joinpath("self").exists():
        listed = subprocess.run(
            ["/bin/ps", "-axwwo", "pid=,command="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        pairs = [line.strip().partition(" ") for line in listed]
        return [(int(pid), f"{line} ") for pid, _, line in pairs]
    lines = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it ended meanwhile, or is hidden from us and so not ours
            lines.append((int(entry.name), line))
    return lines


def resident_bytes(pid: int) -> int:
    """The memory that a process holds; 0 where the system has no /proc."""
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def end(identity: Identity, timeout: float) -> bool:
    """End a process: SIGTERM, and SIGKILL if it is still there after `timeout` seconds.

    Returns:
        Whether it ended of itself, without SIGKILL.
    """
    if not _signal(identity, signal.SIGTERM) or _gone(identity, timeout):
        return True
    _signal(identity, signal.SIGKILL)
    _gone(identity, 10.0)
    return False


def _signal(identity: Identity, number: signal.Signals) -> bool:
    """Send to exactly that process; False if it is no more."""
    if not alive(identity):
        return False
    try:
        os.kill(identity.pid, number)
    except ProcessLookupError:
        return False
    return True


def _gone(identity: Identity, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while alive(identity):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def launch(command: list[str], *, account: Account | None, directory: Path, output: Path) -> int:
    """Start a process that outlives us, in a session of its own, and return its pid.

    The shell in between starts it and goes, so that it is no child of ours: nobody has to wait for it, and
    Ctrl-C in the terminal does not reach it.

    Args:
        command: program and arguments.
        account: whom to run it as; None for who we are.
        directory: where it runs, and its HOME.
        output: the file that takes what it prints; written anew, and never through a symbolic link.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with open(os.open(output, flags, 0o600), "wb") as console:  # noqa: PTH123 - O_NOFOLLOW
        started = subprocess.run(  # noqa: S603 - our own command
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=console,
            cwd=directory,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(directory)},
            start_new_session=True,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=True,
        )
    return int(started.stdout)
