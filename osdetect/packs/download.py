"""An archive from a URL, into a file that is thrown away."""

import http.client
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from osdetect.errors import InputError, Where
from osdetect.packs.limits import MAX_SOURCE_BYTES, Gate
from osdetect.source import printable

SILENCE_S = 30.0
"""Of the server, in one read."""
TIMEOUT_S = 600.0
"""For all of it: a server that sends a byte now and then does not hold us for ever."""
_STEP = 1 << 16
_DIGITS = 19


@contextmanager
def downloaded(
    url: str,
    gate: Gate,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    timeout_s: float = TIMEOUT_S,
) -> Iterator[Path]:
    """The archive as a file, for the `with` block.

    Raises:
        InputError: it cannot be fetched, or is too large.
    """
    with tempfile.TemporaryDirectory(prefix="osdetect-packs-") as folder:
        file = Path(folder) / "archive"
        try:
            with file.open("wb") as stream:
                _fetch(url, stream, gate, on_progress, time.monotonic() + timeout_s)
        except ssl.SSLCertVerificationError as error:
            raise _failed(url, f"its certificate is not trusted: {error.verify_message}") from error
        except urllib.error.HTTPError as error:
            raise _failed(
                url, f"the server answers {error.code} {printable(str(error.reason), 80)}"
            ) from error
        except urllib.error.URLError as error:
            reason = error.reason
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise _failed(url, f"its certificate is not trusted: {reason.verify_message}") from error
            raise _failed(url, f"it cannot be reached: {reason}") from error
        except UnicodeError as error:  # the name of a host, also of one that is redirected to
            raise _failed(url, "it has no host that can be asked") from error
        except (OSError, http.client.HTTPException) as error:
            raise _failed(url, f"it broke off: {type(error).__name__}: {error}") from error
        yield file


class _OnlySafely(urllib.request.HTTPRedirectHandler):
    """A redirection is followed if it stays with https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request to go on with.

        Raises:
            URLError: it would leave https.
        """
        if urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError(f"it redirects to {printable(newurl, 80)}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(
    url: str, stream: IO[bytes], gate: Gate, on_progress: Callable[[int, int], None], deadline: float
) -> None:
    opener = urllib.request.build_opener(_OnlySafely)
    request = urllib.request.Request(url, headers={"User-Agent": "osdetect"})  # noqa: S310  # source.py lets https alone through
    with opener.open(request, timeout=SILENCE_S) as answer:
        said = answer.headers.get("Content-Length") or ""
        expected = int(said) if said.isascii() and said.isdigit() and len(said) < _DIGITS else 0
        done = 0
        while data := answer.read1(_STEP):
            done += len(data)
            if max(done, expected) > MAX_SOURCE_BYTES:
                raise gate.too_much(f"the download has more than {MAX_SOURCE_BYTES >> 20} MiB")
            if time.monotonic() > deadline:
                raise _failed(url, "it took too long")
            stream.write(data)
            on_progress(done, expected or done)
    if done < expected:
        raise _failed(url, f"it ended after {done:,} of {expected:,} bytes")


def _failed(url: str, cause: str) -> InputError:
    return InputError(
        "this archive cannot be fetched",
        cause=printable(cause, 300),
        cure="try again, or fetch it by other means and name the file",
        where=Where(printable(url.split("?", maxsplit=1)[0], 300)),
    )
