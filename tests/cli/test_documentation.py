"""The tables of docs/exit-codes.md and docs/settings.md against the code."""

import re
from pathlib import Path

from osdetect.cluster import Connection
from osdetect.settings import SETTINGS, Kind
from osdetect.settings.known import PROFILE_VARIABLE
from osdetect.vocabulary import ExitCode

ROOT = Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"OSDETECT_[A-Z0-9_]+[A-Z0-9]")
_NOT_SETTINGS = {"OSDETECT_NAME"}


def _rows(name: str) -> list[list[str]]:
    lines = (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").replace("\\|", "/").split("|") for line in lines if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row] for row in rows]


def test_each_exit_code_is_documented_with_its_name_and_what_leads_to_it() -> None:
    rows = {row[0]: row for row in _rows("exit-codes.md") if row[0].isdigit()}
    assert {int(code): row[1] for code, row in rows.items()} == {code.value: code.name for code in ExitCode}
    assert all(len(row) == 4 and all(row) for row in rows.values())


def test_each_setting_is_documented_and_nothing_else() -> None:
    read = {PROFILE_VARIABLE, *(setting.variable for setting in SETTINGS)}
    for folder in ("osdetect", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            read.update(_VARIABLE.findall(file.read_text(encoding="utf-8")))
    documented = [row[0] for row in _rows("settings.md") if row[0].startswith("OSDETECT_")]
    assert sorted(documented) == sorted(read - _NOT_SETTINGS)
    assert all(row[2] for row in _rows("settings.md"))


def test_the_defaults_in_the_table_are_the_real_ones() -> None:
    told = {row[0]: row[1] for row in _rows("settings.md")}
    fields = Connection.model_fields
    assert float(told["OSDETECT_TIMEOUT_S"]) == fields["timeout_s"].default
    assert float(told["OSDETECT_RETRY_FOR_S"]) == fields["retry_for_s"].default
    assert all(
        told[setting.variable] == setting.default for setting in SETTINGS if setting.kind is Kind.NUMBER
    )
