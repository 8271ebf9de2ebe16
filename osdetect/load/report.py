"""What a load did: every file and every record is in exactly one of its counts."""

import msgspec

from osdetect.errors import Where

SHOWN = 100
"""So many dead letters are told one by one; all are counted and stored."""


class FileNote(msgspec.Struct, frozen=True):
    """Something about one file that the user has to know."""

    where: Where
    reason: str
    cure: str = ""


class RecordNote(msgspec.Struct, frozen=True):
    """A record that became a dead letter."""

    where: Where
    record: int
    """Its place in the file's list, from 1."""
    offset: int
    """Where it begins in the file's unpacked text, in bytes."""
    reason: str


class LoadReport(msgspec.Struct, frozen=True):
    """The counts of one load.

    records_read = created + already_there + reused_ids + dead_letters; `load` fails if that were not so.
    """

    files_read: int = 0
    """Files whose records were taken in by this load, the partial ones included."""
    files_already_loaded: int = 0
    """Files that the ledger knows: nothing was read from them."""
    earlier_dead_letters: int = 0
    """Of those files, records that became dead letters in the load that the ledger remembers."""
    digests: int = 0
    """CloudTrail digest files: they hold no records."""
    ignored: int = 0
    """Files in folders that are not named like CloudTrail files."""
    partial: tuple[FileNote, ...] = ()
    """Files of which only the first part could be read, now or in the load that the ledger remembers."""
    refused: tuple[FileNote, ...] = ()
    """Paths of which nothing could be read."""
    records_read: int = 0
    created: int = 0
    already_there: int = 0
    """The same record was stored before."""
    reused_ids: int = 0
    """Another record with the same account and eventID was there: stored beside it, under an id of its own."""
    dead_letters: int = 0
    dead_letter_notes: tuple[RecordNote, ...] = ()
    """The first of them."""
    flawed: tuple[tuple[str, int], ...] = ()
    """Records that were stored although something is wrong with them: what (as in `osdetect.problems`), how often."""
    stored_bytes: int = 0
    """Of the files read, as they are on disk."""
    text_bytes: int = 0
    """Of the files read, unpacked."""

    @property
    def lossless(self) -> bool:
        """Nothing was refused, cut or dead-lettered, neither now nor when a file that is there already was loaded."""
        return not (self.partial or self.refused or self.dead_letters or self.earlier_dead_letters)
