"""Files that hold one generated password each, for their owner's eyes."""

import os
import secrets
from pathlib import Path

from osdetect.errors import OutputError, UsageError

_BYTES = 24
"""192 bits, 32 signs: the plugin refuses what can be guessed."""


def password_in(file: Path) -> str:
    """The file's first line; empty when there is no such file.

    Raises:
        UsageError: it is there and cannot be read, or is empty.
    """
    try:
        found = file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise UsageError(
            f"the password file {file} cannot be read", cause=said or "", cure="check its rights"
        ) from None
    if not found:
        raise UsageError(f"the password file {file} is empty", cure="delete it to get a new password")
    return found


def new_password(file: Path) -> str:
    """A new password, in a new file of mode 0600.

    Raises:
        OutputError: the file cannot be written.
    """
    made = secrets.token_urlsafe(_BYTES)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(
            os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as stream:
            stream.write(f"{made}\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise OutputError(
            f"the password file {file} cannot be written", cause=error.strerror or str(error)
        ) from None
    return made
