"""The compiled reader of records (the `.rs` files here), by way of `ctypes`.

It is made when osdetect is installed where the Rust compiler is (`hatch_build.py`), or comes in the wheel. Where it is
missing, the same is done in Python at half the speed; `MISSING` says why.
"""

import ctypes
import os
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

INTERFACE = 7
"""What `osdetect_interface` says: functions and plans are those that are meant here."""
LIBRARY = "records.library"
"""Not named like a module of Python's, which it is not."""
ROW = 5
"""Numbers of a hit: its place among the records, what it is known as, where it begins and ends, and a mask."""
STRANGE = (1 << 32) - 2
"""From here on a hit is not known as anything: this, and the next for what no key says all of."""
ODD_TOLD = 1 << 31
"""The bit of the mask that says: what is told of the hit is not to be had from here."""


def _load() -> tuple[ctypes.PyDLL | None, str]:
    path = Path(__file__).with_name(LIBRARY)
    if not path.is_file():
        return (
            None,
            "it was not made when osdetect was installed; install Rust's compiler, then osdetect again",
        )
    try:
        library = ctypes.PyDLL(str(path))  # holds Python's lock: a reader is for one thread at a time
        made_for = library.osdetect_interface()
    except (OSError, AttributeError) as error:
        return None, f"{path} cannot be used ({error}); install osdetect again"
    if made_for != INTERFACE:
        return None, f"{path} is of another version; install osdetect again"
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64
    arguments: Mapping[str, tuple[Any, ...]] = {
        "reader": (pointer, ctypes.c_char_p, size),
        "free": (None, pointer),
        "settle": (None, pointer, size, ctypes.c_bool),
        "forget": (None, pointer),
        "adopt": (None, pointer, pointer),
        "read": (number, pointer, ctypes.c_char_p, size, ctypes.c_bool, ctypes.c_uint64),
        "number": (ctypes.c_uint32, pointer),
        "numbers": (size, pointer),
        "take": (ctypes.c_bool, pointer, size, ctypes.c_uint32),
        "keep": (size, pointer, ctypes.c_char_p, size),
        "kept": (number, pointer, size, ctypes.POINTER(pointer), ctypes.POINTER(size)),
        "drop": (None, pointer),
        "has_twins": (ctypes.c_bool, pointer, size),
        "fingerprint": (ctypes.c_uint64, ctypes.c_uint64, ctypes.c_char_p, size),
        "found": (pointer, pointer, size, ctypes.POINTER(size)),
    }
    for name, (result, *of_arguments) in arguments.items():
        function = getattr(library, f"osdetect_{name}")
        function.restype, function.argtypes = result, of_arguments
    return library, ""


_LIBRARY, MISSING = _load()
"""The library, and why there is none."""
_SEED = int.from_bytes(os.urandom(8), "little")
"""Of this process and of those that are forked from it."""
Gather = tuple[int, int]
"""From which moment to which hits are gathered, in microseconds since 1970."""


def fingerprint(text: str) -> int:
    """The key, of 64 bits, by which hits are gathered: of the event's account and id with a hyphen between."""
    if _LIBRARY is None:
        return hash(text) & ((1 << 64) - 1)
    raw = text.encode("utf-8", "surrogatepass")
    return int(_LIBRARY.osdetect_fingerprint(_SEED, raw, len(raw)))


def has_twins(numbers: "array[int]") -> bool:
    """Whether one of the numbers, of 64 bits each, is there twice."""
    if _LIBRARY is None:
        return len(set(numbers)) < len(numbers)
    return bool(_LIBRARY.osdetect_has_twins(*numbers.buffer_info()))


class Found(msgspec.Struct, frozen=True, gc=False):
    """What was found in a text; it is there until the reader reads the next."""

    records: int
    rows: Sequence[int]
    """`ROW` numbers for each hit."""
    told: Callable[[], tuple[Sequence[str], ...]]
    """For each field that is told its values, hit by hit."""
    free: tuple[str, ...]
    """For each rare field that is looked at here too: its quiet texts that have a hint, a line for each record.

    Empty if there are none.
    """
    spans: Callable[[], Sequence[int]]
    """Where each record begins and ends."""


class Rare(msgspec.Struct, frozen=True):
    """A field of which few values matter."""

    path: str
    clues: Sequence[str]
    """Texts in lower case: a value without any of them is quiet, it does not matter."""
    hints: Sequence[str] | None
    """Of the quiet ones those are given back that have one of these texts in them; None: all, nothing: none."""

    @property
    def is_free(self) -> bool:
        """Whether quiet values may be given back."""
        return self.hints != ()


