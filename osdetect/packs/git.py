"""Rule files of a git repository, as they are in one commit.

Nothing is ever checked out: the objects are fetched into a bare repository that is thrown away, the tree is listed, and the
files that are wanted are read as objects. So no hook, filter, link or path of the repository has anything to act on, and
submodules are not looked at.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from osdetect.errors import InputError, UsageError, Where
from osdetect.packs.limits import MAX_SOURCE_BYTES, Gate, Snapshot
from osdetect.packs.source import Source
from osdetect.source import printable

TIMEOUT_S = 600.0
"""For the whole of a fetch; one that hears nothing for a minute ends before."""
_SILENCE_S = 60
_MAX_LISTING = 64 << 20
_PAUSE_S = 0.05
_SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.askPass=true", "credential.helper=",
    "fetch.recurseSubmodules=false", "submodule.recurse=false", "fetch.unpackLimit=1", "gc.auto=0",
    "maintenance.auto=false", "http.followRedirects=initial", f"http.lowSpeedTime={_SILENCE_S}",
    "http.lowSpeedLimit=1", "http.sslVerify=true", "protocol.version=2", "advice.detachedHead=false", "init.defaultBranch=main",
)  # fmt: skip
_KEPT = (
    "PATH", "HOME", "LANG", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
    "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY",
)  # fmt: skip
"""No variable of git's own is handed on but one: osdetect may itself be run by a hook of the user's repository."""
_WITHOUT = frozenset({"init", "ls-remote"})
"""What needs no repository that is there."""
_COMMIT = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")


def read_git(source: Source, gate: Gate, timeout_s: float = TIMEOUT_S) -> Snapshot:
    """What a repository holds in the commit that `source.ref` names.

    Raises:
        InputError: git cannot be run, the repository cannot be read, or it is too large.
        UsageError: there is no git.
    """
    program = shutil.which("git")
    if program is None:
        raise UsageError(
            "git is not installed",
            cause="there is no program of that name on the PATH",
            cure="install git, or name an archive (zip, tar.gz) or a folder",
        )
    with tempfile.TemporaryDirectory(prefix="osdetect-packs-") as folder:
        git = _Git(program, Path(folder) / "objects.git", source, time.monotonic() + timeout_s, gate)
        commit = git.fetch()
        wanted = list(_wanted(git.tree(commit), gate))
        for path, data in git.files(wanted):
            gate.take(path, data)
        return gate.snapshot(commit)


def is_at(source: Source, commit: str, gate: Gate, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether what `source.ref` names is this commit, without fetching anything. Where that cannot be told, it is not.

    Raises:
        InputError: git cannot be run, or the repository cannot be asked.
    """
    if source.ref == commit:
        return True
    program = shutil.which("git")
    if program is None or not commit:
        return False
    with tempfile.TemporaryDirectory(prefix="osdetect-packs-") as folder:
        git = _Git(program, Path(folder) / "none.git", source, time.monotonic() + timeout_s, gate)
        return git.advertised() == commit


