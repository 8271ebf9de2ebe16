"""What placeholders (`%name%`, modifier `expand`) stand for: a YAML or JSON file of names and values."""

from pathlib import Path

from osdetect.errors import InputError, RuleError
from osdetect.sigma.text_file import read_text
from osdetect.sigma.yaml_text import documents

MAX_VALUES = 10_000
"""Values of one placeholder."""


def read_placeholders(path: Path) -> dict[str, tuple[str, ...]]:
    """The values of each placeholder: `name: value` or `name: [value, ...]`; values may hold wildcards.

    Raises:
        InputError: the file does not exist.
        RuleError: it is not such a file; names the place.
    """
    if not path.is_file():
        raise InputError(
            f"{path} does not exist", cure="--placeholders names a YAML file of names and values"
        )
    found: dict[str, tuple[str, ...]] = {}
    for document in documents(read_text(path)):
        if isinstance(document, RuleError):
            raise document
        if not isinstance(document.data, dict):
            raise document.error(
                "placeholders are a map of names to values", cure="write: name: [value, ...]"
            )
        for name, given in document.data.items():
            values = given if isinstance(given, list) else [given]
            wrong = next((i for i, one in enumerate(values) if not _is_text(one)), None)
            if wrong is not None or not 0 < len(values) <= MAX_VALUES:
                raise document.error(
                    "a placeholder has values that are texts or numbers",
                    at=(name,) if wrong is None or not isinstance(given, list) else (name, wrong),
                    cause=f"between 1 and {MAX_VALUES:,} of them",
                )
            if name in found:
                raise document.error(f"the placeholder {name!r} stands here twice", at=(name,))
            found[name] = tuple(str(one) for one in values)
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)
