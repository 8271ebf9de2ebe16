"""Where things are kept, and for whom.

    cache   artifacts/SHA256.jar          immutable, named by content
            homes/opensearch-V-HASH/      assembled from them; hard links
            java/VERSION/                 a copy of the JRE, only if the node's account cannot read the installed one
    data    nodes/NAME.lock               held while NAME starts or stops
            nodes/NAME/state.json         what runs
            nodes/NAME/{plain,secured,ephemeral}/{config,data,logs,tmp}/

Both roots are per user; a node that root starts runs as another account, which must be able to enter them, so
root's are below /var and not in root's home.
"""

import os
import re
import stat
from pathlib import Path

import msgspec
import platformdirs

from osdetect import settings
from osdetect.errors import NodeError
from osdetect.node.account import Account

CACHE_VARIABLE = "OSDETECT_CACHE_DIR"
DATA_VARIABLE = "OSDETECT_DATA_DIR"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def cache_root() -> Path:
    """The folder of what can be downloaded again."""
    return _root("cache_dir", Path("/var/cache/osdetect"), platformdirs.user_cache_path("osdetect"))


def data_root() -> Path:
    """The folder of what cannot: the nodes' data and state."""
    return _root("data_dir", Path("/var/lib/osdetect"), platformdirs.user_data_path("osdetect"))


def _root(setting: str, of_root: Path, of_user: Path) -> Path:
    chosen = settings.text(setting)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return of_root if os.geteuid() == 0 else of_user


class NodePlace(msgspec.Struct, frozen=True):
    """The files of the node called `name`."""

    root: Path
    name: str

    @property
    def directory(self) -> Path:
        """Everything of this node but its lock."""
        return self.root / "nodes" / self.name

    @property
    def lock_file(self) -> Path:
        """Held by the process that starts or stops the node."""
        return self.root / "nodes" / f"{self.name}.lock"

    @property
    def state_file(self) -> Path:
        """What runs, written by the process that started it."""
        return self.directory / "state.json"

    def storage(self, kind: str) -> "Storage":
        """The server's own folders; `kind` is plain, secured or ephemeral."""
        return Storage(self.directory / kind)


class Storage(msgspec.Struct, frozen=True):
    """The folders that the server reads and writes."""

    directory: Path

    @property
    def config(self) -> Path:
        """Settings, logging, keystore, certificates."""
        return self.directory / "config"

    @property
    def data(self) -> Path:
        """Indices."""
        return self.directory / "data"

    @property
    def logs(self) -> Path:
        """The server's log and what it printed."""
        return self.directory / "logs"

    @property
    def tmp(self) -> Path:
        """Java's temporary folder; the server unpacks native libraries there."""
        return self.directory / "tmp"

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self.logs / "node.log"

    @property
    def console_file(self) -> Path:
        """What the process printed before and beside its log, since its start."""
        return self.logs / "console.log"

    def create(self, account: Account | None) -> None:
        """Make the folders, private to the account that the server runs as."""
        make_passable(self.directory)
        for folder in (self.config, self.data, self.logs, self.tmp):
            folder.mkdir(mode=0o700, exist_ok=True)
            if account:
                os.chown(folder, account.uid, account.gid, follow_symlinks=False)


def node_place(name: str) -> NodePlace:
    """The files of the node called `name`.

    Raises:
        NodeError: `name` cannot be the name of a folder and of a node.
    """
    if not _NAME.fullmatch(name):
        raise NodeError(
            f"{name!r} cannot be the name of a node",
            cause="it must be 1 to 63 lower-case letters, digits, '.', '_' or '-', and start with a letter or digit",
            cure="choose another --name",
        )
    return NodePlace(data_root(), name)


def require_passable(path: Path, account: Account | None, variable: str) -> None:
    """Make sure that the node's account can enter every folder above `path`.

    Raises:
        NodeError: it cannot; `variable` is named as the setting that moves it elsewhere.
    """
    if account is None:
        return
    for folder in (*reversed(path.parents), path):
        if folder.exists() and not enterable(folder, account):
            raise NodeError(
                f"the account {account.name}, which runs the node, cannot enter {folder}",
                cause="OpenSearch does not run as root",
                cure=f"set {variable} to a folder that every account can enter, or run osdetect as a plain user",
            )


def make_passable(folder: Path) -> Path:
    """Make `folder` and what is missing above it, open to enter and read whatever our umask is."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(exist_ok=True)
        missing.chmod(0o755)
    return folder


def enterable(folder: Path, account: Account) -> bool:
    """Whether the mode of `folder` lets `account` pass through it."""
    found = folder.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