class Reader:
    """A compiled reader for a plan (`plan.rs`); it must not be used by two threads at once."""

    def __init__(self, plan: str, told: int, free: int) -> None:
        """Make it.

        Args:
            plan: what to look for; `of_plan` writes it.
            told: how many fields are told.
            free: how many rare fields are looked at here too.

        Raises:
            ValueError: it cannot be read by such a plan, which may ask for too much.
        """
        assert _LIBRARY is not None
        text = plan.encode()
        self._library = _LIBRARY
        self._reader = self._library.osdetect_reader(text, len(text))
        if not self._reader:
            raise ValueError("no plan of a compiled reader")
        self._told, self._free = range(2, 2 + told), range(2 + told, 2 + told + free)
        self._length = ctypes.c_size_t()

    def __del__(self) -> None:
        if getattr(self, "_reader", None):
            self._library.osdetect_free(self._reader)

    def settle(self, number: int, *, hit: bool) -> None:
        """Say of what is known as this that each is a hit and may be gathered, or that there is nothing to tell of it."""
        self._library.osdetect_settle(self._reader, number, hit)

    def forget(self) -> None:
        """Know nothing, and keep nothing; numbers begin with 0 again."""
        self._library.osdetect_forget(self._reader)

    def adopt(self, other: "Reader") -> None:
        """Take over what another knows and has gathered; it must know records by the same fields."""
        self._library.osdetect_adopt(self._reader, other._reader)  # noqa: SLF001  # of the same class

    def number(self) -> int:
        """A number for hits that no key stands for."""
        return int(self._library.osdetect_number(self._reader))

    def numbers(self) -> int:
        """How many numbers there are by now."""
        return int(self._library.osdetect_numbers(self._reader))

    def take(self, row: int, number: int) -> bool:
        """Gather a hit of the text that was read last as one with this number; false where it can't be.

        `row` is its place among the hits.
        """
        return bool(self._library.osdetect_take(self._reader, row, number))

    def keep(self, apart: Collection[int]) -> int:
        """Keep what was gathered of the text that was read last, but for records at these places; how much is kept by now."""
        places = array("I", sorted(apart)).tobytes() if apart else b""
        return int(self._library.osdetect_keep(self._reader, places, len(places) // 4))

    def taken(self) -> Iterator[tuple[int, "array[int]"]]:
        """What is kept, which is not any more: by what it is known as, for each hit key, time and place."""
        number, rows, length = 0, ctypes.c_void_p(), ctypes.c_size_t()
        while (number := self._library.osdetect_kept(self._reader, number, rows, length)) >= 0:
            kept = array("Q")
            kept.frombytes(ctypes.string_at(rows, 8 * length.value))
            yield number, kept
            number += 1
        self._library.osdetect_drop(self._reader)

    def read(self, text: bytes, *, lines: bool, first: int = 0) -> Found | None:
        """What is found in `{"Records":[...]}`, or with `lines` in a record a line; None for any other text.

        Args:
            text: the records.
            lines: whether they stand on lines.
            first: the place of the first, among those that are gathered.
        """
        records = self._library.osdetect_read(self._reader, text, len(text), lines, first)
        if records < 0:
            return None
        return Found(
            records,
            self._numbers(0),
            lambda: tuple([self._lines(which) for which in self._told]),
            tuple([self._bytes(which).decode() for which in self._free]),
            lambda: self._numbers(1),
        )

    def _bytes(self, which: int) -> bytes:
        found = self._library.osdetect_found(self._reader, which, self._length)
        return ctypes.string_at(found, self._length.value) if self._length.value else b""

    def _numbers(self, which: int) -> list[int]:
        return memoryview(self._bytes(which)).cast("I").tolist()

    def _lines(self, which: int) -> list[str]:
        lines = self._bytes(which).decode().split("\n")
        lines.pop()
        return lines


def of_plan(
    objects: Mapping[str, Iterable[str]],
    key: Sequence[str],
    rare: Sequence[Rare],
    tell: Sequence[str],
    gather: Gather | None,
) -> Reader:
    """The reader that knows records by these fields.

    Args:
        objects: by the path of each object ("" for the record) the names that may stand in it.
        key: the paths of fields whose values matter.
        rare: fields of which few values matter.
        tell: names of fields of the record to be told of each hit.
        gather: account, id and time are what is told, and hits of which all is known are gathered by these instead.

    Raises:
        ValueError: that is too much.
    """
    asked = dict.fromkeys((*key, *(one.path for one in rare), *tell))
    slots = {path: number for number, path in enumerate(asked)}
    inner = {path[:at] for path in slots for at, sign in enumerate(path) if sign == "."}
    # An object's path is shorter than the path of one in it.
    numbers = {path: number for number, path in enumerate(sorted({"", *inner}, key=len))}
    lines: list[str] = []
    for path in numbers:
        lines.append("object")
        for name in objects[path]:
            full = f"{path}.{name}" if path else name
            action: tuple[str, ...] = ("skip",)
            action = ("keep", str(slots[full])) if full in slots else action
            action = ("enter", str(numbers[full])) if full in numbers else action
            lines.append("\t".join(("name", _hex(name), *action)))
    lines.extend(f"key\t{slots[path]}" for path in key)
    for one in rare:
        lines.append("\t".join(("rare", str(slots[one.path]), *_hexes(one.clues))))
        if one.is_free:
            lines.append("\t".join(("free", *_hexes(one.hints or ()))))
    lines.extend(f"told\t{slots[path]}" for path in tell)
    if gather is not None:
        lines.append("\t".join(map(str, ("gather", _SEED, *gather))))
    return Reader("\n".join(lines), len(tell), sum(one.is_free for one in rare))


def _hex(text: str) -> str:
    return text.encode().hex()


def _hexes(texts: Iterable[str]) -> list[str]:
    return list(map(_hex, filter(_can_stand, texts)))


def _can_stand(clue: str) -> bool:
    """Whether a text that is quiet could have it in it: such are ASCII and have no escapes."""
    return clue.isascii() and clue.isprintable() and '"' not in clue and "\\" not in clue
