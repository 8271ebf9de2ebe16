"""Any number of rules, made of a hundred of the project's: copies that ask for calls with another number behind their names."""

import re
from itertools import cycle
from pathlib import Path
from uuid import UUID

from osdetect.resources import folder

BASE = 100
_CALL = re.compile(r"^(\s+(?:- |eventName: ))([A-Z][A-Za-z0-9]+)$", re.MULTILINE)


def grown_rules(made: Path, number: int) -> Path:
    """A folder with so many rules: the first hundred as they stand, then copies of these, which find nothing more."""
    texts = [
        file.read_text("utf-8")
        for file in sorted(folder("rules").rglob("*.yml"))
        if not file.name.endswith(".tests.yml")
    ]
    texts = [text for text in texts if "\ncorrelation:" not in text and _CALL.search(text)][:BASE]
    for at, text in zip(range(number), cycle(texts), strict=False):
        copy = at // len(texts)
        changed = re.sub(r"^id: .*$", f"id: {UUID(int=at + 1, version=4)}", text, flags=re.MULTILINE)
        changed = re.sub(r"^title: (.*)$", rf"title: \1 {at}", changed, flags=re.MULTILINE)
        changed = re.sub(r"^name: .*$\n", "", changed, flags=re.MULTILINE)
        if copy:
            changed = _CALL.sub(rf"\g<1>\g<2>{copy}", changed)
        (made / f"{at:05}.yml").write_text(changed, "utf-8")
    return made
