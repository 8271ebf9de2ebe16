"""Where a secret comes from: a file, the environment or the keyring; never the command line, never a settings file."""

import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

from osdetect.errors import UsageError
from osdetect.settings.layers import Found, Layers

_LARGEST = 64 << 10


class Secret(msgspec.Struct, frozen=True):
    """A secret that is read when it is needed: a token's file may be written anew while we run."""

    name: str
    """password or token."""
    source: Found
    read: Callable[[], str]

    def __repr__(self) -> str:
        return f"Secret({self.name}, {self.source!r})"


def secret(held: Layers, name: str, account: str, given: Found | None = None) -> Secret | None:
    """The secret called `name`; None when nobody names one.

    Of `NAME_file`, `NAME` and the keyring the one that is said most strongly (the environment over a file) is taken;
    said equally strongly, the file wins over the value, and both over the keyring.

    Args:
        held: the settings.
        name: password or token.
        account: whose, in the keyring; empty: it is not looked for there.
        given: a value that the caller has already.
    """
    candidates = [
        (found, reader)
        for found, reader in (
            (held.find(f"{name}_file"), _from_file),
            (given or held.find(name), _from_value),
            *(((held.find("keyring"), _from_keyring),) if account else ()),
        )
        if found
    ]
    if not candidates:
        return None
    source, reader = min(candidates, key=lambda one: one[0].origin.rank)

    def read() -> str:
        return _usable(name, source, reader(name, source, account))

    once = reader is _from_keyring or (reader is _from_file and _gives_once(Path(source.value)))
    return Secret(name, source, cache(read) if once else read)


def _gives_once(path: Path) -> bool:
    """Whether a second reading would find nothing, or wait for ever: a pipe, as in `<(pass show detector)`."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # reading it says what is wrong
        return False


def _usable(name: str, source: Found, value: str) -> str:
    """Refuse what no header can carry, without repeating it."""
    if not value:
        raise UsageError(f"the {name} is empty", cause=f"it comes from {source.place or source.origin.value}")
    if any(map(_unsendable, value)) or (name == "token" and not _token(value)):
        raise UsageError(
            f"the {name} holds characters that cannot be sent",
            cause=f"it comes from {source.place or source.origin.value}",
            cure="it is to be one line of UTF-8" + ("; a token has no spaces" if name == "token" else ""),
        )
    return value


def _unsendable(sign: str) -> bool:
    """A control character, or half of a pair: a byte of the environment that is no UTF-8."""
    return ord(sign) < 32 or ord(sign) == 127 or 0xD800 <= ord(sign) <= 0xDFFF


def _token(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value


def _from_value(_name: str, source: Found, _account: str) -> str:
    return source.value


def _from_file(name: str, source: Found, _account: str) -> str:
    path, variable = Path(source.value), source.setting.variable
    try:
        with path.open(encoding="utf-8") as opened:
            return opened.readline(_LARGEST).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise UsageError(
            f"the {name} file {path} cannot be read", cause=said or "", cure=f"check {variable}"
        ) from None


def _from_keyring(name: str, source: Found, account: str) -> str:
    try:
        import keyring  # noqa: PLC0415  # an extra, and slow
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ImportError:
        raise UsageError(
            "the keyring needs a package that is not installed", cure="pip install 'osdetect[keyring]'"
        ) from None
    try:
        found = keyring.get_password(source.value, account)
    except KeyringError as error:
        raise UsageError(
            f"the keyring gives no {name}",
            cause=f"{type(error).__name__}: {error}",
            cure="unlock it, or use a file",
        ) from None
    if found is None:
        raise UsageError(
            f"the keyring has no {name} of {account} for {source.value}",
            cure=f"keyring set {source.value} {account}",
        )
    return found


def readable_by_all(path: Path) -> bool:
    """Whether every account of this machine may read a file that holds a secret."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