class _Git:
    """The program, on one bare repository."""

    def __init__(self, program: str, repository: Path, source: Source, deadline: float, gate: Gate) -> None:
        self._program = program
        self._repository = repository
        self._source = source
        self._deadline = deadline
        self._gate = gate

    def fetch(self) -> str:
        """Fetch one commit without its history; which it is."""
        self._run("init", "--quiet", "--bare", "--template=", str(self._repository))
        self._run(
            "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-commit-graph",
            "--", _address(self._source), self._source.ref or "HEAD",
        )  # fmt: skip
        said = self._run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", "FETCH_HEAD^{commit}"
        ).strip()
        if not _COMMIT.fullmatch(said):
            raise self._refused("what the ref names is no commit")
        return said.decode()

    def advertised(self) -> str:
        """The commit that the repository says the ref is at; empty where it names none that a fetch would take."""
        ref = self._source.ref or "HEAD"
        said = self._run("ls-remote", "--quiet", "--", _address(self._source), ref, f"{ref}^{{}}").decode(
            errors="replace"
        )
        found = {name: commit for commit, _, name in (line.partition("\t") for line in said.splitlines())}
        # git rev-parse, "Specifying revisions": which of several names is meant.
        names = (ref, f"refs/{ref}", f"refs/tags/{ref}", f"refs/heads/{ref}")
        meant = next((name for name in names if name in found), "")
        return found.get(f"{meant}^{{}}", found.get(meant, ""))

    def tree(self, commit: str) -> bytes:
        """Every entry of the commit's tree: mode, type, object, size, path."""
        return self._run("ls-tree", "-r", "-z", "-l", "--full-tree", commit)

    def files(self, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
        """The content of objects, with the paths that go with them."""
        if not wanted:
            return
        with tempfile.TemporaryFile() as asked:
            asked.write("".join(f"{identity}\n" for identity, _ in wanted).encode())
            asked.seek(0)
            with self._started(("cat-file", "--batch"), stdin=asked) as process:
                assert process.stdout is not None
                for _, path in wanted:
                    yield path, self._object(process.stdout)

    def _object(self, stream: IO[bytes]) -> bytes:
        """One answer of `git cat-file --batch`."""
        _, _, size = stream.readline(200).rpartition(b" ")
        if not size.strip().isdigit():
            raise self._refused("it lacks one of its own files")
        data = stream.read(int(size))
        stream.read(1)
        return data

    def _run(self, *arguments: str) -> bytes:
        """What git says; its output goes to a file, so that neither much of it nor silence holds us."""
        with tempfile.TemporaryFile() as said, self._started(arguments, stdout=said) as process:
            while process.poll() is None:
                if time.monotonic() > self._deadline:
                    raise self._refused("it took too long")
                if self._bytes() > MAX_SOURCE_BYTES:
                    raise self._gate.too_much(f"the repository has more than {MAX_SOURCE_BYTES >> 20} MiB")
                self._require_short(said)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PAUSE_S)
            self._require_short(said)
            said.seek(0)
            return said.read()

    def _require_short(self, said: IO[bytes]) -> None:
        """A few objects can be made to be listed as millions of files: each folder holds the next ten times."""
        if os.fstat(said.fileno()).st_size > _MAX_LISTING:
            raise self._gate.too_much("its list of files is longer than any pack's")

    @contextmanager
    def _started(
        self, arguments: Sequence[str], stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Git in a session of its own, ended with all that it started when the body ends before it."""
        where = () if arguments[0] in _WITHOUT else ("--git-dir", str(self._repository))
        settings = (part for setting in _SETTINGS for part in ("-c", setting))
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(  # noqa: S603  # a fixed program, no shell; what is the user's stands behind --
                [self._program, *settings, *where, *arguments],
                stdin=stdin or subprocess.DEVNULL,
                stdout=stdout or subprocess.PIPE,
                stderr=errors,
                env=self._environment(),
                cwd=self._repository.parent,
                start_new_session=True,
            )
            try:
                yield process
                if process.wait(max(1.0, self._deadline - time.monotonic())):
                    errors.seek(0)
                    raise self._refused(_last_words(errors.read(4_096)))
            except subprocess.TimeoutExpired as error:
                raise self._refused("it took too long") from error
            finally:
                _end(process)

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {
            **kept,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_ALLOW_PROTOCOL": _protocol(self._source),
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_SSH_COMMAND": f"ssh -oBatchMode=yes -oConnectTimeout={_SILENCE_S} -oPermitLocalCommand=no",
        }

    def _bytes(self) -> int:
        total = 0
        for folder, _, names in os.walk(self._repository / "objects"):
            for name in names:
                try:
                    total += os.lstat(f"{folder}/{name}").st_size
                except FileNotFoundError:  # it got its name just now
                    continue
        return total

    def _refused(self, cause: str) -> InputError:
        cure = "see whether `git ls-remote` reads it without asking anything; for private ones: a key for ssh, or ~/.netrc"
        if "dubious ownership" in cause:  # git's own cure, a setting, is one of those that are not read here
            cure = (
                "its files are another user's: clone it as yourself and name the clone, or give --kind folder"
            )
        return InputError(
            "this repository cannot be read",
            cause=cause,
            cure=cure,
            where=Where(printable(self._source.location, 300)),
        )


def _address(source: Source) -> str:
    return source.location if source.remote else str(Path(source.location).absolute())


def _protocol(source: Source) -> str:
    """The only protocol that git may use: that of the address, so that none leads to another."""
    if not source.remote:
        return "file"
    return urlsplit(source.location).scheme if "://" in source.location else "ssh"


def _last_words(said: bytes) -> str:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return "git says: " + printable(" ".join((told or lines or ["nothing"])[:2]), 300)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.stdout is not None:
        process.stdout.close()
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it ended just now
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wanted(tree: bytes, gate: Gate) -> Iterator[tuple[str, str]]:
    """The objects that are read, with their paths: plain files that hold rules or licences, and are not too large."""
    for line in tree.split(b"\0"):
        if not line:
            continue
        gate.count()
        head, _, name = line.partition(b"\t")
        mode, _, identity, size = head.split()
        path = name.decode("utf-8", "surrogateescape")
        if mode == b"160000":
            gate.refuse(
                path,
                "this is a submodule",
                "other repositories are not fetched",
                "add it as a pack of its own",
            )
        elif mode == b"120000":
            gate.refuse(
                path, "this is a link", "links are not followed", "put the file itself into the repository"
            )
        elif gate.passes(path) and (most := gate.wants(path)):
            if int(size) > most:
                gate.refuse(
                    path, f"this file is larger than {most >> 10:,} KiB", cure="split it in the source"
                )
            else:
                yield identity.decode(), path
