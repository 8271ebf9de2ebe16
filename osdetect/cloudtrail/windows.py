"""A file of records in windows: texts of a few MiB, each of whole records, whatever the size and the layout of the file.

A window stands for itself: it is a delivery (`{"Records":[...]}`), or text with a record on each line. A file that fits
into one window is that window, as it is, and may then be anything. A larger one is cut where one record ends and
the next begins; each cut inside a list is checked before it is used.
"""

import re
from collections.abc import Generator, Iterator

import msgspec

from osdetect.cloudtrail import layout
from osdetect.cloudtrail.bare import by_line, is_record, one_a_line
from osdetect.cloudtrail.reader import Cut, spans_of
from osdetect.cloudtrail.split import BOM, NO_END, Spans, keys, skip, value_end
from osdetect.errors import RecordError

WINDOW = 4 << 20
"""A file up to this size is one window; a window of a larger one is about as large."""
FRAME = b'{"Records":['
_NEXT = re.compile(rb'\]\s*\}\s*(?=\{\s*"Records"\s*:\s*\[)')
"""Where a delivery ends and another begins. Inside a text the quotes would be escaped."""
_FRAMED = re.compile(rb'\{\s*"Records"')
_KEY = re.compile(rb'\s*\{\s*"[^"\\]*"')
_TRIES = 4
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class Window(msgspec.Struct, frozen=True, gc=False):
    """Some whole records of a file, in its order."""

    text: bytes
    offset: int
    """Where `text` begins in the file's unpacked text; a little before the records if a frame was put around them."""
    lines: bool = False
    """Whether each line is a record."""
    inner: bool = False
    """Whether it is part of a larger text, the layout of which is known."""

    def spans(self) -> Spans | None:
        """Where each record is; None when the text holds none that is known."""
        return by_line(self.text) if self.lines and self.inner else spans_of(self.text)


