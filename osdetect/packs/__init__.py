"""Rule packs: rules of others, kept in the user's repository with a lock file, selected, overlaid and updated.

`deploy`, `check`, `catalog` and `test` take the folder of packs as any folder of rules.
"""

from osdetect.packs.report import Change, Conflict, Failed, Listed, State
from osdetect.packs.selection import Selection, selection_of
from osdetect.packs.source import Kind, Source, source_of
from osdetect.packs.work import Update, add, listed, remove, update

__all__ = [
    "Change", "Conflict", "Failed", "Kind", "Listed", "Selection", "Source", "State", "Update",
    "add", "listed", "remove", "selection_of", "source_of", "update",
]  # fmt: skip
