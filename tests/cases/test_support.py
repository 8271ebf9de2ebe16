"""docs/support.md against the cases."""

from tests.cases.case_file import all_cases
from tests.cases.support import DOCUMENT, page


def test_the_document_is_what_the_cases_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == page(), "make docs writes it again"


def test_every_case_stands_in_the_document() -> None:
    rows = {
        tuple(cell.strip() for cell in line.replace("\\|", "/").strip("|").split("|")[-2:])
        for line in page().splitlines()
        if line.startswith("| ")
    }
    plain = str.maketrans({"\\": "", "|": "/"})
    named = {(name.translate(plain), file) for name, file in rows}
    assert {(case.name.translate(plain), case.file) for case in all_cases()} <= named