class _Buffer:
    """The part of the text that was read and not used."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.text = b""
        self.offset = 0
        self.ended = False

    def fill(self, size: int) -> None:
        """Read until there are `size` bytes, or the text ends."""
        parts = [self.text] if self.text else []  # one part alone is not copied
        have = len(self.text)
        while have < size and not self.ended:
            piece = next(self._pieces, None)
            if piece is None:
                self.ended = True
            else:
                parts.append(piece)
                have += len(piece)
        self.text = b"".join(parts)

    def use(self, end: int) -> bytes:
        """Take what stands before `end`."""
        taken, self.text = self.text[:end], self.text[end:]
        self.offset += end
        return taken

    def skip_space(self) -> None:
        self.use(skip(self.text, 0))


def windows(pieces: Iterator[bytes], longest: int, size: int = WINDOW) -> Iterator[Window | Cut]:
    """The windows of a text.

    Args:
        pieces: the text.
        longest: the most bytes that a record may have.
        size: how large a window is, about.

    Yields:
        Windows; in the end a `Cut` if the text could not be followed further.

    Raises:
        RecordError: the text is larger than a window and holds no records that are known; `what` is what it seems to be.
    """
    buffer = _Buffer(pieces)
    buffer.fill(size + 1)
    if buffer.ended:
        yield Window(buffer.text, 0, lines=_is_lined(buffer.text))
        return
    if buffer.text.startswith(BOM):
        buffer.use(len(BOM))
    yield from _Cutter(buffer, longest, size).windows()


class _Cutter:
    """Cuts a text that is larger than a window."""

    def __init__(self, buffer: _Buffer, longest: int, size: int) -> None:
        self._buffer, self._longest, self._size = buffer, longest, size
        self._mark = b""
        """The bytes from one record's end into the next one's first name."""
        self._lined = False
        """Whether the records stand on lines: then a bad line does not end that."""

    def windows(self) -> Iterator[Window | Cut]:
        known = False
        while True:
            self._more()
            text = self._buffer.text
            if not text:
                return
            place = _list_at(text)
            if place is not None:
                ended = yield from self._delivery(place)
            elif self._lined or (text[:1] == b"{" and is_record(text, 0)):
                self._lined = self._lined or one_a_line(text, 0)
                ended = yield from self._lines() if self._lined else self._row()
            elif (digest := layout.digest_end(text, 0)) is not None:
                self._buffer.use(digest)
                continue
            elif known:
                yield Cut("something other than a record follows", self._buffer.offset)
                return
            else:
                raise RecordError(layout.recognise(text))
            if ended:
                return
            known = True

    def _more(self) -> None:
        """Have a window's worth of text, beginning with no space, unless the file ends before."""
        self._buffer.fill(self._size)
        self._buffer.skip_space()
        while not self._buffer.text and not self._buffer.ended:
            self._buffer.fill(self._size)
            self._buffer.skip_space()

    def _grown(self) -> bool:
        """Have more text than before; false when the file or a record's greatest length is reached."""
        if self._buffer.ended or len(self._buffer.text) > self._longest:
            return False
        self._buffer.fill(len(self._buffer.text) * 2)
        return True

    def _delivery(self, place: int) -> Generator[Window | Cut, None, bool]:
        """A list of records, in a frame or not; its bracket is at `place`. True when nothing more can be read."""
        framed = self._buffer.text[:1] == b"{"
        following = _NEXT.search(self._buffer.text, place) if framed else None
        if following is not None:
            offset = self._buffer.offset
            yield Window(self._buffer.use(following.end()), offset)
            return False
        self._buffer.use(place + 1)
        while True:
            self._more()
            offset = self._buffer.offset - len(FRAME)
            if self._buffer.ended and len(self._buffer.text) <= self._size:
                rest = self._buffer.use(len(self._buffer.text))
                frame_end = b"" if framed or not rest.rstrip().endswith(b"]") else b"}"
                yield Window(FRAME + rest + frame_end, offset)
                return True
            following = _NEXT.search(self._buffer.text) if framed else None
            if following is not None:
                yield Window(FRAME + self._buffer.use(following.end()), offset, inner=True)
                return False
            end = self._cut()
            if end is None:
                yield self._too_long()
                return True
            if end:
                yield Window(FRAME + self._buffer.use(end) + b"]}", offset, inner=True)
            closed = yield from self._after_item(framed=framed)
            if closed is not None:
                return closed

    def _after_item(self, *, framed: bool) -> Generator[Cut, None, bool | None]:
        """Pass the comma behind a record. At the list's end instead: whether nothing more can be read."""
        self._more()
        if self._buffer.text[:1] == b",":
            self._buffer.use(1)
            return None
        if self._buffer.text[:1] != b"]":
            why = (
                "something other than a comma follows a record"
                if self._buffer.text
                else "the text ends between records"
            )
            yield Cut(why, self._buffer.offset)
            return True
        self._buffer.use(1)
        self._more()
        end = self._frame_end() if framed else 0
        if end is None:
            yield Cut(NO_END, self._buffer.offset)
            return True
        self._buffer.use(end)
        return False

    def _frame_end(self) -> int | None:
        """Behind the brace that closes a delivery, which other names may precede; they hold no records."""
        if self._buffer.text[:1] == b"}":
            return 1
        while True:
            rest = b"{" + self._buffer.text[1:]
            end = value_end(rest, 0)
            if end is not None:
                break
            if not self._grown():
                return None
        others = self._buffer.text[:1] == b"," and b'"Records"' not in {name for name, _ in keys(rest, 0)}
        return end if others else None

    def _cut(self) -> int | None:
        """Where the last whole record of the buffer ends; 0 when the list ends here, None when no record does."""
        text = self._buffer.text
        self._mark = self._mark or _mark(text)
        at = text.rfind(self._mark) if self._mark else -1
        for _ in range(_TRIES):
            if at < 0:
                break
            if _whole(text[: at + 1]):
                return at + 1
            at = text.rfind(self._mark, 0, at)
        return self._walked(b",")

    def _walked(self, between: bytes) -> int | None:
        """The same, found token by token."""
        last = place = 0
        text = self._buffer.text
        while True:
            if between and text[place : place + 1] == b"]":
                return last
            end = value_end(text, place) if place < len(text) else None
            if end is None or (end == len(text) and not self._buffer.ended):
                if last:
                    return last
                if not self._grown():
                    return None
                text = self._buffer.text
                continue
            last = end
            place = skip(text, end)
            if between:
                if text[place : place + 1] != between:
                    return last
                place = skip(text, place + 1)

    def _lines(self) -> Generator[Window | Cut, None, bool]:
        offset = self._buffer.offset
        while (end := self._last_line()) == 0:
            if not self._grown():
                yield self._too_long()
                return True
        yield Window(self._buffer.use(end), offset, lines=True, inner=True)
        return False

    def _last_line(self) -> int:
        return len(self._buffer.text) if self._buffer.ended else self._buffer.text.rfind(b"\n") + 1

    def _row(self) -> Generator[Window | Cut, None, bool]:
        offset = self._buffer.offset
        values = self._marked_row() or self._walked_row()
        if values is None:
            yield self._too_long()
            return True
        yield Window(FRAME + values + b"]}", offset - len(FRAME), inner=True)
        return False

    def _marked_row(self) -> bytes | None:
        """Records one after the other, with commas put between them where each begins as the second does."""
        text = self._buffer.text
        end = value_end(text, 0)
        place = skip(text, end) if end is not None else 0
        key = _KEY.match(text, place)
        if end is None or key is None:
            return None
        # Nowhere but between two values can this stand in JSON.
        mark = text[end - 1 : key.end()]
        at = text.rfind(mark)
        values = text[: at + 1].replace(mark, b"}," + mark[1:])
        if not _whole(values):
            return None
        self._buffer.use(at + 1)
        return values

    def _walked_row(self) -> bytes | None:
        while (end := value_end(self._buffer.text, 0)) is None:
            if not self._grown():
                return None
        text, values, place = self._buffer.text, [self._buffer.text[:end]], end
        while True:
            start = skip(text, place)
            following = value_end(text, start) if text[start : start + 1] == b"{" else None
            if following is None or not is_record(text, start):
                break
            values.append(text[start:following])
            place = following
        self._buffer.use(place)
        return b",".join(values)

    def _too_long(self) -> Cut:
        if self._buffer.ended:
            return Cut("the text ends inside a record", self._buffer.offset)
        return Cut(f"a record is larger than {self._longest} bytes", self._buffer.offset)


def _list_at(text: bytes) -> int | None:
    """Where the list of records opens that `text` begins with, if it does."""
    if text[:1] == b"[":
        first = skip(text, 1)
        return 0 if text[first : first + 1] == b"{" and is_record(text, first) else None
    return next(
        (at for name, at in keys(text, 0) if name == b'"Records"' and text[at : at + 1] == b"["), None
    )


def _is_lined(text: bytes) -> bool:
    """Whether the text begins with a record on a line of its own; made to answer at once for a delivery."""
    return text[:1] == b"{" and not _FRAMED.match(text) and one_a_line(text, 0) and is_record(text, 0)


def _mark(text: bytes) -> bytes:
    end = value_end(text, 0)
    if end is None:
        return b""
    place = skip(text, end)
    key = _KEY.match(text, place + 1) if text[place : place + 1] == b"," else None
    return text[end - 1 : key.end()] if key else b""


def _whole(text: bytes) -> bool:
    """Whether the text is JSON values with commas between them."""
    try:
        _LIST.decode(b"[" + text + b"]")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
