"""Secrets of channels: the settings name an environment variable or a file, and never say the secret itself."""

import os
from pathlib import Path

from osdetect.errors import UsageError

_LARGEST = 64 << 10


def revealed(channel: str, name: str, variable: str, file: str) -> str:
    """The secret that stands in an environment variable or in a file's first line; empty when neither is named.

    Args:
        channel: whose it is, for the message of a failure.
        name: the setting's name without its ending: `secret` for `secret_env` and `secret_file`.
        variable: the environment variable; empty: none.
        file: the file; empty: none.

    Raises:
        UsageError: both are named, or what is named is not there, is empty, cannot be sent, or cannot be read.
    """
    if variable and file:
        raise UsageError(
            f"channel {channel} names its {name} twice", cure=f"keep one of {name}_env and {name}_file"
        )
    if variable:
        said, place = os.environ.get(variable, ""), f"the environment variable {variable}"
    elif file:
        said, place = _first_line(channel, name, file), f"the file {file}"
    else:
        return ""
    if not said.strip():
        raise UsageError(f"the {name} of channel {channel} is empty", cause=f"it is to stand in {place}")
    if not (said.strip().isascii() and said.strip().isprintable()):
        raise UsageError(
            f"the {name} of channel {channel} holds characters that cannot be sent",
            cause=f"{place} holds control characters or others than ASCII",
        )
    return said.strip()


def _first_line(channel: str, name: str, file: str) -> str:
    try:
        with Path(file).open(encoding="utf-8") as opened:
            return opened.readline(_LARGEST)
    except (OSError, ValueError) as error:  # ValueError: no UTF-8 in it, or a NUL in its name
        raise UsageError(
            f"the {name} of channel {channel} cannot be read",
            cause=f"{file}: {getattr(error, 'strerror', '') or error}",
            cure=f"check {name}_file",
        ) from None
