"""Records gathered into one bulk request."""

import msgspec

from osdetect.documents.event import EventDocument
from osdetect.load.deadletter import DeadLetter


class Item(msgspec.Struct, frozen=True):
    """One record on its way."""

    document: EventDocument
    raw: bytes
    """The record as read, without what the document adds."""
    file: int
    """The number of its file within this load."""
    path: str
    sha256: str
    record: int
    offset: int

    def letter(self, reason: str) -> DeadLetter:
        """The same as a dead letter."""
        return DeadLetter(self.file, self.path, self.sha256, self.record, self.offset, self.raw, reason)


def action(index: str, doc_id: str, source: bytes) -> bytes:
    """The bulk action that creates a document; of its names only an eventID can hold what JSON escapes."""
    escaped = doc_id.replace("\\", "\\\\").replace('"', '\\"') if '"' in doc_id or "\\" in doc_id else doc_id
    return b'{"create":{"_index":"%b","_id":"%b"}}\n%b\n' % (index.encode(), escaped.encode(), source)


class Batch(msgspec.Struct):
    """What goes out together. It is filled by one thread, then handed over and read by another."""

    items: list[Item] = msgspec.field(default_factory=list)
    actions: list[bytes] = msgspec.field(default_factory=list)
    letters: list[DeadLetter] = msgspec.field(default_factory=list)
    ids: set[str] = msgspec.field(default_factory=set)
    size: int = 0
    """Bytes of the actions and of the letters' records."""

    def add(self, item: Item) -> None:
        """Take one more record in."""
        document = item.document
        self.items.append(item)
        self.actions.append(action(document.index, document.id, document.source))
        self.ids.add(document.id)
        self.size += len(self.actions[-1])

    def add_letter(self, letter: DeadLetter) -> None:
        """Take in what cannot be an event."""
        self.letters.append(letter)
        self.size += len(letter.raw)
