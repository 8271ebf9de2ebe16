"""Rule files as YAML documents with places, for the check that looks at how a rule is written."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from osdetect.errors import RuleError
from osdetect.sigma.actions import with_actions
from osdetect.sigma.listing import list_files
from osdetect.sigma.text_file import read_text
from osdetect.sigma.yaml_text import Document, documents


def rule_documents(
    paths: Iterable[Path], on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Iterator[Document]:
    """Every readable YAML document in the rule files of the files and folders, in the order of `read_rules`.

    What cannot be read is left out: `read_rules` refuses it with its place. A file named twice is read once.

    Args:
        paths: rule files, and folders that hold some.
        on_progress: told the number of files read, and of all.

    Raises:
        InputError: a path does not exist, or there is no rule file in any of them.
    """
    files = tuple(dict.fromkeys(list_files(paths)[0]))
    for done, file in enumerate(files, start=1):
        try:
            source = read_text(file)
        except RuleError:  # read_rules tells of it
            continue
        for read in with_actions(documents(source)):
            if not isinstance(read, RuleError):
                yield read[0]
        on_progress(done, len(files))
