"""A message as a line of JSON: at the end of a file, or on standard output."""

import fcntl
import os
import stat
import sys
import threading
from collections.abc import Callable

from osdetect.notify.message import Message
from osdetect.notify.outcome import Later, Outcome, Sent
from osdetect.notify.settings import File
from osdetect.notify.webhook import body
from osdetect.notify.words import Template

_one_at_a_time = threading.Lock()
"""Several channels may write to standard output."""


def file_sender(channel: File, template: Template) -> Callable[[Message], Outcome]:
    """What writes a message to the channel's file."""

    def send(message: Message) -> Outcome:
        try:
            return _append(channel, body(message, template) + b"\n")
        except OSError as error:
            return Later(f"{channel.path} cannot be written: {error.strerror or error}")

    return send


def stdout_sender(template: Template) -> Callable[[Message], Outcome]:
    """What writes a message to standard output. BrokenPipeError is the caller's: then the reader is gone."""

    def send(message: Message) -> Outcome:
        with _one_at_a_time:
            try:
                sys.stdout.buffer.write(body(message, template) + b"\n")
                sys.stdout.buffer.flush()
            except BrokenPipeError:
                return Later("the reader of standard output is gone")
            except OSError as error:
                return Later(f"standard output cannot be written: {error.strerror or error}")
        return Sent()

    return send


def _append(channel: File, line: bytes) -> Outcome:
    """The whole line or nothing of it, on the disk when this returns; the file is opened anew each time, so it may be moved away.

    Raises:
        OSError: it cannot be written; what was written of the line is taken back.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    opened = os.open(channel.path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return Later(f"{channel.path} is no file")
        fcntl.flock(opened, fcntl.LOCK_EX)
        size = os.fstat(opened).st_size
        if channel.max_mb and size + len(line) > channel.max_mb << 20:
            return Later(f"{channel.path} would become larger than {channel.max_mb} MB: move it away")
        # A line that a killed writer left unfinished is ended first.
        torn = size > 0 and os.pread(opened, 1, size - 1) != b"\n"
        whole = b"\n" + line if torn else line
        try:
            if os.write(opened, whole) != len(whole):
                os.ftruncate(opened, size)
                return Later(f"{channel.path}: the disk is full")
            os.fsync(opened)
        except OSError:
            os.ftruncate(opened, size)
            raise
        return Sent()
    finally:
        os.close(opened)
